import Glibc
import Runtime

/// Whether the kernel has killed a part of a container for want of memory, read from its control group.
///
/// Engines do not always say (podman with runc on control groups of version 1 never does), and when they say that a
/// container has ended, its group is gone. So the group is asked at the instant when the first process ends, which the
/// kernel tells before anybody can have cleared it away.
///
/// Unchecked: belongs to the loop's thread, like its process.
final class MemoryWatch: @unchecked Sendable {
    private let loop: EventLoop
    private var pidfd: Int32 = -1
    private var watch: Watch?
    private var file: Int32 = -1
    private var kills: Int64 = 0

    /// On the loop.
    init(process: Int32, loop: EventLoop) {
        self.loop = loop
        guard process > 0, let path = Self.counterPath(process) else { return }
        file = open(path, O_RDONLY | O_CLOEXEC)
        pidfd = ProcessHandle.open(process)
        guard file >= 0, pidfd >= 0 else { return }
        // Without a watch the look at the end must do.
        watch = try? loop.watch(pidfd, .read) { [weak self] _ in
            self?.look()
            self?.watch?.cancel()
            self?.watch = nil
        }
    }

    deinit {
        if file >= 0 { close(file) }
        if pidfd >= 0 { close(pidfd) }
    }

    /// After the end, on the loop: whether there was such a kill.
    func finish() -> Bool {
        look()
        watch?.cancel()
        watch = nil
        return kills > 0
    }

    /// A file of the kernel's memory: it does not block.
    private func look() {
        var bytes = [UInt8](repeating: 0, count: 1024)
        let count = pread(file, &bytes, bytes.count, 0)
        guard count > 0 else { return }
        for line in String(decoding: bytes.prefix(count), as: UTF8.self).split(separator: "\n") {
            let words = line.split(separator: " ")
            if words.count == 2, words[0] == "oom_kill" { kills = max(kills, Int64(words[1]) ?? 0) }
        }
    }

    /// The file with the counter `oom_kill`, in version 1 or 2, whatever the machine has.
    private static func counterPath(_ process: Int32) -> String? {
        for line in text("/proc/\(process)/cgroup").split(separator: "\n") {
            let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3 else { continue }
            let candidates: [String] =
                if parts[1].split(separator: ",").contains("memory") {
                    ["/sys/fs/cgroup/memory\(parts[2])/memory.oom_control"]
                } else if parts[1].isEmpty {
                    ["/sys/fs/cgroup\(parts[2])/memory.events", "/sys/fs/cgroup/unified\(parts[2])/memory.events"]
                } else {
                    []
                }
            if let path = candidates.first(where: { access($0, R_OK) == 0 }) { return path }
        }
        return nil
    }

    private static func text(_ path: String) -> String {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return "" }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 8192)
        let count = read(descriptor, &bytes, bytes.count)
        return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
    }
}
