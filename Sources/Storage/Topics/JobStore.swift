public import Domain
import DomainCoding
import PostgresClient

/// Reading jobs. They are written by the leader's commits only.
public struct JobStore: Sendable {
    let access: Access

    /// What a search asks for. Texts are substrings, upper and lower case alike; empty ones ask for nothing.
    public struct Search: Hashable, Sendable {
        public var name: String
        public var command: String
        /// In the name or in the command.
        public var any: String
        public init(name: String = "", command: String = "", any: String = "") {
            self.name = name
            self.command = command
            self.any = any
        }
    }

    /// All jobs by name, by code points.
    public func all() async throws(StoreError) -> [Job] {
        try await access.query(Statement(Self.allJobs), deadline: Stores.longDeadline).decode(JobRow.read)
    }

    public func job(named name: String) async throws(StoreError) -> Job? {
        try await access.query(Statement(Self.jobNamed, .text(name)), deadline: Stores.deadline).first(JobRow.read)
    }

    public func job(_ id: JobID) async throws(StoreError) -> Job? {
        try await access.query(Statement(Self.jobByID, .text(id.rawValue)), deadline: Stores.deadline)
            .first(JobRow.read)
    }

    /// Jobs that satisfy all that is asked for, by name.
    public func search(_ search: Search, limit: Int, offset: Int = 0) async throws(StoreError) -> [Job] {
        try await access.query(
            Statement(
                Self.searchJobs, .text(search.name), .text(search.command), .text(search.any), Stores.page(limit),
                .int(Int64(max(0, offset)))),
            deadline: Stores.deadline
        ).decode(JobRow.read)
    }

    public func count() async throws(StoreError) -> Int64 {
        try await access.query(Statement("SELECT count(*) FROM carillon.jobs"), deadline: Stores.deadline)
            .first { try $0.integer() } ?? 0
    }

    /// The definition that runs of that version were launched with; nil once upkeep has dropped it.
    public func definition(_ version: JobVersion) async throws(StoreError) -> JobDefinition? {
        try await access.query(
            Statement(Self.definition, .text(version.job.rawValue), .int(version.version)), deadline: Stores.deadline
        ).first { try JobDefinitionCoding.decode(try $0.json()) }
    }

    /// All edges between jobs, by child and parent.
    public func edges() async throws(StoreError) -> [Edge] {
        try await access.query(Statement(Self.allEdges), deadline: Stores.longDeadline).decode(EdgeRow.read)
    }

    // MARK: SQL

    // Names are ordered by code points: a database's own collation may change with its operating system.
    private static let allJobs = "SELECT \(JobRow.columns) FROM carillon.jobs j ORDER BY j.name COLLATE \"C\""

    private static let jobNamed = "SELECT \(JobRow.columns) FROM carillon.jobs j WHERE j.name = $1::text"

    private static let jobByID = "SELECT \(JobRow.columns) FROM carillon.jobs j WHERE j.id = $1::text"

    /// Substrings, not patterns: `%` and `_` mean themselves.
    private static let searchJobs = """
        SELECT \(JobRow.columns) FROM carillon.jobs j
         WHERE strpos(lower(j.name), lower($1::text)) > 0
           AND ($2::text = '' OR strpos(lower(j.definition ->> 'command'), lower($2::text)) > 0)
           AND ($3::text = '' OR strpos(lower(j.name), lower($3::text)) > 0
             OR strpos(lower(j.definition ->> 'command'), lower($3::text)) > 0)
         ORDER BY j.name COLLATE "C" LIMIT $4::int8 OFFSET $5::int8
        """

    private static let definition = """
        SELECT v.definition::text FROM carillon.job_versions v WHERE v.job_id = $1::text AND v.version = $2::int8
        """

    private static let allEdges = "SELECT \(EdgeRow.columns) FROM carillon.edges e ORDER BY e.child, e.parent"
}
