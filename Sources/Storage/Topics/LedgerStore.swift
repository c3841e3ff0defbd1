public import Domain
import PostgresClient
public import Timetable

/// Reading the ledger: what became of each occurrence, and what the schedules demanded.
public struct LedgerStore: Sendable {
    let access: Access

    /// Eras that were in force at or after the instant, by job and version, after the given one.
    ///
    /// When an era began is not stored: its first occurrence says it (`firstIndex`).
    public func eras(
        from start: Instant, after position: JobVersion? = nil, limit: Int
    ) async throws(StoreError) -> [ScheduleEra] {
        try await access.query(
            Statement(
                Self.eras, .timestamp(microseconds: start.microseconds), .text(position?.job.rawValue ?? ""),
                .int(position?.version ?? .min), Stores.page(limit)),
            deadline: Stores.longDeadline
        ).decode(EraRow.read)
    }

    /// Entries that touch the indices, in the order of their first ones. To go on, ask from the last entry's first
    /// index plus one.
    public func entries(
        of job: JobVersion, from firstIndex: Int64 = .min, through lastIndex: Int64 = .max, limit: Int
    ) async throws(StoreError) -> [LedgerEntry] {
        try await access.query(
            Statement(
                Self.entries, .text(job.job.rawValue), .int(job.version), .int(firstIndex), .int(lastIndex),
                Stores.page(limit)),
            deadline: Stores.longDeadline
        ).decode(LedgerRow.read)
    }

    /// Occurrences by verdict, of entries that were recorded in `from..<to`.
    public func counts(recordedFrom from: Instant, to: Instant) async throws(StoreError) -> [Verdict: Int64] {
        let counts = try await access.query(
            Statement(
                Self.counts, .timestamp(microseconds: from.microseconds), .timestamp(microseconds: to.microseconds)),
            deadline: Stores.longDeadline
        ).decode { row in (try row.word(of: Verdict.self), try row.integer()) }
        return Dictionary(counts, uniquingKeysWith: { $0 &+ $1 })
    }

    // MARK: SQL

    private static let eras = """
        SELECT \(EraRow.columns) FROM carillon.eras e
         WHERE (e.closed IS NULL OR e.closed >= $1::timestamptz) AND (e.job_id, e.version) > ($2::text, $3::int8)
         ORDER BY e.job_id, e.version LIMIT $4::int8
        """

    /// The ranges of one version do not overlap, so that the last one that begins before the first index is the only
    /// one of them that can reach it.
    static let entries = """
        SELECT \(LedgerRow.columns) FROM carillon.ledger g
         WHERE g.job_id = $1::text AND g.version = $2::int8 AND g.first_index <= $4::int8 AND g.last_index >= $3::int8
         ORDER BY g.first_index, g.recorded LIMIT $5::int8
        """

    private static let counts = """
        SELECT g.verdict, sum(g.count)::int8 FROM carillon.ledger g
         WHERE g.recorded >= $1::timestamptz AND g.recorded < $2::timestamptz GROUP BY g.verdict
        """
}
