import Crypto
public import Domain
public import Storage
import Timetable

/// A stored key with what is managed of it.
public typealias KeyRecord = KeyStore.Record

/// Management of API keys by their identifiers: keys that clients chose among them. Only administrators come here.
public struct KeyRecords: Sendable {
    /// Characters of a chosen key.
    public static let length = 1...256
    /// A chosen key shows its beginning only if enough remains unknown.
    private static let shownFrom = 16
    private static let shownLength = 4

    private let store: KeyStore
    private let clock: any WallClock

    public init(store: KeyStore, clock: any WallClock) {
        self.store = store
        self.clock = clock
    }

    /// Stores a key that the client chose. It cannot be had again.
    /// - Throws: `.conflict` when the key is in use.
    public func create(
        _ principal: Principal, secret: String, title: String, description: String, granted: [String],
        isActive: Bool, fields: String
    ) async throws(DomainError) -> KeyStore.Record {
        try principal.require(.admin)
        guard Self.length.contains(secret.utf8.count) else {
            throw .invalid("a key may have \(Self.length.lowerBound) to \(Self.length.upperBound) characters")
        }
        let hash = Digest.sha256(Array(secret.utf8))
        var key = StoredKey(
            prefix: APIKey.chosenPrefix(hash: hash), hash: hash, title: title,
            privileges: Set(granted.compactMap { Privilege(rawValue: $0) }), isActive: isActive)
        do { key.id = "k" + Hex.encode(try RandomBytes.make(5)) } catch { throw .unavailable("\(error)") }
        let now = clock.now()
        let shown = secret.utf8.count >= Self.shownFrom ? secret.prefix(Self.shownLength) + "…" : "…"
        let record = KeyStore.Record(
            key: key, granted: granted, shown: String(shown), description: description, username: principal.owner,
            fields: fields, created: now, modified: now)
        do { try await store.insert(record) } catch {
            guard error.code == .conflict else { throw DomainError(error) }
            throw DomainError(.conflict, "Failed to create API Key: this key is in use already; choose another one")
        }
        return record
    }

    public func list(_ principal: Principal) async throws(DomainError) -> [KeyStore.Record] {
        try principal.require(.admin)
        do { return try await store.records() } catch { throw DomainError(error) }
    }

    public func record(_ principal: Principal, id: String) async throws(DomainError) -> KeyStore.Record? {
        try principal.require(.admin)
        do { return try await store.record(id: id) } catch { throw DomainError(error) }
    }

    public func update(_ principal: Principal, _ record: KeyStore.Record) async throws(DomainError) -> Bool {
        try principal.require(.admin)
        var record = record
        record.modified = clock.now()
        do { return try await store.update(record) } catch { throw DomainError(error) }
    }

    public func delete(_ principal: Principal, id: String) async throws(DomainError) -> Bool {
        try principal.require(.admin)
        do { return try await store.delete(id: id) } catch { throw DomainError(error) }
    }
}

extension APIKey {
    /// Whether there can be such a key: made by Carillon or chosen, it consists of these characters.
    static func isPossible(_ key: String) -> Bool {
        KeyRecords.length.contains(key.utf8.count)
            && key.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
                    true
                default: false
                }
            }
    }

    /// By which a key that a client chose is looked up.
    static func chosenPrefix(hash: [UInt8]) -> String { "#" + Hex.encode(Array(hash.prefix(16))) }

    /// By which the key may be looked up, the likelier one first.
    static func lookUps(of key: String) -> [String] {
        let chosen = chosenPrefix(hash: hash(of: key))
        return isWellFormed(key) ? [String(key.prefix(prefixLength)), chosen] : [chosen]
    }
}

extension APIKey {
    /// Eight characters that are not given out twice.
    static func randomSuffix() throws -> String { Hex.encode(try RandomBytes.make(4)) }
}
