// What the leader/worker protocol needs of the database. Everything else of the store is called directly (Storage's
// façade), since it takes no part in the protocol and is tested on a real server.

public import Timetable

/// The shared memory of the cluster. Each call with a term is one transaction that begins with the fence on its epoch.
///
/// Errors: `StoreError`. After `.connection` the outcome of a write is unknown; a leader then leaves office and reads
/// the state anew.
public protocol ClusterStore: Sendable {
    /// All that a new leader must hold in memory: runs that have not ended, the definitions they refer to, dependent
    /// jobs with the state of their edges, workers, the catalogue.
    func loadOffice(_ term: Term) async throws(StoreError) -> OfficeSnapshot

    /// Enabled jobs whose next occurrence is due before the instant, earliest first.
    func agenda(_ term: Term, before: Instant, limit: Int) async throws(StoreError) -> [Job]

    /// Jobs by identifier, by name, and one user of each of the listed members of the catalogue; what is unknown is
    /// absent from the answer.
    func jobs(_ term: Term, _ wanted: JobsWanted) async throws(StoreError) -> [Job]

    /// Writes all of it, or nothing.
    /// - Throws: `.stale` when the epoch has moved on, `.conflict` when a row is not in the state that the change
    ///   expects, `.data` when the database refuses a value.
    func commit(_ term: Term, _ changes: Changes) async throws(StoreError)

    /// Conditional start, through any node. Grants what is offered to this worker (or already claimed by the same
    /// boot), and whose start deadline has not passed.
    func claim(_ request: ClaimRequest, now: Instant) async throws(StoreError) -> ClaimReply
}

extension ClusterStore {
    public func jobs(_ term: Term, named names: [String]) async throws(StoreError) -> [Job] {
        try await jobs(term, JobsWanted(names: Set(names)))
    }
}

/// The jobs that a turn needs to know.
public struct JobsWanted: Hashable, Sendable {
    public var names: Set<String>
    public var ids: Set<JobID>
    /// Of each one any job that refers to it, where there is one.
    public var usersOf: Set<CatalogueKey>

    public init(names: Set<String> = [], ids: Set<JobID> = [], usersOf: Set<CatalogueKey> = []) {
        self.names = names
        self.ids = ids
        self.usersOf = usersOf
    }

    public var isEmpty: Bool { names.isEmpty && ids.isEmpty && usersOf.isEmpty }

    public mutating func insert(_ key: JobKey) {
        switch key {
        case .name(let name): names.insert(name)
        case .id(let id): ids.insert(id)
        case .either(let text):
            names.insert(text)
            ids.insert(JobID(text))
        }
    }

    public mutating func formUnion(_ other: JobsWanted) {
        names.formUnion(other.names)
        ids.formUnion(other.ids)
        usersOf.formUnion(other.usersOf)
    }

    public func isDisjoint(with other: JobsWanted) -> Bool {
        names.isDisjoint(with: other.names) && ids.isDisjoint(with: other.ids)
            && usersOf.isDisjoint(with: other.usersOf)
    }
}

/// Jobs as the database has them.
public struct JobFacts: Sendable {
    private var byID: [JobID: Job] = [:]
    private var byName: [String: JobID] = [:]

    public init(_ jobs: [Job] = []) {
        for job in jobs {
            byID[job.id] = job
            byName[job.definition.name] = job.id
        }
    }

    public subscript(key: JobKey) -> Job? {
        switch key {
        case .name(let name): byName[name].flatMap { byID[$0] }
        case .id(let id): byID[id]
        case .either(let text): byID[JobID(text)] ?? byName[text].flatMap { byID[$0] }
        }
    }

    /// The first, by identifier, that refers to the member of the catalogue.
    public func user(of key: CatalogueKey) -> Job? {
        byID.values.filter { $0.definition.refers(to: key) }.min { $0.id < $1.id }
    }
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
    public var catalogue: Catalogue
    public init(
        runs: [Run], definitions: [JobVersion: JobDefinition], dependents: [Job], edges: [Edge], workers: [Worker],
        catalogue: Catalogue = Catalogue()
    ) {
        self.runs = runs
        self.definitions = definitions
        self.dependents = dependents
        self.edges = edges
        self.workers = workers
        self.catalogue = catalogue
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
