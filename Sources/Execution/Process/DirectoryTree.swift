import Glibc

enum DirectoryListing {
    /// Names in a directory without `.` and `..`; none when it cannot be read.
    static func names(_ path: String) -> [String] {
        guard let directory = opendir(path) else { return [] }
        defer { closedir(directory) }
        return names(in: directory)
    }

    static func names(in directory: OpaquePointer) -> [String] {
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }
}

/// Removes a directory with all that is in it, by descriptors and never through a symbolic link: what is in a sandbox
/// was made by others, who may change it while it is removed.
enum DirectoryTree {
    static func remove(_ path: String) -> Bool {
        // Most commands leave nothing behind. It follows no link: one in its place is no directory.
        if rmdir(path) == 0 { return true }
        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard descriptor >= 0 else { return errno == ENOENT }
        empty(descriptor, depth: 0)
        return rmdir(path) == 0
    }

    /// Takes the descriptor over.
    private static func empty(_ descriptor: Int32, depth: Int) {
        guard depth < ExecutionLimits.sandboxDepth, let directory = fdopendir(descriptor) else {
            close(descriptor)
            return
        }
        defer { closedir(directory) }
        for name in DirectoryListing.names(in: directory) {
            if unlinkat(descriptor, name, 0) == 0 { continue }
            guard errno == EISDIR || errno == EPERM else { continue }
            let inner = openat(descriptor, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
            if inner >= 0 {
                empty(inner, depth: depth + 1)
            } else if errno == EACCES {
                // The command has taken its own right to look; the owner may give it back.
                _ = fchmodat(descriptor, name, 0o700, 0)
                let again = openat(descriptor, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
                if again >= 0 { empty(again, depth: depth + 1) }
            }
            unlinkat(descriptor, name, AT_REMOVEDIR)
        }
    }
}
