public import Domain
import PostgresClient
public import Timetable

/// What people and programs did. Entries are JSON texts of the dialect that lists them.
public struct ActivityStore: Sendable {
    let access: Access

    public struct Entry: Hashable, Sendable {
        public var at: Instant
        public var text: String
        public init(at: Instant, text: String) {
            self.at = at
            self.text = text
        }
    }

    public func append(_ entry: Entry) async throws(StoreError) {
        _ = try await access.query(
            Statement(Self.insert, .timestamp(microseconds: entry.at.microseconds), .text(entry.text)),
            deadline: Stores.deadline)
    }

    /// Newest first.
    public func page(offset: Int, limit: Int) async throws(StoreError) -> [Entry] {
        try await access.query(
            Statement(Self.select, Stores.page(limit), .int(Int64(max(0, offset)))), deadline: Stores.deadline
        ).decode { row in Entry(at: try row.instant(), text: try row.text()) }
    }

    public func count() async throws(StoreError) -> Int64 {
        try await access.query(Statement("SELECT count(*) FROM carillon.activity"), deadline: Stores.deadline)
            .first { try $0.integer() } ?? 0
    }

    /// Drops what is older than the instant, and all but the newest entries.
    public func purge(before: Instant, keeping: Int) async throws(StoreError) {
        _ = try await access.query(
            Statement(Self.drop, .timestamp(microseconds: before.microseconds), .int(Int64(keeping))),
            deadline: Stores.longDeadline)
    }

    private static let insert = "INSERT INTO carillon.activity (at, entry) VALUES ($1::timestamptz, $2::text)"

    private static let select = """
        SELECT a.at, a.entry FROM carillon.activity a ORDER BY a.number DESC LIMIT $1::int8 OFFSET $2::int8
        """

    private static let drop = """
        DELETE FROM carillon.activity WHERE at < $1::timestamptz
           OR number <= (SELECT max(a.number) FROM carillon.activity a) - $2::int8
        """
}
