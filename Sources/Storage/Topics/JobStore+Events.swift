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

    /// The newest with exactly that title; a job without one has its name as title.
    public func titled(_ title: String) async throws(StoreError) -> Job? {
        try await access.query(Statement(Self.jobTitled, .text(title)), deadline: Stores.deadline).first(JobRow.read)
    }

    private static let newestJobs = """
        SELECT \(JobRow.columns) FROM carillon.jobs j ORDER BY j.created DESC, j.id DESC
         LIMIT $1::int8 OFFSET $2::int8
        """

    private static let jobTitled = """
        SELECT \(JobRow.columns) FROM carillon.jobs j
         WHERE coalesce(j.definition ->> 'title', j.name) = $1::text ORDER BY j.created DESC, j.id DESC LIMIT 1
        """
}
