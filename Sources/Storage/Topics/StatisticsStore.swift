public import Domain
import PostgresClient

/// Figures over many runs. Nothing is kept for them beside an index on the successes of a job: what is asked for is
/// computed from history, for as many runs as Chronos' reservoir has.
public struct StatisticsStore: Sendable {
    let access: Access

    /// Jobs in one question for durations; more are asked for in several.
    static let jobsPerQuery = 1_000

    /// What has not ended, of each job that has such runs.
    public func activity() async throws(StoreError) -> [JobID: JobActivity] {
        let rows = try await access.query(Statement(Self.activity), deadline: Stores.longDeadline)
            .decode { row in
                let job = JobID(try row.text())
                return (job, JobActivity(started: try row.int(), waiting: try row.int(), urgent: try row.int()))
            }
        return Dictionary(rows, uniquingKeysWith: { first, _ in first })
    }

    /// All jobs by name, by code points.
    public func marks() async throws(StoreError) -> [JobMark] {
        try await access.query(Statement(Self.marks), deadline: Stores.longDeadline).decode { row in
            var mark = JobMark(
                id: JobID(try row.text()), name: try row.text(), version: try row.integer(), counters: .init())
            mark.counters.successes = try row.integer()
            mark.counters.errors = try row.integer()
            mark.counters.errorsSinceLastSuccess = try row.integer()
            mark.counters.lastSuccess = try row.optionalInstant()
            mark.counters.lastError = try row.optionalInstant()
            return mark
        }
    }

    /// Of those of the jobs that have successes in history.
    public func durations(of jobs: [JobID]) async throws(StoreError) -> [JobID: RunDurations] {
        var found: [JobID: RunDurations] = [:]
        var rest = jobs[...]
        while !rest.isEmpty {
            let ids = rest.prefix(Self.jobsPerQuery)
            rest = rest.dropFirst(ids.count)
            let rows = try await access.query(
                Statement(
                    Self.durations, .textArray(ids.map(\.rawValue)), .int(Int64(RunDurations.sampleSize)),
                    .doubleArray(RunDurations.quantileLevels)),
                deadline: Stores.longDeadline
            ).decode(Self.durations)
            for (job, durations) in rows { found[job] = durations }
        }
        return found
    }

    private static func durations(_ row: inout RowReader) throws -> (JobID, RunDurations) {
        let job = JobID(try row.text())
        return (
            job,
            RunDurations(
                count: try row.integer(), mean: try row.double(), minimum: try row.double(),
                maximum: try row.double(), deviation: try row.double(),
                quantiles: try row.texts().map { Double($0) ?? 0 })
        )
    }

    // MARK: SQL

    static let activity = """
        SELECT r.job_id, count(*) FILTER (WHERE r.state = 'started'), count(*) FILTER (WHERE r.state <> 'started'),
               count(*) FILTER (WHERE r.state <> 'started' AND r.high_priority)
          FROM carillon.runs r GROUP BY r.job_id
        """

    static let marks = """
        SELECT j.id, j.name, j.version, j.successes, j.errors, j.errors_since_success, j.last_success, j.last_error
          FROM carillon.jobs j ORDER BY j.name COLLATE "C"
        """

    /// The index on successes gives each job's last ones in each partition; no row of history itself is read. Two
    /// clocks can disagree where a client reported the end: no run takes less than nothing.
    static let durations = """
        SELECT i.id, s.count, s.mean, s.minimum, s.maximum, s.deviation, s.quantiles::text[]
          FROM unnest($1::text[]) AS i(id)
         CROSS JOIN LATERAL (
           SELECT count(*) AS count, avg(t.ms) AS mean, min(t.ms) AS minimum, max(t.ms) AS maximum,
                  stddev_pop(t.ms) AS deviation, percentile_cont($3::float8[]) WITHIN GROUP (ORDER BY t.ms) AS quantiles
             FROM (
               SELECT greatest(0, 1000 * extract(epoch FROM h.finished_at - h.started_at))::float8 AS ms
                 FROM carillon.run_history h
                WHERE h.job_id = i.id AND h.state = 'succeeded' AND h.started_at IS NOT NULL
                ORDER BY h.finished_at DESC LIMIT $2::int8
             ) t
         ) s
         WHERE s.count > 0
        """
}
