import Glibc

/// A file to which commands append the instant at which they began, as seconds with nanoseconds, one a line.
struct Stamps: Sendable {
    let path: String

    /// What `date` is told to write; the yardstick, a shell and a second process included.
    var dateCommand: String { "date +%s.%N >> \(path)" }

    /// The wall clock in nanoseconds.
    static var now: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    /// Nanoseconds since 1970, in the order in which they were written; none while the file does not exist.
    func read() throws -> [Int64] {
        guard access(path, F_OK) == 0 else { return [] }
        return try SmallFile.read(path).split(separator: "\n").compactMap { line in
            let parts = line.split(separator: ".")
            guard parts.count == 2, let seconds = Int64(parts[0]), parts[1].utf8.count == 9,
                let rest = Int64(parts[1])
            else { return nil }
            return seconds * 1_000_000_000 + rest
        }
    }

    func remove() { unlink(path) }
}

enum SmallFile {
    static func read(_ path: String) throws -> String {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw BenchError("cannot read \(path): \(String(cString: strerror(errno)))") }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            bytes += buffer[..<count]
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// Words as C wants them.
enum CWords {
    static func with<T>(_ words: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> T) -> T {
        let pointers: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        defer { for pointer in pointers { free(pointer) } }
        return body(pointers)
    }
}
