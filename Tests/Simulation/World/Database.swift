import Domain
import Storage
import Timetable

/// The database server: the production twin of the store, and of PostgreSQL what the election rests on.
///
/// A lock belongs to a session and is free only when the server has noticed that the session ended: because the client's
/// end of the connection says so, because it was silent for `idle_session_timeout`, or because somebody ended it. Each
/// request takes effect at one instant, alone, whole or not at all; its answer may be lost. Requests that were sent may
/// arrive after their client has given up.
///
/// `@unchecked Sendable`: touched by the simulation's thread alone.
final class Database: @unchecked Sendable {
    static let hostName = "db"

    /// Until the client notices that nothing gets through any more (`tcp_user_timeout`, keep-alive).
    static let deadWay = Duration.seconds(4)

    struct Session {
        let id: Int
        let process: SimulationExecutor
        let node: NodeDescription
        var lastActivity: UInt64
        /// Called at the client when it learns that the session has ended.
        let ended: @Sendable () -> Void
    }

    let engine: Engine
    let network: Network
    let bugs: PlantedBugs
    let checker: Checker
    let store = MemoryClusterStore()
    let idleTimeout: Duration
    private(set) var record: LeaderRecord?
    private(set) var isUp = true
    var isReadOnly = false
    /// "Sorry, too many clients already": whoever wants something needs a new connection for it.
    var refusesConnections = false
    private(set) var holder: Int?
    private var sessions: [Int: Session] = [:]
    private var nextSession = 0
    private var chance: SeededGenerator
    /// Requests whose answers are outstanding, so that a restart can break their connections.
    private var outstanding: [Int: @Sendable () -> Void] = [:]
    private let executor: SimulationExecutor
    private var arrived: [@Sendable () async -> Void] = []
    private var isServing = false
    private var nextRequest = 0
    /// Probability that the answer to a request that took effect is lost with its connection.
    var lostAnswers = 0.0

    init(
        engine: Engine, network: Network, executor: SimulationExecutor, bugs: PlantedBugs, checker: Checker,
        idleTimeout: Duration
    ) {
        self.executor = executor
        self.engine = engine
        self.network = network
        self.bugs = bugs
        self.checker = checker
        self.idleTimeout = idleTimeout
        chance = SeededGenerator(seed: engine.seed, stream: 3)
    }

    var host: Host { executor.host }
    var epoch: Int64 { record?.term.epoch ?? 0 }
    var openSessions: [Session] { sessions.values.sorted { $0.id < $1.id } }
    var holderNode: String? { holder.flatMap { sessions[$0]?.node.name } }

    // MARK: Requests

    /// Sends a request and waits for its answer. After the deadline the client closes the connection.
    func request<Reply: Sendable>(
        from process: SimulationExecutor, deadline: Duration,
        _ work: @escaping @Sendable (Database) async throws(StoreError) -> Reply
    ) async throws(StoreError) -> Reply {
        nextRequest += 1
        let number = nextRequest
        let origin = process.host.name
        let broken = StoreError(.connection, "the connection to the database has ended")
        let answer: Result<Reply, StoreError>? = await process.wait { finish in
            outstanding[number] = { finish(.failure(broken)) }
            engine.after(deadline) {
                finish(.failure(StoreError(.connection, "the database has not answered within \(deadline)")))
            }
            // TCP's keep-alive and user timeouts find a way that carries nothing any more.
            let lost: @Sendable () -> Void = { self.engine.after(Self.deadWay) { finish(.failure(broken)) } }
            network.send(from: origin, to: Self.hostName, lost: lost) {
                guard self.isUp else {
                    return self.network.send(from: Self.hostName, to: origin, lost: lost) { finish(.failure(broken)) }
                }
                guard !self.refusesConnections else {
                    let full = StoreError(.connection, "sorry, too many clients already")
                    return self.network.send(from: Self.hostName, to: origin, lost: lost) { finish(.failure(full)) }
                }
                self.serve {
                    let result: Result<Reply, StoreError>
                    do throws(StoreError) { result = .success(try await work(self)) } catch { result = .failure(error) }
                    if self.chance.happens(self.lostAnswers) {
                        return self.engine.after(self.chance.duration(1...50)) { finish(.failure(broken)) }
                    }
                    self.engine.after(self.network.databaseTime()) {
                        self.network.send(from: Self.hostName, to: origin, lost: lost) { finish(result) }
                    }
                }
            }
        }
        outstanding[number] = nil
        guard let answer else { throw StoreError(.connection, "given up") }
        return try answer.get()
    }

    /// One request after the other. Time does not move on meanwhile, so that each takes effect at one instant.
    private func serve(_ request: @escaping @Sendable () async -> Void) {
        arrived.append(request)
        guard !isServing else { return }
        isServing = true
        executor.start("serve") {
            while !self.arrived.isEmpty { await self.arrived.removeFirst()() }
            self.isServing = false
        }
    }

    // MARK: Transactions

    func commit(_ term: Term, _ changes: Changes, from process: SimulationExecutor) async throws(StoreError) {
        guard !isReadOnly else { throw StoreError(.connection, "cannot write in a read-only transaction") }
        var changes = changes
        if bugs.contains(.lostInsert), !changes.newRuns.isEmpty, chance.happens(0.2) { changes.newRuns.removeFirst() }
        if bugs.contains(.lostVerdict), !changes.ledger.isEmpty, chance.happens(0.2) { changes.ledger.removeFirst() }
        if bugs.contains(.lostJob), !changes.putJobs.isEmpty, chance.happens(0.3) {
            changes.putJobs.removeFirst()
            changes.newEras = []
        }
        try await store.commit(bugs.contains(.noFence) ? store.currentTerm : term, changes)
        checker.committed(term, current: store.currentTerm, changes, by: process)
    }

    func claim(_ request: ClaimRequest, now: Instant) async throws(StoreError) -> ClaimReply {
        guard !isReadOnly else { throw StoreError(.connection, "cannot write in a read-only transaction") }
        let reply = try await store.claim(request, now: now)
        return bugs.contains(.noClaim) ? ClaimReply(granted: request.attempts, refused: []) : reply
    }

    // MARK: Sessions and the lock

    func openSession(
        _ process: SimulationExecutor, node: NodeDescription, ended: @escaping @Sendable () -> Void
    ) throws(StoreError) -> Int {
        guard !isReadOnly else { throw StoreError(.connection, "the server is a standby") }
        nextSession += 1
        sessions[nextSession] = Session(
            id: nextSession, process: process, node: node, lastActivity: engine.now, ended: ended)
        watch(nextSession)
        return nextSession
    }

    private func watch(_ id: Int) {
        guard let session = sessions[id] else { return }
        let end = session.lastActivity + idleTimeout.nanoseconds
        guard end <= engine.now else {
            engine.after(.nanoseconds(Int64(end - engine.now))) { self.watch(id) }
            return
        }
        guard !bugs.contains(.lockNeverFreed) else { return }
        checker.sessionTimedOut(session, isHolder: holder == id)
        endSession(id, because: "it was idle", tellingClient: true)
    }

    /// - Parameter tellingClient: the client is sent the end of the connection, which may or may not arrive.
    func endSession(_ id: Int, because reason: String, tellingClient: Bool) {
        guard let session = sessions.removeValue(forKey: id) else { return }
        let heldLock = holder == id
        if heldLock { holder = nil }
        engine.note(
            Self.hostName,
            "session \(id) of \(session.process.name) ends: \(reason)\(heldLock ? "; the lock is free" : "")")
        if tellingClient { network.send(from: Self.hostName, to: session.process.host.name) { session.ended() } }
    }

    func touch(_ id: Int) throws(StoreError) -> Session {
        sessions[id]?.lastActivity = engine.now
        guard let session = sessions[id] else { throw StoreError(.connection, "the session has ended") }
        return session
    }

    func attempt(_ id: Int) throws(StoreError) -> LockAttempt {
        _ = try touch(id)
        if holder == nil {
            holder = id
            engine.note(Self.hostName, "session \(id) has the lock")
        }
        return LockAttempt(won: holder == id, isHeld: true, leader: record, clock: clock)
    }

    func look(_ id: Int) throws(StoreError) -> LockAttempt {
        _ = try touch(id)
        return LockAttempt(won: holder == id, isHeld: holder != nil, leader: record, clock: clock)
    }

    private var clock: Instant { Instant(microseconds: executor.wallMicroseconds) }

    func takeOffice(_ id: Int) throws(StoreError) -> Term {
        let session = try touch(id)
        guard holder == id else { throw StoreError(.connection, "the lock is not held by this session") }
        guard !isReadOnly else { throw StoreError(.connection, "cannot write in a read-only transaction") }
        let term = Term(timeline: 1, epoch: bugs.contains(.sameEpoch) ? 1 : epoch + 1)
        let node = session.node
        record = LeaderRecord(term: term, node: node.name, url: node.url, boot: node.boot, resigned: false)
        store.currentTerm = term
        checker.officeTaken(term, by: session)
        return term
    }

    func heartbeat(_ id: Int) throws(StoreError) -> LockHeartbeat {
        _ = try touch(id)
        return LockHeartbeat(
            term: store.currentTerm, holdsLock: holder == id, isReadOnly: isReadOnly, clock: clock)
    }

    func resign(_ id: Int, _ term: Term) throws(StoreError) {
        let session = try touch(id)
        guard !isReadOnly else { throw StoreError(.connection, "cannot write in a read-only transaction") }
        if record?.term == term, record?.boot == session.node.boot { record?.resigned = true }
    }

    /// At the end of the simulation.
    func dissolve() {
        sessions = [:]
        outstanding = [:]
        arrived = []
    }

    // MARK: Faults

    func crash() {
        engine.note(Self.hostName, "goes down")
        isUp = false
        for id in sessions.keys.sorted() { endSession(id, because: "the server went down", tellingClient: true) }
        for (_, fail) in outstanding.sorted(by: { $0.key < $1.key }) {
            engine.after(chance.duration(1...20)) { fail() }
        }
    }

    func refuseConnections() {
        engine.note(Self.hostName, "has no connections left")
        refusesConnections = true
        for id in sessions.keys.sorted() { endSession(id, because: "it was terminated", tellingClient: true) }
    }

    func restart() {
        guard !isUp else { return }
        engine.note(Self.hostName, "is up again")
        isUp = true
    }
}
