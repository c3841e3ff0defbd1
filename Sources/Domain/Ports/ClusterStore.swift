// What the leader/worker protocol needs of the database. Everything else of the store is called directly (Storage's
// façade), since it takes no part in the protocol and is tested on a real server.

public import Timetable

/// The shared memory of the cluster. Each call with a term is one transaction that begins with the fence on its epoch.
///
/// Errors: `StoreError`. After `.connection` the outcome of a write is unknown; a leader then leaves office and reads
/// the state anew.
public protocol ClusterStore: Sendable {
    /// All that a new leader must hold in memory: runs that have not ended, the definitions they refer to, dependent
    /// jobs with the state of their edges, workers.
    func loadOffice(_ term: Term) async throws(StoreError) -> OfficeSnapshot

    /// Enabled jobs whose next occurrence is due before the instant, earliest first.
    func agenda(_ term: Term, before: Instant, limit: Int) async throws(StoreError) -> [Job]

    /// Jobs by name; unknown names are absent from the answer.
    func jobs(_ term: Term, named: [String]) async throws(StoreError) -> [Job]

    /// Writes all of it, or nothing.
    /// - Throws: `.stale` when the epoch has moved on, `.conflict` when a row is not in the state that the change
    ///   expects, `.data` when the database refuses a value.
    func commit(_ term: Term, _ changes: Changes) async throws(StoreError)

    /// Conditional start, through any node. Grants what is offered to this worker (or already claimed by the same
    /// boot), and whose start deadline has not passed.
    func claim(_ request: ClaimRequest, now: Instant) async throws(StoreError) -> ClaimReply
}

public struct StoreError: Error, Sendable, CustomStringConvertible {
    public enum Code: String, Sendable {
        /// The fence: a later leader exists.
        case stale
        case conflict
        case data
        /// The database did not answer as it should; whether a write took effect is unknown.
        case connection
    }
    public let code: Code
    public let message: String
    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }
    public var description: String { "\(code.rawValue): \(message)" }
}

/// What a new leader starts from.
public struct OfficeSnapshot: Sendable {
    /// Runs in states that are not terminal.
    public var runs: [Run]
    /// Definitions of the versions that these runs refer to.
    public var definitions: [JobVersion: JobDefinition]
    /// All jobs that have parents.
    public var dependents: [Job]
    public var edges: [Edge]
    public var workers: [Worker]
    public init(
        runs: [Run], definitions: [JobVersion: JobDefinition], dependents: [Job], edges: [Edge], workers: [Worker]
    ) {
        self.runs = runs
        self.definitions = definitions
        self.dependents = dependents
        self.edges = edges
        self.workers = workers
    }
}

/// A child waits for a parent; satisfied once the parent has succeeded since the child last started.
public struct Edge: Hashable, Sendable {
    public var parent: JobID
    public var child: JobID
    public var isSatisfied: Bool
    public init(parent: JobID, child: JobID, isSatisfied: Bool) {
        self.parent = parent
        self.child = child
        self.isSatisfied = isSatisfied
    }
}
