public import Domain
import PostgresClient

// Jobs in the order in which the Cronicle dialect lists them: the newest first.
extension JobStore {
    /// - Parameters:
    ///   - limit: nil: all that follow.
    ///   - filter: nil: of all jobs.
    public func newest(
        offset: Int = 0, limit: Int? = nil, of filter: JobFilter? = nil
    ) async throws(StoreError) -> [Job] {
        try await read(
            filter == nil ? Self.newestJobs : Self.newestOfSome,
            [.int(Int64(limit ?? Int(Int32.max))), .int(Int64(max(0, offset)))], filter)
    }

    /// The same rows, counted from the other end: the oldest but `offset`, still the newest of them first.
    public func newest(
        beforeOldest offset: Int, limit: Int, of filter: JobFilter? = nil
    ) async throws(StoreError) -> [Job] {
        try await read(
            filter == nil ? Self.oldestJobs : Self.oldestOfSome,
            [.int(Int64(max(0, limit))), .int(Int64(max(0, offset)))], filter)
    }

    /// The newest with exactly that title; a job without one has its name as title.
    public func titled(_ title: String) async throws(StoreError) -> Job? {
        try await access.query(Statement(Self.jobTitled, .text(title)), deadline: Stores.deadline).first(JobRow.read)
    }

    /// Those that follow a job in that order; nil: the first.
    public func newest(
        olderThan job: Job?, limit: Int, of filter: JobFilter? = nil
    ) async throws(StoreError) -> [Job] {
        guard let job else { return try await newest(limit: limit, of: filter) }
        return try await read(
            filter == nil ? Self.olderJobs : Self.olderOfSome,
            [.timestamp(microseconds: job.created.microseconds), .text(job.id.rawValue), Stores.page(limit)], filter)
    }

    /// All pairs of category and target that jobs have.
    public func places() async throws(StoreError) -> [JobPlace] {
        try await access.query(Statement(Self.allPlaces), deadline: Stores.longDeadline).decode { row in
            JobPlace(category: try row.text(), target: try row.text(), count: try row.integer())
        }
    }

    private func read(
        _ sql: String, _ values: [PostgresValue], _ filter: JobFilter?
    ) async throws(StoreError) -> [Job] {
        var values = values
        if let filter {
            values.append(filter.categories.map { .textArray($0) } ?? .null)
            values.append(filter.targets.map { .textArray($0) } ?? .null)
        }
        return try await access.query(Statement(sql, parameters: values), deadline: Stores.longDeadline)
            .decode(JobRow.read)
    }

    // MARK: SQL

    /// - Parameter first: number of the first of the two parameters.
    private static func among(_ alias: String, _ first: Int) -> String {
        """
        ($\(first)::text[] IS NULL OR \(alias).category = ANY ($\(first)::text[]))
           AND ($\(first + 1)::text[] IS NULL OR \(alias).target = ANY ($\(first + 1)::text[]))
        """
    }

    static let newestJobs = newest("")
    static let newestOfSome = newest("WHERE " + among("n", 3))

    /// What is skipped is looked at in the index alone.
    private static func newest(_ condition: String) -> String {
        """
        SELECT \(JobRow.columns) FROM (
            SELECT n.id FROM carillon.jobs n \(condition)
             ORDER BY n.created DESC, n.id DESC LIMIT $1::int8 OFFSET $2::int8
          ) AS page, \(ofPage)
        """
    }

    /// The rows of a page one by one: how long it is is not known when the statement is planned.
    private static let ofPage = """
        LATERAL (SELECT * FROM carillon.jobs x WHERE x.id = page.id LIMIT 1) AS j
         ORDER BY j.created DESC, j.id DESC
        """

    static let oldestJobs = oldest("")
    static let oldestOfSome = oldest("WHERE " + among("o", 3))

    private static func oldest(_ condition: String) -> String {
        """
        SELECT \(JobRow.columns) FROM (
            SELECT o.id FROM carillon.jobs o \(condition) ORDER BY o.created, o.id LIMIT $1::int8 OFFSET $2::int8
          ) AS page, \(ofPage)
        """
    }

    private static let olderJobs = older("")
    private static let olderOfSome = older("AND " + among("j", 4))

    private static func older(_ condition: String) -> String {
        """
        SELECT \(JobRow.columns) FROM carillon.jobs j WHERE (j.created, j.id) < ($1::timestamptz, $2::text) \(condition)
         ORDER BY j.created DESC, j.id DESC LIMIT $3::int8
        """
    }

    static let allPlaces = "SELECT p.category, p.target, count(*) FROM carillon.jobs p GROUP BY p.category, p.target"

    private static let jobTitled = """
        SELECT \(JobRow.columns) FROM carillon.jobs j
         WHERE coalesce(j.definition ->> 'title', j.name) = $1::text ORDER BY j.created DESC, j.id DESC LIMIT 1
        """
}
