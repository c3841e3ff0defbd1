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

    /// Records that contradict each other, of what was due in the closed range.
    public func contradictions(
        from: Instant, through: Instant, limit: Int
    ) async throws(StoreError) -> [LedgerContradiction] {
        try await access.query(
            Statement(
                Self.contradictions, .timestamp(microseconds: from.microseconds),
                .timestamp(microseconds: through.microseconds), Stores.page(limit)),
            deadline: Stores.longDeadline
        ).decode { row in
            LedgerContradiction(
                finding: try row.text(), jobName: try row.text(), run: RunID(try row.text()), due: try row.instant())
        }
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

    /// What a job with full catch-up has not decided yet waits for its turn and is no hole: its era ends, for this,
    /// where the job stands.
    private static let eras = """
        SELECT \(EraRow.columns)
          FROM carillon.eras e
          LEFT JOIN carillon.jobs j ON j.id = e.job_id AND j.version = e.version
                                   AND j.definition ->> 'catch_up' = 'all' AND e.closed IS NULL
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

    /// All three in one statement, which sees the tables at one instant. No index serves the second and the third: they
    /// read what was due in the range.
    private static let contradictions = """
        WITH every AS MATERIALIZED (
          SELECT r.id, r.job_id, r.job_name, r.cause, r.lane, r.due FROM carillon.runs r
           WHERE r.due >= $1::timestamptz AND r.due <= $2::timestamptz
          UNION ALL
          SELECT h.id, h.job_id, h.job_name, h.cause, h.lane, h.due FROM carillon.run_history h
           WHERE h.due >= $1::timestamptz AND h.due <= $2::timestamptz
        )
        SELECT '\(LedgerContradiction.noRun)', g.job_name, coalesce(g.run_id, ''), g.first_due
          FROM carillon.ledger g
         WHERE g.verdict = '\(Verdict.launched.rawValue)'
           AND g.first_due >= $1::timestamptz AND g.first_due <= $2::timestamptz
           AND NOT EXISTS (SELECT FROM every e WHERE e.id = g.run_id)
        UNION ALL
        SELECT '\(LedgerContradiction.twoRuns)', max(e.job_name), max(e.id), max(e.due)
          FROM every e GROUP BY e.job_id, e.cause, e.lane HAVING count(DISTINCT e.id) > 1
        UNION ALL
        SELECT '\(LedgerContradiction.twoStarts)', max(e.job_name), e.id, max(e.due)
          FROM every e JOIN carillon.attempts a ON a.run_id = e.id
         GROUP BY e.id, a.number HAVING count(DISTINCT a.worker) > 1
        LIMIT $3::int8
        """

    private static let counts = """
        SELECT g.verdict, sum(g.count)::int8 FROM carillon.ledger g
         WHERE g.recorded >= $1::timestamptz AND g.recorded < $2::timestamptz GROUP BY g.verdict
        """
}

/// What cannot be if each launched occurrence has one run and each of its tries one start.
public struct LedgerContradiction: Hashable, Sendable {
    public static let noRun = "no run"
    public static let twoRuns = "two runs"
    /// Two workers have reported on the same try.
    public static let twoStarts = "two starts"

    /// One of the above.
    public var finding: String
    public var jobName: String
    public var run: RunID
    public var due: Instant
}
