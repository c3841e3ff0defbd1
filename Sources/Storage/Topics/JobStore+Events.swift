public import Domain
import PostgresClient

// Jobs in the order in which the Cronicle dialect lists them: the newest first.
extension JobStore {
    /// - Parameter limit: nil: all that follow.
    public func newest(offset: Int = 0, limit: Int? = nil) async throws(StoreError) -> [Job] {
        try await access.query(
            Statement(Self.newestJobs, .int(Int64(limit ?? Int(Int32.max))), .int(Int64(max(0, offset)))),
            deadline: Stores.longDeadline
        ).decode(JobRow.read)
    }

    /// The same rows, counted from the other end: the oldest but `offset`, still the newest of them first.
    public func newest(beforeOldest offset: Int, limit: Int) async throws(StoreError) -> [Job] {
        try await access.query(
            Statement(Self.oldestJobs, .int(Int64(max(0, limit))), .int(Int64(max(0, offset)))),
            deadline: Stores.longDeadline
        ).decode(JobRow.read)
    }

    /// The newest with exactly that title; a job without one has its name as title.
    public func titled(_ title: String) async throws(StoreError) -> Job? {
        try await access.query(Statement(Self.jobTitled, .text(title)), deadline: Stores.deadline).first(JobRow.read)
    }

    /// Those that follow a job in that order; nil: the first.
    public func newest(olderThan job: Job?, limit: Int) async throws(StoreError) -> [Job] {
        guard let job else { return try await newest(limit: limit) }
        return try await access.query(
            Statement(
                Self.olderJobs, .timestamp(microseconds: job.created.microseconds), .text(job.id.rawValue),
                Stores.page(limit)), deadline: Stores.longDeadline
        ).decode(JobRow.read)
    }

    /// What is skipped is looked at in the index alone.
    private static let newestJobs = """
        SELECT \(JobRow.columns) FROM (
            SELECT n.id FROM carillon.jobs n ORDER BY n.created DESC, n.id DESC LIMIT $1::int8 OFFSET $2::int8
          ) AS page JOIN carillon.jobs j ON j.id = page.id
         ORDER BY j.created DESC, j.id DESC
        """

    private static let oldestJobs = """
        SELECT \(JobRow.columns) FROM (
            SELECT o.id FROM carillon.jobs o ORDER BY o.created, o.id LIMIT $1::int8 OFFSET $2::int8
          ) AS page JOIN carillon.jobs j ON j.id = page.id
         ORDER BY j.created DESC, j.id DESC
        """

    private static let olderJobs = """
        SELECT \(JobRow.columns) FROM carillon.jobs j WHERE (j.created, j.id) < ($1::timestamptz, $2::text)
         ORDER BY j.created DESC, j.id DESC LIMIT $3::int8
        """

    private static let jobTitled = """
        SELECT \(JobRow.columns) FROM carillon.jobs j
         WHERE coalesce(j.definition ->> 'title', j.name) = $1::text ORDER BY j.created DESC, j.id DESC LIMIT 1
        """
}
