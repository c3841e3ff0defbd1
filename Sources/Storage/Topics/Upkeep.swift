public import Domain
import PostgresClient
public import Timetable

/// Makes the partitions of the next days, and drops what is older than the retention. Any node may call it, at any
/// time.
public struct Upkeep: Sendable {
    let access: Access

    /// Partitions are made for today and this many days ahead.
    static let daysAhead: Int64 = 7
    static let deadline: Duration = .seconds(60)

    /// Each table is a transaction of its own, so that a commit of the leader waits for one at most, and briefly:
    /// attaching and dropping give up on a lock after half a second, and are tried again at the next call.
    /// - Returns: partitions that were made or dropped.
    @discardableResult
    public func maintain(now: Instant, retention: Retention) async throws(StoreError) -> Int {
        var changed: Int64 = 0
        for (table, column, age) in Self.partitioned {
            let cutoff = now.advanced(by: .zero - retention[keyPath: age])
            let results = try await access.transaction(
                [
                    Statement(Self.lock, .int(Schema.lockSpace), .int(Schema.upkeepLock)),
                    Statement(
                        Self.keep, .text(table), .text(column), .timestamp(microseconds: now.microseconds),
                        .int(Self.daysAhead), .timestamp(microseconds: cutoff.microseconds)),
                ], deadline: Self.deadline)
            changed += try results[1].first { try $0.integer() } ?? 0
        }
        let cutoff = now.advanced(by: .zero - retention.history)
        let verdicts = now.advanced(by: .zero - retention.ledger)
        let references = now.advanced(by: .zero - retention.longest)
        _ = try await access.transaction(
            [
                Statement(Self.dropEras, .timestamp(microseconds: verdicts.microseconds)),
                Statement(Self.dropVersions, .timestamp(microseconds: references.microseconds)),
                Statement(Self.dropNodes, .timestamp(microseconds: cutoff.microseconds)),
                Statement(Self.dropDeleted, .timestamp(microseconds: cutoff.microseconds)),
                Statement(Self.dropSessions, .timestamp(microseconds: now.microseconds)),
                Statement(Self.dropActivity, .timestamp(microseconds: cutoff.microseconds)),
                Statement(OutboxStore.dropBuried, .timestamp(microseconds: cutoff.microseconds)),
                Statement(Self.dropProgress, .timestamp(microseconds: cutoff.microseconds)),
            ], deadline: Self.deadline)
        return Int(changed)
    }

    // MARK: SQL

    private static var partitioned: [(table: String, column: String, age: KeyPath<Retention, Duration>)] {
        [
            ("run_history", "finished_at", \.history), ("attempts", "finished_at", \.history),
            ("ledger", "recorded", \.ledger), ("run_logs", "finished_at", \.logs),
        ]
    }

    private static let lock = "SELECT pg_advisory_xact_lock($1::int4, $2::int4)"

    private static let keep = """
        SELECT carillon.keep_partitions($1::text, $2::text, $3::timestamptz, $4::int4, $5::timestamptz)::int8
        """

    private static let dropEras = "DELETE FROM carillon.eras WHERE closed < $1::timestamptz"

    /// A run that goes on for longer than the retention keeps its definition.
    private static let dropVersions = """
        DELETE FROM carillon.job_versions v WHERE v.superseded < $1::timestamptz
           AND NOT EXISTS (SELECT FROM carillon.runs r WHERE r.job_id = v.job_id AND r.job_version = v.version)
        """

    /// A run's record is gone by then: it ended before it was deleted.
    private static let dropDeleted = "DELETE FROM carillon.deleted_runs WHERE deleted < $1::timestamptz"

    private static let dropSessions = "DELETE FROM carillon.sessions WHERE expires < $1::timestamptz"

    private static let dropActivity = "DELETE FROM carillon.activity WHERE at < $1::timestamptz"

    private static let dropNodes = "DELETE FROM carillon.nodes WHERE seen < $1::timestamptz"

    private static let dropProgress = "DELETE FROM carillon.task_progress WHERE updated < $1::timestamptz"
}
