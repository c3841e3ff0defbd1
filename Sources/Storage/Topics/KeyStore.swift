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

    /// A key with what is managed of it.
    public struct Record: Hashable, Sendable {
        public var key: StoredKey
        /// Names of all privileges, those of categories and groups among them.
        public var granted: [String]
        /// What may be shown of the key's text.
        public var shown: String
        public var description: String
        /// Who made it.
        public var username: String
        /// JSON object text of what else a dialect keeps of a key.
        public var fields: String
        public var created: Instant
        public var modified: Instant
        public init(
            key: StoredKey, granted: [String], shown: String, description: String = "", username: String = "",
            fields: String = "{}", created: Instant, modified: Instant
        ) {
            self.key = key
            self.granted = granted
            self.shown = shown
            self.description = description
            self.username = username
            self.fields = fields
            self.created = created
            self.modified = modified
        }
    }

    /// - Throws: `.conflict` when the prefix is taken: make another key.
    public func insert(_ key: StoredKey, created: Instant) async throws(StoreError) {
        var key = key
        if key.id.isEmpty { key.id = Self.identifier(of: key) }
        try await insert(
            Record(
                key: key, granted: key.privileges.map(\.rawValue).sorted(), shown: key.prefix + "…",
                username: key.username, created: created, modified: created))
    }

    /// - Throws: `.conflict` when the key or its identifier is in use.
    public func insert(_ record: Record) async throws(StoreError) {
        _ = try await access.query(
            Statement(
                Self.insertKey, .text(record.key.prefix), .bytes(record.key.hash), .text(record.key.title),
                .textArray(record.granted), .bool(record.key.isActive),
                .timestamp(microseconds: record.created.microseconds), .text(record.key.id), .text(record.shown),
                .text(record.description), .text(record.username), .text(record.fields),
                .timestamp(microseconds: record.modified.microseconds)),
            deadline: Stores.deadline)
    }

    /// From the hash, which no two keys share.
    public static func identifier(of key: StoredKey) -> String {
        let digits = Array("0123456789abcdefghijklmnopqrstuvwxyz".utf8)
        return "k" + String(decoding: key.hash.prefix(12).map { digits[Int($0) % digits.count] }, as: UTF8.self)
    }

    /// Newest first.
    public func records() async throws(StoreError) -> [Record] {
        try await access.query(Statement(Self.listRecords), deadline: Stores.deadline).decode(Self.readRecord)
    }

    public func record(id: String) async throws(StoreError) -> Record? {
        try await access.query(Statement(Self.findRecord, .text(id)), deadline: Stores.deadline)
            .first(Self.readRecord)
    }

    /// Everything but the key itself.
    /// - Returns: whether there is such a key.
    public func update(_ record: Record) async throws(StoreError) -> Bool {
        try await access.query(
            Statement(
                Self.updateKey, .text(record.key.id), .text(record.key.title), .textArray(record.granted),
                .bool(record.key.isActive), .text(record.description), .text(record.fields),
                .timestamp(microseconds: record.modified.microseconds)),
            deadline: Stores.deadline
        ).affected > 0
    }

    public func delete(id: String) async throws(StoreError) -> Bool {
        try await access.query(Statement(Self.deleteKey, .text(id)), deadline: Stores.deadline).affected > 0
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
        let granted = try row.texts()
        let privileges = granted.compactMap { Privilege(rawValue: $0) }
        var key = StoredKey(
            prefix: prefix, hash: hash, title: title, privileges: Set(privileges), isActive: try row.bool())
        key.limits = AccessLimits(names: granted)
        let created = try row.instant()
        let lastUsed = try row.optionalInstant()
        key.id = try row.text()
        key.username = try row.text()
        return Entry(key: key, created: created, lastUsed: lastUsed)
    }

    private static func readRecord(_ row: inout RowReader) throws -> Record {
        let prefix = try row.text()
        let hash = try row.bytes()
        let title = try row.text()
        let granted = try row.texts()
        var key = StoredKey(
            prefix: prefix, hash: hash, title: title, privileges: Set(granted.compactMap { Privilege(rawValue: $0) }),
            isActive: try row.bool())
        key.limits = AccessLimits(names: granted)
        let created = try row.instant()
        _ = try row.optionalInstant()
        key.id = try row.text()
        key.username = try row.text()
        return Record(
            key: key, granted: granted, shown: try row.text(), description: try row.text(), username: key.username,
            fields: try row.text(), created: created, modified: try row.instant())
    }

    // MARK: SQL

    /// A node of an earlier release makes keys without the later columns.
    private static let columns = """
        k.prefix, k.hash, k.title, k.privileges, k.active, k.created, k.last_used, \
        coalesce(k.id, 'k' || substr(md5(k.prefix), 1, 12)), k.username
        """
    private static let recordColumns = """
        \(columns), k.shown, k.description, k.fields, coalesce(k.modified, k.created)
        """

    private static let insertKey = """
        INSERT INTO carillon.api_keys
          (prefix, hash, title, privileges, active, created, id, shown, description, username, fields, modified)
        VALUES ($1::text, $2::bytea, $3::text, $4::text[], $5::bool, $6::timestamptz, $7::text, $8::text, $9::text,
          $10::text, $11::text, $12::timestamptz)
        """

    private static let listRecords = """
        SELECT \(recordColumns) FROM carillon.api_keys k ORDER BY k.created DESC, k.prefix LIMIT \(StorageLimits.page)
        """

    private static let findRecord = "SELECT \(recordColumns) FROM carillon.api_keys k WHERE k.id = $1::text"

    private static let updateKey = """
        UPDATE carillon.api_keys SET title = $2::text, privileges = $3::text[], active = $4::bool,
          description = $5::text, fields = $6::text, modified = $7::timestamptz
         WHERE id = $1::text
        """

    private static let deleteKey = "DELETE FROM carillon.api_keys WHERE id = $1::text"

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
