import Foundation
import Synchronization

/// podman's service with a storage and settings of its own, and an image made of busybox. A shell supervises it: when the
/// test process ends, however it ends, the pipe closes, and the service, its containers and everything else of it go.
final class Podman: Sendable {
    static let image = "carillon-test:1"

    let socket: String
    private let directory: String

    private struct Pipes: @unchecked Sendable {
        let process: Process
        let orders: FileHandle
    }
    /// Used under the lock only.
    private let pipes: Mutex<Pipes>

    private static let one = Mutex<Podman?>(nil)

    /// Started with the first call.
    static func shared() throws -> Podman {
        try one.withLock { one in
            if let one { return one }
            let new = try Podman()
            one = new
            return new
        }
    }

    /// Why no container can run here; nil when one can.
    static let obstacle: String? = {
        guard geteuid() == 0 else { return "only root can run containers here" }
        for program in ["/usr/bin/podman", "/usr/sbin/runc", "/bin/busybox"]
        where access(program, X_OK) != 0 {
            return "\(program) is missing (Debian's packages podman, runc and busybox-static)"
        }
        do {
            _ = try shared()
            return nil
        } catch { return "\(error)" }
    }()

    private init() throws {
        directory = "/tmp/carillon-podman-\(UUID().uuidString.prefix(8))"
        socket = directory + "/engine.sock"
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = ["-c", Self.script, "podman", directory, Self.image]
        let orders = Pipe()
        let answers = Pipe()
        for handle in [orders.fileHandleForWriting, answers.fileHandleForReading] {
            _ = fcntl(handle.fileDescriptor, F_SETFD, FD_CLOEXEC)
        }
        process.standardInput = orders
        process.standardOutput = answers
        process.standardError = FileHandle.nullDevice
        try process.run()
        pipes = Mutex(Pipes(process: process, orders: orders.fileHandleForWriting))
        var line = ""
        while let byte = try answers.fileHandleForReading.read(upToCount: 1)?.first, byte != 10 {
            line.unicodeScalars.append(Unicode.Scalar(byte))
        }
        guard line == "ready" else { throw Unmet(description: "podman does not run here: \(line)") }
    }

    private var environment: [String: String] {
        [
            "CONTAINERS_CONF": directory + "/containers.conf", "CONTAINERS_STORAGE_CONF": directory + "/storage.conf",
        ]
    }

    /// Its command line. Blocks.
    @discardableResult
    func command(_ words: String) throws -> String {
        try shell("podman \(words)", environment: environment)
    }

    /// What its defaults need on this machine: equal limits, runc, no systemd.
    private static let script = """
        trap '' INT TERM HUP PIPE
        dir=$1; image=$2
        mkdir -m 711 "$dir" || { echo "cannot make $dir"; exit 1; }
        # A container that needs too much memory has a file made where the engine runs.
        cd "$dir" || exit 1
        mkdir -p "$dir/image/bin" "$dir/image/etc" "$dir/tmp" "$dir/library"
        mkdir -m 1777 "$dir/image/tmp"
        cp /bin/busybox "$dir/image/bin/busybox"
        for name in $(/bin/busybox --list); do
            [ "$name" = busybox ] || ln -sf busybox "$dir/image/bin/$name"
        done
        echo 'root:x:0:0::/:/bin/sh' >"$dir/image/etc/passwd"
        cat >"$dir/containers.conf" <<E
        [containers]
        default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
        log_driver = "k8s-file"
        [engine]
        runtime = "runc"
        cgroup_manager = "cgroupfs"
        events_logger = "file"
        tmp_dir = "$dir/tmp"
        volume_path = "$dir/volumes"
        E
        cat >"$dir/storage.conf" <<E
        [storage]
        driver = "vfs"
        graphroot = "$dir/root"
        runroot = "$dir/run"
        E
        export CONTAINERS_CONF="$dir/containers.conf" CONTAINERS_STORAGE_CONF="$dir/storage.conf"
        tar -C "$dir/image" -cf "$dir/image.tar" . && podman import -q "$dir/image.tar" "$image" >"$dir/output" 2>&1
        if [ $? = 0 ]; then
            podman system service --time 0 "unix://$dir/engine.sock" </dev/null >>"$dir/output" 2>&1 &
            service=$!
            tries=0
            until [ -S "$dir/engine.sock" ]; do
                kill -0 $service 2>/dev/null && [ $tries -lt 300 ] || break
                tries=$((tries + 1)); sleep 0.1
            done
        fi
        # One container as a proof: on some machines none can run.
        if [ -S "$dir/engine.sock" ] && podman run --rm --network host "$image" true >>"$dir/output" 2>&1
        then echo ready; else tail -n 1 "$dir/output" || echo "no output"; fi
        cat >/dev/null
        podman rm --all --force --time 0 >/dev/null 2>&1
        [ -z "$service" ] || { kill $service; wait $service; } 2>/dev/null
        podman volume prune --force >/dev/null 2>&1
        # Storage may have been mounted.
        grep -o " $dir/[^ ]*" /proc/mounts | sort -r | while read -r place; do umount -l "$place"; done
        rm -rf "$dir"
        # podman leaves an empty parent of its groups behind.
        for group in /sys/fs/cgroup/*/libpod_parent /sys/fs/cgroup/libpod_parent; do
            [ ! -d "$group" ] || rmdir "$group" 2>/dev/null
        done
        true
        """
}
