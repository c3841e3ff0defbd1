import Glibc

/// What the machine says about itself. Reads small files and asks the C library; nothing here blocks for long.
public enum HostFacts {
    /// "localhost" when the machine has no name.
    public static var hostName: String {
        var buffer = [CChar](repeating: 0, count: 256)
        guard gethostname(&buffer, buffer.count - 1) == 0 else { return "localhost" }
        let name = String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return name.isEmpty ? "localhost" : name
    }

    /// Processors that are online, at least 1.
    public static var processorCount: Int {
        max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
    }

    /// Memory of the machine in MiB.
    public static var memoryMegabytes: Int {
        let pages = max(0, sysconf(Int32(_SC_PHYS_PAGES)))
        let pageSize = max(0, sysconf(Int32(_SC_PAGESIZE)))
        return pages / 1024 * pageSize / 1024
    }

    /// Changes with each start of the machine; empty when the system does not tell.
    public static var bootID: String {
        String(smallFile("/proc/sys/kernel/random/boot_id").prefix { $0 > " " })
    }

    /// The text of a file of /proc; empty when it cannot be read.
    static func smallFile(_ path: String, limit: Int = 8_192) -> String {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return "" }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: min(limit, 65_536))
        while bytes.count < limit {
            let count = read(descriptor, &buffer, buffer.count)
            guard count > 0 else { break }
            bytes += buffer[..<count]
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// What an unprivileged process may still write to the file system of the path, in MiB; nil when there is no such
    /// path.
    public static func freeDiskMegabytes(_ path: String) -> Int? {
        var facts = statvfs()
        guard statvfs(path, &facts) == 0 else { return nil }
        let (bytes, overflow) = UInt64(facts.f_bavail).multipliedReportingOverflow(by: UInt64(facts.f_frsize))
        return overflow ? Int.max : Int(clamping: bytes / 1_048_576)
    }
}
