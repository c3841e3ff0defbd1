import Glibc
import JSON
import Synchronization

/// Files that several runs want, kept below the work directory: by their whole address, with the version that the
/// server named. Bounded; those that were used last stay. All calls block.
///
/// The names of its files are hashes that anybody could make collide; so each says which address it is of, and one of
/// another address is none.
final class ArtifactCache: Sendable {
    private let directory: String
    private let limit: Int64
    /// One change at a time. Readers hold an open file, which stays whole when its name is gone.
    private let changes = Mutex(())

    init(directory: String, limit: Int64) {
        self.directory = directory
        self.limit = limit
    }

    /// The version that is kept; nil: none.
    func validator(of uri: String) -> String? {
        guard limit > 0 else { return nil }
        return changes.withLock { _ in
            guard let facts = facts(uri), access(path(uri, "data"), R_OK) == 0 else { return nil }
            return facts.validator
        }
    }

    /// Copies what is kept, if it still is the version, and notes its use.
    func copy(_ uri: String, validator: String, to target: String) throws(LaunchError) -> Bool {
        let source = changes.withLock { _ -> Int32 in
            guard facts(uri)?.validator == validator else { return -1 }
            let path = path(uri, "data")
            utimensat(AT_FDCWD, path, nil, 0)
            return open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        }
        guard source >= 0 else { return false }
        defer { close(source) }
        try FileCopy.copy(from: source, to: target)
        return true
    }

    /// Keeps a copy of a file that was just fetched. That it could not be kept harms nobody.
    func keep(_ file: String, of uri: String, validator: String) {
        guard limit > 0 else { return }
        var size = stat()
        guard stat(file, &size) == 0, Int64(size.st_size) <= limit else { return }
        changes.withLock { _ in
            _ = mkdir(directory, 0o700)
            makeRoom(Int64(size.st_size))
            let (data, temporary) = (path(uri, "data"), path(uri, "new"))
            unlink(path(uri, "facts"))
            let source = open(file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
            guard source >= 0 else { return }
            defer { close(source) }
            do throws(LaunchError) {
                try FileCopy.copy(from: source, to: temporary)
                guard rename(temporary, data) == 0 else { throw FileFailure.launch("cannot keep a download") }
                let facts: JSONValue = ["uri": .string(uri), "validator": .string(validator)]
                try FileCopy.write(facts.serialized(), to: path(uri, "facts"))
            } catch {
                for ending in ["new", "data", "facts"] { unlink(path(uri, ending)) }
            }
        }
    }

    private func facts(_ uri: String) -> (uri: String, validator: String)? {
        let descriptor = open(path(uri, "facts"), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 64 * 1024)
        let count = read(descriptor, &bytes, bytes.count)
        // Half written, or of another address: nothing is kept then.
        guard count > 0, let value = try? JSONValue(parsing: Array(bytes.prefix(count))),
            let known = value["uri"]?.stringValue, known == uri, let validator = value["validator"]?.stringValue
        else { return nil }
        return (known, validator)
    }

    private func makeRoom(_ needed: Int64) {
        var kept: [(name: String, bytes: Int64, used: Int64)] = []
        for name in DirectoryListing.names(directory) where name.hasSuffix(".data") {
            var facts = stat()
            guard lstat("\(directory)/\(name)", &facts) == 0 else { continue }
            let used = Int64(facts.st_mtim.tv_sec) * 1_000_000_000 + Int64(facts.st_mtim.tv_nsec)
            kept.append((String(name.dropLast(5)), Int64(facts.st_size), used))
        }
        var total = kept.reduce(0) { $0 + $1.bytes }
        for entry in kept.sorted(by: { $0.used < $1.used }) where total + needed > limit {
            unlink("\(directory)/\(entry.name).facts")
            unlink("\(directory)/\(entry.name).data")
            total -= entry.bytes
        }
    }

    private func path(_ uri: String, _ ending: String) -> String { "\(directory)/\(Self.name(uri)).\(ending)" }

    /// FNV-1a, twice with different beginnings.
    private static func name(_ uri: String) -> String {
        [0xcbf2_9ce4_8422_2325, 0x9e37_79b9_7f4a_7c15].map { (start: UInt64) in
            let hash = uri.utf8.reduce(start) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
            let text = String(hash, radix: 16)
            return String(repeating: "0", count: 16 - text.count) + text
        }.joined()
    }
}

enum FileCopy {
    static func copy(from source: Int32, to target: String) throws(LaunchError) {
        let descriptor = open(target, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw FileFailure.launch("cannot make a copy") }
        defer { close(descriptor) }
        var buffer = [UInt8](repeating: 0, count: ArtifactLimits.copyChunk)
        while true {
            let count = read(source, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw FileFailure.launch("cannot read a file to copy") }
            if count == 0 { return }
            try FileFailure.write(buffer[..<count], to: descriptor)
        }
    }

    static func write(_ bytes: [UInt8], to target: String) throws(LaunchError) {
        let descriptor = open(target, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw FileFailure.launch("cannot make a file") }
        defer { close(descriptor) }
        try FileFailure.write(bytes[...], to: descriptor)
    }
}
