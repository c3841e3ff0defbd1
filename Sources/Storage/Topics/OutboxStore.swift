public import Domain
import DomainCoding
import JSON
import PostgresClient
public import Timetable

/// Messages that wait to be sent. A message leaves the table when somebody has taken it, so that whoever is interrupted
/// between the two sends it again: at least once.
public struct OutboxStore: Sendable {
    let access: Access

    public struct Waiting: Sendable {
        public var message: OutboxMessage
        /// Of the job, from before what the message tells of.
        public var counters: JobCounters
        public var created: Instant
        /// Tries that have failed.
        public var tries: Int
    }

    /// Those whose time has come, oldest first.
    public func due(now: Instant, limit: Int) async throws(StoreError) -> [Waiting] {
        try await access.query(
            Statement(Self.dueMessages, .timestamp(microseconds: now.microseconds), Stores.page(limit)),
            deadline: Stores.deadline
        ).decode { row in
            let id = try row.text()
            let channel = try row.word(of: NotificationChannel.self)
            let destination = try row.text()
            let notice = try NoticeCoding.decode(try row.json())
            let counters = try NoticeCoding.decodeCounters(try row.json())
            return Waiting(
                message: OutboxMessage(id: id, channel: channel, destination: destination, notice: notice),
                counters: counters, created: try row.instant(), tries: try row.int())
        }
    }

    public func sent(_ ids: [String]) async throws(StoreError) {
        _ = try await access.query(
            Statement("DELETE FROM carillon.outbox WHERE id = ANY ($1::text[])", .textArray(ids)),
            deadline: Stores.deadline)
    }

    /// A try has failed; the next one comes at `retry`, or never (nil): then the message stays for `carillon doctor`
    /// until the retention takes it.
    public func failed(_ id: String, error: String, retry: Instant?, now: Instant) async throws(StoreError) {
        _ = try await access.query(
            Statement(
                Self.failedMessage, .text(id), .text(String(error.prefix(1_000)).withoutNUL),
                (retry?.microseconds).map { .timestamp(microseconds: $0) },
                .timestamp(microseconds: now.microseconds)),
            deadline: Stores.deadline)
    }

    public struct Depth: Hashable, Sendable {
        public var waiting: Int64
        public var buried: Int64
    }

    public func depth() async throws(StoreError) -> Depth {
        try await access.query(Statement(Self.countMessages), deadline: Stores.deadline)
            .first { Depth(waiting: try $0.integer(), buried: try $0.integer()) } ?? Depth(waiting: 0, buried: 0)
    }

    // MARK: SQL

    private static let dueMessages = """
        SELECT o.id, o.channel, o.destination, o.notice::text, o.counters::text, o.created, o.tries
          FROM carillon.outbox o WHERE o.buried IS NULL AND o.due <= $1::timestamptz
         ORDER BY o.due, o.id LIMIT $2::int8
        """

    private static let failedMessage = """
        UPDATE carillon.outbox SET tries = tries + 1, error = $2::text, due = coalesce($3::timestamptz, due),
               buried = CASE WHEN $3::timestamptz IS NULL THEN $4::timestamptz END
         WHERE id = $1::text
        """

    private static let countMessages = """
        SELECT count(*) FILTER (WHERE buried IS NULL)::int8, count(*) FILTER (WHERE buried IS NOT NULL)::int8
          FROM carillon.outbox
        """

    static let dropBuried = "DELETE FROM carillon.outbox WHERE buried < $1::timestamptz"
}
