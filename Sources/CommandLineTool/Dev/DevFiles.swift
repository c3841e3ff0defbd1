import Crypto
import Glibc

/// The folder of `carillon dev`: who may use it, and the secrets in it.
enum DevFiles {
    struct FileError: Error, CustomStringConvertible {
        let description: String

        init(_ what: String, _ number: Int32 = errno) {
            description = "\(what): \(String(cString: strerror(number)))"
        }

        init(description: String) {
            self.description = description
        }
    }

    /// Makes the folder (and those above it) if it is missing, and returns its absolute path.
    static func makeFolder(_ path: String) throws -> String {
        var made = path.hasPrefix("/") ? "/" : ""
        for part in path.split(separator: "/") {
            made += part + "/"
            // Others may pass through, for the database's user when root starts it; the files in it are closed.
            if mkdir(made, 0o711) != 0, errno != EEXIST { throw FileError("cannot make the folder '\(made)'") }
        }
        guard let resolved = realpath(path, nil) else { throw FileError("cannot use the folder '\(path)'") }
        defer { free(resolved) }
        let absolute = String(cString: resolved)
        guard access(absolute, W_OK | X_OK) == 0 else { throw FileError("cannot write in '\(absolute)'") }
        return absolute
    }

    /// Holds the folder for this process until it ends, however it ends.
    /// - Throws: `FileError` naming the process that holds it.
    static func lock(_ folder: String) throws {
        let path = folder + "/lock"
        // Never closed: the lock lives as long as the process.
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw FileError("cannot open '\(path)'") }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            defer { close(descriptor) }
            guard errno == EWOULDBLOCK else { throw FileError("cannot lock '\(path)'") }
            let holder = (try? SmallFile.read(path, limit: 100)) ?? ""  // only to make the message more helpful
            let process = Int(trimmed(holder.prefix { !$0.isNewline })).map { " (process \($0))" } ?? ""
            throw FileError(
                description: "'\(folder)' is in use by another 'carillon dev'\(process): stop it, or give this one a "
                    + "folder of its own with --data-dir and other ports with --port")
        }
        let text = Array("\(getpid())\n".utf8)
        guard ftruncate(descriptor, 0) == 0, write(descriptor, text, text.count) == text.count else {
            throw FileError("cannot write '\(path)'")
        }
    }

    /// The path of the secret that nodes and workers share; made on first use.
    static func secretFile(in folder: String) throws -> String {
        let path = folder + "/secret"
        if access(path, F_OK) != 0 {
            try writeSecret(Hex.encode(try RandomBytes.make(32)), to: path)
        }
        return path
    }

    /// Writes a file that only its owner can read, as a whole or not at all.
    static func writeSecret(_ text: String, to path: String) throws {
        let temporary = path + ".new"
        unlink(temporary)
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw FileError("cannot write '\(temporary)'") }
        let bytes = Array((text + "\n").utf8)
        let isWritten = write(descriptor, bytes, bytes.count) == bytes.count && fsync(descriptor) == 0
        close(descriptor)
        guard isWritten, rename(temporary, path) == 0 else { throw FileError("cannot write '\(path)'") }
    }

    /// The only line of a file that `writeSecret` wrote; nil if there is no file.
    static func readSecret(_ path: String) throws -> String? {
        guard access(path, F_OK) == 0 else { return nil }
        let text: String
        do { text = try SmallFile.read(path, limit: 4096) } catch {
            throw FileError(description: "cannot read '\(path)': \(error)")
        }
        let line = trimmed(text.prefix { !$0.isNewline })
        guard !line.isEmpty else {
            throw FileError(description: "'\(path)' is empty: remove it, and a new one is made at the next start")
        }
        return line
    }
}
