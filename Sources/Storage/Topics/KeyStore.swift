public import Domain
import PostgresClient
public import Timetable

/// API keys. Only hashes are kept; a key is looked up by its public prefix and compared by the caller.
public struct KeyStore: Sendable {
    let access: Access

    public struct Entry: Hashable, Sendable {
        public var key: StoredKey
        public var created: Instant
        /// As of the last `touch`.
        public var lastUsed: Instant?
        public init(key: StoredKey, created: Instant, lastUsed: Instant?) {
            self.key = key
            self.created = created
            self.lastUsed = lastUsed
        }
    }

    /// - Throws: `.conflict` when the prefix is taken: make another key.
    public func insert(_ key: StoredKey, created: Instant) async throws(StoreError) {
        _ = try await access.query(
            Statement(
                Self.insertKey, .text(key.prefix), .bytes(key.hash), .text(key.title),
                .textArray(key.privileges.map(\.rawValue).sorted()), .bool(key.isActive),
                .timestamp(microseconds: created.microseconds)),
            deadline: Stores.deadline)
    }

    /// Revoked keys too: the caller decides, so that known and unknown keys take the same time.
    public func find(prefix: String) async throws(StoreError) -> StoredKey? {
        try await access.query(Statement(Self.findKey, .text(prefix)), deadline: Stores.deadline).first(Self.read)?.key
    }

    /// Oldest first.
    public func list() async throws(StoreError) -> [Entry] {
        try await access.query(Statement(Self.listKeys), deadline: Stores.deadline).decode(Self.read)
    }

    /// - Returns: whether there is such a key; revoking twice is no error.
    public func revoke(prefix: String) async throws(StoreError) -> Bool {
        let result = try await access.query(Statement(Self.revokeKey, .text(prefix)), deadline: Stores.deadline)
        return result.affected > 0
    }

    /// Notes the use of a key, once a minute at most: it is for people, and not worth a write a request.
    public func touch(prefix: String, at now: Instant) async throws(StoreError) {
        _ = try await access.query(
            Statement(Self.touchKey, .text(prefix), .timestamp(microseconds: now.microseconds)),
            deadline: Stores.deadline)
    }

    /// A privilege that this release does not know gives nothing.
    private static func read(_ row: inout RowReader) throws -> Entry {
        let prefix = try row.text()
        let hash = try row.bytes()
        let title = try row.text()
        let privileges = try row.texts().compactMap { Privilege(rawValue: $0) }
        let key = StoredKey(
            prefix: prefix, hash: hash, title: title, privileges: Set(privileges), isActive: try row.bool())
        return Entry(key: key, created: try row.instant(), lastUsed: try row.optionalInstant())
    }

    // MARK: SQL

    private static let columns = "k.prefix, k.hash, k.title, k.privileges, k.active, k.created, k.last_used"

    private static let insertKey = """
        INSERT INTO carillon.api_keys (prefix, hash, title, privileges, active, created)
        VALUES ($1::text, $2::bytea, $3::text, $4::text[], $5::bool, $6::timestamptz)
        """

    private static let findKey = "SELECT \(columns) FROM carillon.api_keys k WHERE k.prefix = $1::text"

    private static let listKeys = """
        SELECT \(columns) FROM carillon.api_keys k ORDER BY k.created, k.prefix LIMIT \(StorageLimits.page)
        """

    private static let revokeKey = "UPDATE carillon.api_keys SET active = false WHERE prefix = $1::text"

    private static let touchKey = """
        UPDATE carillon.api_keys SET last_used = $2::timestamptz
         WHERE prefix = $1::text AND (last_used IS NULL OR last_used < $2::timestamptz - interval '1 minute')
        """
}
