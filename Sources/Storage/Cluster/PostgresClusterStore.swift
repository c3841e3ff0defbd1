public import Domain
import DomainCoding
public import PostgresClient
public import Timetable

/// The leader/worker protocol's part of the database.
///
/// Whatever needs a term is one transaction that begins with the fence: it waits for an election that is being
/// decided, makes one wait for it in turn, and fails with `.stale` once the epoch has moved on. A claim needs none:
/// the row decides.
///
/// If the process dies before COMMIT has been sent, nothing of the transaction exists; if after, all of it, and the
/// next leader finds it. Cancellation does not recall what has been sent.
public final class PostgresClusterStore: ClusterStore {
    /// How long the database may take for each kind of request.
    public struct Deadlines: Sendable {
        public var commit: Duration = .seconds(5)
        public var read: Duration = .seconds(5)
        /// Loading all active runs.
        public var load: Duration = .seconds(30)
        public var claim: Duration = .seconds(5)
        public init() {}
    }

    private let access: Access
    private let deadlines: Deadlines

    public init(pool: PostgresPool, deadlines: Deadlines = Deadlines()) {
        access = Access(pool)
        self.deadlines = deadlines
    }

    public func loadOffice(_ term: Term) async throws(StoreError) -> OfficeSnapshot {
        let results = try await access.transaction(
            [
                Self.fence(term), Statement(Self.activeRuns), Statement(Self.activeDefinitions),
                Statement(Self.dependents), Statement(Self.allEdges), Statement(Self.allWorkers),
                Statement(CatalogueSQL.allItems), Statement(CatalogueSQL.scheduling),
            ], deadline: deadlines.load)
        let definitions = try results[2].decode { row in
            let reference = JobVersion(job: JobID(try row.text()), version: try row.integer())
            return (reference, try JobDefinitionCoding.decode(try row.json()))
        }
        return OfficeSnapshot(
            runs: try results[1].decode(RunRow.read),
            definitions: Dictionary(definitions, uniquingKeysWith: { first, _ in first }),
            dependents: try results[3].decode(JobRow.read),
            edges: try results[4].decode(EdgeRow.read),
            workers: try results[5].decode(WorkerRow.read),
            catalogue: try CatalogueSQL.catalogue(results[6], results[7]))
    }

    public func agenda(_ term: Term, before: Instant, limit: Int) async throws(StoreError) -> [Job] {
        let results = try await access.transaction(
            [
                Self.readFence(term),
                Statement(Self.dueJobs, .timestamp(microseconds: before.microseconds), .int(Int64(max(0, limit)))),
            ], deadline: deadlines.read)
        return try results[1].decode(JobRow.read)
    }

    public func jobs(_ term: Term, _ wanted: JobsWanted) async throws(StoreError) -> [Job] {
        var statements = [
            Self.readFence(term),
            Statement(
                Self.wantedJobs, .textArray(wanted.names.sorted()), .textArray(wanted.ids.sorted().map(\.rawValue))),
        ]
        for key in wanted.usersOf.sorted(by: { ($0.kind.rawValue, $0.id) < ($1.kind.rawValue, $1.id) }) {
            statements.append(Statement(Self.user(of: key.kind), .text(key.id)))
        }
        let results = try await access.transaction(statements, deadline: deadlines.read)
        var jobs: [JobID: Job] = [:]
        for result in results.dropFirst() { for job in try result.decode(JobRow.read) { jobs[job.id] = job } }
        return jobs.values.sorted { $0.id < $1.id }
    }

    public func commit(_ term: Term, _ changes: Changes) async throws(StoreError) {
        let statements = try [Self.fence(term)] + changes.statements()
        _ = try await access.transaction(statements, deadline: deadlines.commit)
    }

    public func claim(_ request: ClaimRequest, now: Instant) async throws(StoreError) -> ClaimReply {
        let attempts = request.attempts.sorted()
        let result = try await access.query(
            Statement(
                Self.claimRuns, .textArray(attempts.map(\.run.rawValue)),
                .intArray(attempts.map { Int64($0.number) }), .text(request.worker), .text(request.boot),
                .timestamp(microseconds: now.microseconds)),
            deadline: deadlines.claim)
        let granted = Set(
            try result.decode { row in AttemptID(run: RunID(try row.text()), number: try row.int()) })
        return ClaimReply(
            granted: request.attempts.filter { granted.contains($0) },
            refused: request.attempts.filter { !granted.contains($0) })
    }

    // MARK: SQL

    static func fence(_ term: Term) -> Statement {
        Statement("SELECT carillon.fence($1::int8, $2::int8)", .int(term.timeline), .int(term.epoch))
    }

    /// For transactions that only read.
    static func readFence(_ term: Term) -> Statement {
        Statement("SELECT carillon.read_fence($1::int8, $2::int8)", .int(term.timeline), .int(term.epoch))
    }

    private static let activeRuns = "SELECT \(RunRow.columns) FROM carillon.runs r ORDER BY r.id"

    private static let activeDefinitions = """
        SELECT v.job_id, v.version, v.definition::text
          FROM (SELECT DISTINCT job_id, job_version FROM carillon.runs) r
          JOIN carillon.job_versions v ON v.job_id = r.job_id AND v.version = r.job_version
        """

    private static let dependents = """
        SELECT \(JobRow.columns) FROM carillon.jobs j WHERE j.trigger = 'parents' ORDER BY j.id
        """

    private static let allEdges = "SELECT \(EdgeRow.columns) FROM carillon.edges e ORDER BY e.child, e.parent"

    private static let allWorkers = "SELECT \(WorkerRow.columns) FROM carillon.workers w ORDER BY w.name"

    static let dueJobs = """
        SELECT \(JobRow.columns) FROM carillon.jobs j
         WHERE j.enabled AND j.next_due IS NOT NULL AND j.next_due < $1::timestamptz
         ORDER BY j.next_due, j.id LIMIT $2::int8
        """

    /// Two searches by index, rather than one condition that might be answered by reading all.
    static let wantedJobs = """
        SELECT \(JobRow.columns) FROM carillon.jobs j WHERE j.name = ANY ($1::text[])
        UNION ALL
        SELECT \(JobRow.columns) FROM carillon.jobs j WHERE j.id = ANY ($2::text[])
        """

    /// The first that is not before it in the index is looked at, since where most jobs refer to the same thing a
    /// search for another one would be planned as reading all jobs.
    static func user(of kind: CatalogueItem.Kind) -> String {
        let field =
            switch kind {
            case .category: "category"
            case .plugin: "plugin"
            case .group: "target"
            }
        return """
            SELECT \(JobRow.columns) FROM (
                SELECT u.id, u.definition ->> '\(field)' AS value FROM carillon.jobs u
                 WHERE u.definition ->> '\(field)' >= $1::text ORDER BY u.definition ->> '\(field)' LIMIT 1
              ) AS next JOIN carillon.jobs j ON j.id = next.id
             WHERE next.value = $1::text
            """
    }

    /// One statement, so that two claims of the same try meet at the row: the second one waits and then sees `started`.
    /// It is granted only to the boot that the first one was granted to, whose answer may have been lost on the way;
    /// another boot has lost its memory and must not start what the former one may have started. What is claimed ahead
    /// starts when it is due.
    static let claimRuns = """
        UPDATE carillon.runs r
           SET state = 'started', claimed_by_boot = $4::text,
               started_at = CASE WHEN r.state = 'offered' THEN greatest(r.due, $5::timestamptz) ELSE r.started_at END
          FROM unnest($1::text[], $2::int8[]) AS i(id, attempt)
         WHERE r.id = i.id AND r.attempt = i.attempt AND r.worker = $3::text
           AND ((r.state = 'offered' AND (r.start_deadline IS NULL OR r.start_deadline >= $5::timestamptz))
             OR (r.state = 'started' AND r.claimed_by_boot = $4::text))
        RETURNING r.id, r.attempt
        """
}
