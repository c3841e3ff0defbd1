import Glibc
import Synchronization
public import Timetable

/// Time zones of this machine's tzdata, read when first asked for and kept (architecture.md decision 7). An operator
/// updates them with the system; a node reads them anew when it is restarted.
public final class SystemZoneDatabase: ZoneDatabase {
    private let directory: String
    private let known = Mutex<[String: ZoneRules?]>([:])
    public let version: String

    /// Names remembered; the tables have some 600.
    private static let limit = 2_000
    /// A zone's file has a few kilobytes.
    private static let fileLimit = 256 * 1024

    public init(directory: String = "/usr/share/zoneinfo") {
        self.directory = directory
        let head = Self.read("\(directory)/tzdata.zi", limit: 64) ?? []
        let line = String(decoding: head.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
        version = line.hasPrefix("# version ") ? String(line.dropFirst("# version ".count)) : "unknown"
    }

    public func rules(named name: String) -> ZoneRules? {
        if let answer = known.withLock({ $0[name] }) { return answer }
        let rules = load(name)
        known.withLock {
            if $0.count >= Self.limit { $0.removeAll() }
            $0[name] = rules
        }
        return rules
    }

    private func load(_ name: String) -> ZoneRules? {
        // The caller has checked the name already; what is opened must not depend on it.
        guard !name.isEmpty, !name.hasPrefix("/"), !name.contains("."),
            let bytes = Self.read("\(directory)/\(name)", limit: Self.fileLimit)
        else { return nil }
        return try? ZoneRules(name: name, tzif: bytes)  // a file that is no zone (tzdata has a few) is no zone
    }

    private static func read(_ path: String, limit: Int) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16 * 1024)
        while bytes.count < limit {
            let count = Glibc.read(descriptor, &buffer, min(buffer.count, limit - bytes.count))
            guard count >= 0 else { return nil }
            if count == 0 { break }
            bytes += buffer[..<count]
        }
        return bytes.isEmpty ? nil : bytes
    }
}
