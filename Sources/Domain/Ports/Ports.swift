public import Timetable

public protocol WallClock: Sendable {
    func now() -> Instant
}

/// Leader to worker. Errors are `TransportError`; after one, whether the worker got the message is unknown.
public protocol WorkerTransport: Sendable {
    func offer(_ batch: OfferBatch, to worker: WorkerDescription) async throws(TransportError) -> OfferReply
    func kill(_ request: KillRequest, at worker: WorkerDescription) async throws(TransportError)
    func adjust(_ request: AdjustRequest, at worker: WorkerDescription) async throws(TransportError)
}

/// Worker to node. Errors are `TransportError`; each message may be repeated, to the same or to another node.
public protocol ReportSink: Sendable {
    /// Leader only.
    func register(_ worker: WorkerDescription) async throws(TransportError) -> HeartbeatReply
    /// Leader only.
    func heartbeat(_ heartbeat: WorkerHeartbeat) async throws(TransportError) -> HeartbeatReply
    /// Any node.
    func claim(_ request: ClaimRequest) async throws(TransportError) -> ClaimReply
    /// Leader only.
    func report(_ reports: [AttemptReport]) async throws(TransportError) -> ReportReply
}

public struct TransportError: Error, Sendable, CustomStringConvertible {
    public enum Code: String, Sendable {
        case unreachable
        /// The node is not the leader; `leaderURL` says who is, if it knows.
        case notLeader
        /// Signature, clock or version refused: repeating it is useless until an operator acts.
        case refused
        /// It answered with an error of its own.
        case failed
    }
    public let code: Code
    public let message: String
    public let leaderURL: String?
    public init(_ code: Code, _ message: String, leaderURL: String? = nil) {
        self.code = code
        self.message = message
        self.leaderURL = leaderURL
    }
    public var description: String { "\(code.rawValue): \(message)" }
}

/// The session that holds the election's lock. One at a time for each node; never pooled.
public protocol LeaderLock: Sendable {
    /// Opens a session and verifies it (leadership.md §1): version, not in recovery, settings as asked for, no pooler
    /// in between. An existing session is closed first.
    func open() async throws(StoreError)
    /// One round trip: tries to take the lock, and reads the leader's row and whether anybody holds the lock.
    func attempt() async throws(StoreError) -> LockAttempt
    /// The same without trying.
    func look() async throws(StoreError) -> LockAttempt
    /// Raises the epoch and writes this node into the row. Terminates sessions of a former leader that are in the way.
    func takeOffice() async throws(StoreError) -> Term
    /// One statement: epoch and timeline as they are now, and whether this very session holds the lock on a writable
    /// server.
    func heartbeat() async throws(StoreError) -> LockHeartbeat
    /// Marks the row as resigned, if the term is still this one.
    func resign(_ term: Term) async throws(StoreError)
    /// Returns when the session has ended, whoever ended it; noticed within milliseconds.
    func closed() async
    func close() async
}

public struct LockAttempt: Sendable {
    public var won: Bool
    /// Some session holds the lock.
    public var isHeld: Bool
    public var leader: LeaderRecord?
    /// The server's time; nil where it does not tell.
    public var clock: Instant?
    public init(won: Bool, isHeld: Bool, leader: LeaderRecord?, clock: Instant? = nil) {
        self.won = won
        self.isHeld = isHeld
        self.leader = leader
        self.clock = clock
    }
}

public struct LockHeartbeat: Sendable {
    public var term: Term
    public var holdsLock: Bool
    public var isReadOnly: Bool
    /// The server's time; nil where it does not tell.
    public var clock: Instant?
    public init(term: Term, holdsLock: Bool, isReadOnly: Bool, clock: Instant? = nil) {
        self.term = term
        self.holdsLock = holdsLock
        self.isReadOnly = isReadOnly
        self.clock = clock
    }
}

/// What use cases ask of the leader of this node. Each command is decided in the leader's turn, and answered after the
/// transaction that records it has committed.
public protocol LeaderOffice: Sendable {
    /// - Throws: `DomainError`: `.notLeader` when this node does not lead (any more), `.unavailable` when the database
    ///   failed and the outcome is unknown, or what the command itself is refused with.
    func submit(_ command: LeaderCommand) async throws(DomainError) -> LeaderReply
    /// Runs that have not ended, of one job or of all, with what their workers last told of them, in the order of their
    /// identifiers; empty where this node does not lead.
    func activeRuns(of job: JobID?, limit: Int) async -> [ActiveRunOverview]
    /// Nil for a run that has ended, or where this node does not lead.
    func activeRun(_ id: RunID) async -> ActiveRunOverview?
    /// Nil while this node cannot vouch for what is stored.
    var definitionsMark: DefinitionsMark? { get }
}

extension LeaderOffice {
    // For offices that run nothing.
    public func activeRuns(of job: JobID?, limit: Int) async -> [ActiveRunOverview] { [] }
    public func activeRun(_ id: RunID) async -> ActiveRunOverview? { nil }
    public var definitionsMark: DefinitionsMark? { nil }
}
