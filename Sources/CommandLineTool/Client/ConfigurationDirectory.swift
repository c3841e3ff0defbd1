import Glibc
import JSON

/// The files: `jobs/NAME.json`, `categories/ID.json`, `groups/ID.json`, `plugins/ID.json`.
struct ConfigurationDirectory: Sendable {
    let path: String

    struct Report {
        var written = 0
        var unchanged = 0
        var removed = 0
    }

    static let folders = ["categories", "groups", "jobs", "plugins"]
    static let largestFile = 1 << 20
    /// Files of one folder.
    static let filesLimit = 1_000_000

    // MARK: Writing

    /// - Throws: `APIClient.Failure` that names the file.
    func write(_ configuration: JSONObject) throws(APIClient.Failure) -> Report {
        var report = Report()
        try make(path)
        for folder in Self.folders {
            let place = "\(path)/\(folder)"
            try make(place)
            var kept: Set<String> = []
            for object in configuration[folder]?.arrayValue ?? [] {
                guard let name = (folder == "jobs" ? object["name"] : object["id"])?.stringValue else { continue }
                let file = Self.fileName(name)
                kept.insert(file)
                let text = String(decoding: object.serialized(pretty: true), as: UTF8.self) + "\n"
                // What cannot be read is written anew.
                if (try? SmallFile.read("\(place)/\(file)", limit: Self.largestFile)) == text {
                    report.unchanged += 1
                } else {
                    try Self.write(text, to: "\(place)/\(file)")
                    report.written += 1
                }
            }
            for file in try Self.files(in: place) where !kept.contains(file) {
                guard unlink("\(place)/\(file)") == 0 else { throw Self.failure("cannot remove \(place)/\(file)") }
                report.removed += 1
            }
        }
        return report
    }

    /// Letters, digits, `.`, `_`, `-` and blanks stand for themselves, the rest in percent coding; never hidden, and
    /// never longer than a file's name may be.
    static func fileName(_ name: String) -> String {
        var text = ""
        for (position, byte) in name.utf8.enumerated() {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: " "):
                text.unicodeScalars.append(Unicode.Scalar(byte))
            case UInt8(ascii: ".") where position > 0: text += "."
            default: text += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }
        guard text.utf8.count > longestName else { return text + ".json" }
        // FNV-1a: two long names with one beginning must not share a file.
        let hash = name.utf8.reduce(UInt64(0xCBF2_9CE4_8422_2325)) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
        return text.prefix(longestName) + "-" + String(hash, radix: 16) + ".json"
    }

    private static let longestName = 200

    private func make(_ folder: String) throws(APIClient.Failure) {
        guard mkdir(folder, 0o755) == 0 || errno == EEXIST else { throw Self.failure("cannot make \(folder)") }
    }

    /// Whole or not at all.
    private static func write(_ text: String, to path: String) throws(APIClient.Failure) {
        let temporary = path + ".new"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw failure("cannot write \(path)") }
        let bytes = Array(text.utf8)
        let count = Glibc.write(descriptor, bytes, bytes.count)
        let isClosed = close(descriptor) == 0
        guard count == bytes.count, isClosed, rename(temporary, path) == 0 else {
            throw failure("cannot write \(path)")
        }
    }

    private static func failure(_ text: String) -> APIClient.Failure {
        APIClient.Failure(status: nil, message: "\(text): \(String(cString: strerror(errno)))")
    }

    // MARK: Reading

    /// - Throws: `UsageError` for a directory that is none or a file that is no JSON.
    func read() throws -> JSONObject {
        guard access(path, R_OK | X_OK) == 0 else {
            throw UsageError("cannot read '\(path)': \(String(cString: strerror(errno)))", command: ["apply"])
        }
        var configuration = JSONObject()
        var count = 0
        for folder in Self.folders {
            var values: [JSONValue] = []
            for file in try Self.files(in: "\(path)/\(folder)").sorted() {
                let place = "\(path)/\(folder)/\(file)"
                do {
                    values.append(
                        try JSONValue(parsing: Array(try SmallFile.read(place, limit: Self.largestFile).utf8)))
                } catch let error as JSONError {
                    throw UsageError("'\(place)' is not JSON: \(error.message) at byte \(error.offset)")
                } catch {
                    throw UsageError("cannot read '\(place)': \(error)")
                }
            }
            count += values.count
            configuration[folder] = .array(values)
        }
        guard count > 0 else {
            let folders = Self.folders.joined(separator: ", ")
            throw UsageError(
                "'\(path)' has no files named *.json in \(folders): is it what 'carillon export' wrote?",
                command: ["apply"])
        }
        return configuration
    }

    /// Names that end in `.json`; none for a folder that is not there.
    private static func files(in folder: String) throws(APIClient.Failure) -> [String] {
        guard let handle = opendir(folder) else {
            if errno == ENOENT { return [] }
            throw failure("cannot read \(folder)")
        }
        defer { closedir(handle) }
        var names: [String] = []
        while names.count < filesLimit, let entry = readdir(handle) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name.hasSuffix(".json"), !name.hasPrefix(".") { names.append(name) }
        }
        return names
    }
}
