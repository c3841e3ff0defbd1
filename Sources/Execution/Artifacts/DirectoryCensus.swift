import Glibc

/// What is in a directory, by descriptors and never through a link. All calls block.
enum DirectoryCensus {
    struct Size {
        var bytes: Int64 = 0
        var entries = 0
    }

    /// Counts.
    /// - Parameter isStrict: anything but plain files with one name, directories, and symbolic links that lead to one
    ///   of both in here is an error.
    static func take(_ path: String, isStrict: Bool = true) throws(LaunchError) -> Size {
        var size = Size()
        let root = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard root >= 0, let real = realpath(path, nil) else {
            throw FileFailure.launch("cannot read what was unpacked")
        }
        defer { free(real) }
        let realPath = String(cString: real)
        try walk(root, depth: 0) { (parent, name, facts) throws(LaunchError) in
            size.entries += 1
            if isStrict { try check(facts, name) }
            if isStrict, facts.st_mode & S_IFMT == S_IFLNK { try checkLink(parent, name, within: realPath) }
            if facts.st_mode & S_IFMT == S_IFREG { size.bytes += Int64(facts.st_size) }
            // Enough to know that it is too many.
            return size.entries <= ArtifactLimits.entries + 1
        }
        return size
    }

    struct Owner: Sendable {
        var user: uid_t
        var group: gid_t
    }

    /// Gives everything below the directory to somebody, with usual rights: `shared` for files that others may read.
    /// The directory itself stays as it is.
    static func handOver(_ path: String, to owner: Owner?, isShared: Bool) throws(LaunchError) {
        let root = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard root >= 0 else { throw FileFailure.launch("cannot read what was fetched") }
        try walk(root, depth: 0) { (parent, name, facts) throws(LaunchError) in
            try check(facts, name)
            if facts.st_mode & S_IFMT == S_IFLNK {
                // Its rights are those of what it leads to.
                if let owner, fchownat(parent, name, owner.user, owner.group, AT_SYMLINK_NOFOLLOW) != 0 {
                    throw FileFailure.launch("cannot hand over what was fetched")
                }
                return true
            }
            let isDirectory = facts.st_mode & S_IFMT == S_IFDIR
            let descriptor = openat(
                parent, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | (isDirectory ? O_DIRECTORY : 0))
            guard descriptor >= 0 else { throw FileFailure.launch("cannot open what was fetched") }
            defer { close(descriptor) }
            let isProgram = isDirectory || facts.st_mode & 0o100 != 0
            let mode: mode_t = isShared ? (isProgram ? 0o755 : 0o644) : (isProgram ? 0o700 : 0o600)
            guard fchmod(descriptor, mode) == 0 else {
                throw FileFailure.launch("cannot set rights of what was fetched")
            }
            if let owner, fchown(descriptor, owner.user, owner.group) != 0 {
                throw FileFailure.launch("cannot hand over what was fetched")
            }
            return true
        }
    }

    /// Moves everything in a directory into another on the same file system; directories that both have become one,
    /// files replace files.
    static func merge(_ from: String, into target: String) throws(LaunchError) {
        for name in DirectoryListing.names(from) {
            let (source, destination) = ("\(from)/\(name)", "\(target)/\(name)")
            if rename(source, destination) == 0 { continue }
            var facts = stat()
            guard errno == ENOTEMPTY || errno == EEXIST || errno == EISDIR || errno == ENOTDIR,
                lstat(destination, &facts) == 0
            else { throw FileFailure.launch("cannot place '\(name.prefix(200))'") }
            var own = stat()
            guard facts.st_mode & S_IFMT == S_IFDIR, lstat(source, &own) == 0, own.st_mode & S_IFMT == S_IFDIR else {
                throw LaunchError("'\(name.prefix(200))' is a file in one of the downloads and a directory in another")
            }
            try merge(source, into: destination)
            rmdir(source)
        }
    }

    private static func check(_ facts: stat, _ name: String) throws(LaunchError) {
        let kind = facts.st_mode & S_IFMT
        guard kind == S_IFDIR || ((kind == S_IFREG || kind == S_IFLNK) && facts.st_nlink == 1) else {
            throw LaunchError(
                "the archive contains '\(name.prefix(200))', which is a hard link or a device: neither is unpacked")
        }
    }

    /// A link is kept that leads to something in the same archive, by a relative path: that holds wherever the archive
    /// is put. Links to links are followed to their end.
    private static func checkLink(_ parent: Int32, _ name: String, within root: String) throws(LaunchError) {
        var first: CChar = 0
        let length = readlinkat(parent, name, &first, 1)
        let real = realpath("/proc/self/fd/\(parent)/\(name)", nil)
        defer { free(real) }
        guard length == 1, UInt8(bitPattern: first) != UInt8(ascii: "/"),
            let end = real.map({ String(cString: $0) }), HostPath.isInside(end, root)
        else {
            throw LaunchError(
                "the archive contains '\(name.prefix(200))', a link that leads out of it or to nothing: only links"
                    + " within an archive are unpacked")
        }
    }

    /// Takes the descriptor over. The visitor returns whether to go on.
    private static func walk(
        _ descriptor: Int32, depth: Int,
        _ visit: (Int32, String, stat) throws(LaunchError) -> Bool
    ) throws(LaunchError) {
        guard depth < ExecutionLimits.sandboxDepth, let directory = fdopendir(descriptor) else {
            close(descriptor)
            throw LaunchError("directories are nested too deeply")
        }
        defer { closedir(directory) }
        for name in DirectoryListing.names(in: directory) {
            var facts = stat()
            // Gone meanwhile, as temporary files of a tool are.
            guard fstatat(descriptor, name, &facts, AT_SYMLINK_NOFOLLOW) == 0 else { continue }
            guard try visit(descriptor, name, facts) else { return }
            guard facts.st_mode & S_IFMT == S_IFDIR else { continue }
            let inner = openat(descriptor, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
            if inner >= 0 { try walk(inner, depth: depth + 1, visit) }
        }
    }
}
