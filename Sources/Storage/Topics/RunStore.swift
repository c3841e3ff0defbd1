public import Domain
import PostgresClient
import Timetable

/// Reading runs and tries, active and ended.
public struct RunStore: Sendable {
    let access: Access

    /// Runs of a job that have not ended, oldest first.
    public func active(of job: JobID) async throws(StoreError) -> [Run] {
        try await access.query(Statement(Self.activeOfJob, .text(job.rawValue)), deadline: Stores.deadline)
            .decode(RunRow.read)
    }

    /// All runs that have not ended, oldest first; at most `Limits.activeRuns`.
    public func active() async throws(StoreError) -> [Run] {
        try await access.query(Statement(Self.active, .int(Int64(Limits.activeRuns))), deadline: Stores.longDeadline)
            .decode(RunRow.read)
    }

    /// Ended runs of a job, the one that ended last first.
    public func history(
        of job: JobID, before position: HistoryPosition? = nil, limit: Int
    ) async throws(StoreError) -> [Run] {
        try await access.query(
            Statement(
                Self.historyOfJob, .text(job.rawValue),
                .timestamp(microseconds: (position?.finishedAt ?? .distantFuture).microseconds),
                .text(position?.run.rawValue ?? "~"), Stores.page(limit)),
            deadline: Stores.deadline
        ).decode(RunRow.read)
    }

    /// A run, active or ended; nil if there is none, or no longer.
    public func run(_ id: RunID) async throws(StoreError) -> Run? {
        try await access.query(Statement(Self.oneRun, .text(id.rawValue)), deadline: Stores.deadline)
            .first(RunRow.read)
    }

    /// Tries of a run that have ended, first one first.
    public func attempts(of run: RunID) async throws(StoreError) -> [AttemptRecord] {
        try await access.query(Statement(Self.attemptsOfRun, .text(run.rawValue)), deadline: Stores.deadline)
            .decode(AttemptRow.read)
    }

    /// Tries of these runs that have ended, by run and number.
    public func attempts(of runs: [Run]) async throws(StoreError) -> [AttemptRecord] {
        guard let earliest = runs.map(\.due).min() else { return [] }
        return try await access.query(
            Statement(
                Self.attemptsOfTheseRuns, .textArray(runs.map(\.id.rawValue)),
                .timestamp(microseconds: earliest.advanced(by: .zero - Self.clockError).microseconds)),
            deadline: Stores.deadline
        ).decode(AttemptRow.read)
    }

    /// The run of a job that was due within that millisecond, active or ended.
    public func run(of job: JobID, dueMilliseconds: Int64) async throws(StoreError) -> Run? {
        let due = Instant(milliseconds: dueMilliseconds)
        return try await access.query(
            Statement(
                Self.runDueAt, .text(job.rawValue), .timestamp(microseconds: due.microseconds),
                .timestamp(microseconds: due.advanced(by: .milliseconds(1)).microseconds),
                .timestamp(microseconds: due.advanced(by: .zero - Self.clockError).microseconds)),
            deadline: Stores.deadline
        ).first(RunRow.read)
    }

    /// By how much a worker's clock may be behind for its reports to be found: nothing ends before it is due, so that
    /// older partitions are not read.
    private static let clockError = Duration.seconds(86_400)

    // MARK: SQL

    static let activeOfJob = "SELECT \(RunRow.columns) FROM carillon.runs r WHERE r.job_id = $1::text ORDER BY r.id"

    private static let active = "SELECT \(RunRow.columns) FROM carillon.runs r ORDER BY r.id LIMIT $1::int8"

    /// A keyset, so that page 1,000 costs what page 1 costs. "~" sorts after every identifier.
    static let historyOfJob = """
        SELECT \(RunRow.columns) FROM carillon.run_history r
         WHERE r.job_id = $1::text AND (r.finished_at, r.id) < ($2::timestamptz, $3::text)
         ORDER BY r.finished_at DESC, r.id DESC LIMIT $4::int8
        """

    private static let oneRun = """
        SELECT \(RunRow.columns) FROM carillon.runs r WHERE r.id = $1::text
        UNION ALL
        SELECT \(RunRow.columns) FROM carillon.run_history r WHERE r.id = $1::text
         LIMIT 1
        """

    private static let attemptsOfRun = """
        SELECT \(AttemptRow.columns) FROM carillon.attempts a WHERE a.run_id = $1::text ORDER BY a.number, a.finished_at
        """

    static let attemptsOfTheseRuns = """
        SELECT \(AttemptRow.columns) FROM carillon.attempts a
         WHERE a.run_id = ANY ($1::text[]) AND a.finished_at >= $2::timestamptz
         ORDER BY a.run_id, a.number, a.finished_at
        """

    static let runDueAt = """
        SELECT \(RunRow.columns) FROM carillon.runs r
         WHERE r.job_id = $1::text AND r.due >= $2::timestamptz AND r.due < $3::timestamptz
        UNION ALL
        SELECT \(RunRow.columns) FROM carillon.run_history r
         WHERE r.job_id = $1::text AND r.due >= $2::timestamptz AND r.due < $3::timestamptz
           AND r.finished_at >= $4::timestamptz
         LIMIT 1
        """
}
