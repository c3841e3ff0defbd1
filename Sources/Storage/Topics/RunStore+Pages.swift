public import Domain
import PostgresClient
public import Timetable

// History by pages of offset and limit, as the Cronicle dialect reads it. What was taken out of a job's queue was never
// a job to that dialect and is not in the job's history. In the history of all it is: that would be counted by looking
// at every row there is.
extension RunStore {
    /// Ended runs, the one that ended last first.
    /// - Parameter job: nil: of all jobs.
    public func endedPage(of job: JobID?, offset: Int, limit: Int) async throws(StoreError) -> [Run] {
        let bounds: [PostgresValue?] = [Stores.page(limit), .int(Int64(max(0, offset)))]
        let statement =
            if let job {
                Statement(Self.pageOfJob, bounds[0], bounds[1], .text(job.rawValue))
            } else {
                Statement(Self.pageOfAll, bounds[0], bounds[1])
            }
        return try await access.query(statement, deadline: Stores.longDeadline).decode(RunRow.read)
    }

    public func endedCount(of job: JobID?) async throws(StoreError) -> Int64 {
        let statement = job.map { Statement(Self.countOfJob, .text($0.rawValue)) } ?? Statement(Self.countOfAll)
        return try await access.query(statement, deadline: Stores.longDeadline).first { try $0.integer() } ?? 0
    }

    /// The last try of each of the runs that has one, and the start of its first.
    public func lastAttempts(
        of runs: [RunID]
    ) async throws(StoreError) -> [RunID: (record: AttemptRecord, firstStart: Instant?)] {
        guard !runs.isEmpty else { return [:] }
        let records = try await access.query(
            Statement(Self.attemptsOfRuns, .textArray(runs.map(\.rawValue))), deadline: Stores.longDeadline
        ).decode(AttemptRow.read)
        var found: [RunID: (record: AttemptRecord, firstStart: Instant?)] = [:]
        for record in records {
            let first = found[record.attempt.run]?.firstStart ?? record.startedAt
            found[record.attempt.run] = (record, first)
        }
        return found
    }

    // MARK: Deleted records

    /// Which of the runs have had their record deleted.
    public func deleted(among runs: [RunID]) async throws(StoreError) -> Set<RunID> {
        guard !runs.isEmpty else { return [] }
        let found = try await access.query(
            Statement(Self.deletedRuns, .textArray(runs.map(\.rawValue))), deadline: Stores.deadline
        ).decode { RunID(try $0.text()) }
        return Set(found)
    }

    /// From now on the run is only a stub in history. Its log is gone at once.
    public func deleteRecord(of run: RunID, at now: Instant) async throws(StoreError) {
        _ = try await access.query(
            Statement(Self.deleteRun, .text(run.rawValue), .timestamp(microseconds: now.microseconds)),
            deadline: Stores.deadline)
    }

    // MARK: SQL

    private static let wasJob = "NOT (r.state = 'aborted' AND r.attempt = 0 AND r.offered_at IS NULL)"

    private static let pageOfJob = """
        SELECT \(RunRow.columns) FROM carillon.run_history r WHERE r.job_id = $3::text AND \(wasJob)
         ORDER BY r.finished_at DESC, r.id DESC LIMIT $1::int8 OFFSET $2::int8
        """

    private static let pageOfAll = """
        SELECT \(RunRow.columns) FROM carillon.run_history r
         ORDER BY r.finished_at DESC, r.id DESC LIMIT $1::int8 OFFSET $2::int8
        """

    private static let countOfJob = """
        SELECT count(*) FROM carillon.run_history r WHERE r.job_id = $1::text AND \(wasJob)
        """
    private static let countOfAll = "SELECT count(*) FROM carillon.run_history r"

    private static let attemptsOfRuns = """
        SELECT \(AttemptRow.columns) FROM carillon.attempts a WHERE a.run_id = ANY($1::text[])
         ORDER BY a.run_id, a.number, a.finished_at
        """

    private static let deletedRuns = "SELECT d.run_id FROM carillon.deleted_runs d WHERE d.run_id = ANY($1::text[])"

    private static let deleteRun = """
        INSERT INTO carillon.deleted_runs (run_id, deleted) VALUES ($1::text, $2::timestamptz)
        ON CONFLICT (run_id) DO NOTHING
        """
}
