import Glibc

/// A file of lines `name = value`. Lines that begin with `#` are comments (a `#` later belongs to the value); a value
/// in double quotes keeps its blanks; names of options that may be repeated may be repeated.
enum ConfigurationFile {
    struct Entry: Equatable {
        var key: String
        var value: String
        var line: Int
    }

    struct ReadError: Error, CustomStringConvertible {
        let description: String
    }

    static let largestFile = 256 << 10

    static func entries(of text: String, path: String) throws(UsageError) -> [Entry] {
        var entries: [Entry] = []
        for (index, raw) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
            let line = trimmed(raw[...])
            guard !line.isEmpty, !line.hasPrefix("#") else { continue }
            let parts = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let key = trimmed(parts[0])
            guard parts.count == 2, !key.isEmpty else {
                throw UsageError("\(path):\(index + 1): '\(line)' is not of the form 'name = value'")
            }
            var value = trimmed(parts[1])
            if value.count >= 2, value.hasPrefix("\""), value.hasSuffix("\"") {
                value = String(value.dropFirst().dropLast())
            }
            entries.append(Entry(key: key, value: value, line: index + 1))
        }
        return entries
    }

    /// The text of a file of a sane size.
    static func read(_ path: String) throws -> String {
        try SmallFile.read(path, limit: largestFile)
    }
}

/// Files that are read as a whole.
enum SmallFile {
    /// The text of the file; of standard input if the path is `-`.
    static func read(_ path: String, limit: Int) throws(ConfigurationFile.ReadError) -> String {
        let descriptor = path == "-" ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .init(description: String(cString: strerror(errno))) }
        defer { if descriptor != STDIN_FILENO { close(descriptor) } }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw .init(description: String(cString: strerror(errno))) }
            guard count > 0 else { break }
            bytes.append(contentsOf: buffer[..<count])
            guard bytes.count <= limit else { throw .init(description: "it is larger than \(limit) bytes") }
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw .init(description: "it is not UTF-8 text")
        }
        return text
    }
}
