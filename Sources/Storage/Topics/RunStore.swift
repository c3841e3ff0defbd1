public import Domain
import PostgresClient
public import Timetable

/// Reading runs and tries, active and ended.
public struct RunStore: Sendable {
    let access: Access

    /// Where a page of history ended: the next one goes on with older runs.
    public struct HistoryPosition: Hashable, Sendable {
        public var finishedAt: Instant
        public var run: RunID
        public init(finishedAt: Instant, run: RunID) {
            self.finishedAt = finishedAt
            self.run = run
        }
        /// Nil for a run that has not ended.
        public init?(after run: Run) {
            guard let finishedAt = run.finishedAt else { return nil }
            self.init(finishedAt: finishedAt, run: run.id)
        }
    }

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
}
