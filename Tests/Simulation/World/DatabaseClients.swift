import Domain
import Runtime
import Storage
import Timetable

/// A node's lock session (production: `PostgresLeaderLock`). Like it, it gives the session up whenever an answer fails
/// to come in time, and notices an end that it is told of at once.
///
/// `@unchecked Sendable`: touched by the simulation's thread alone.
final class SimulatedLock: LeaderLock, @unchecked Sendable {
    private let database: Database
    private let process: SimulationExecutor
    private let node: NodeDescription
    private let constants: ElectionConstants
    private var session: Int?
    private var waiters: [Int: @Sendable (Bool) -> Void] = [:]
    private var nextWaiter = 0

    init(database: Database, process: SimulationExecutor, node: NodeDescription, constants: ElectionConstants) {
        self.database = database
        self.process = process
        self.node = node
        self.constants = constants
    }

    private var answer: Duration { constants.statement + .milliseconds(500) }

    func open() async throws(StoreError) {
        await close()
        let (process, node) = (process, node)
        let ended = EndOfSession()
        let id = try await database.request(from: process, deadline: constants.connect) { database throws(StoreError) in
            try database.openSession(process, node: node) { ended.happen() }
        }
        session = id
        ended.action = { [weak self] in self?.sessionEnded(id) }
    }

    func attempt() async throws(StoreError) -> LockAttempt {
        try await ask { database, id throws(StoreError) in try database.attempt(id) }
    }

    func look() async throws(StoreError) -> LockAttempt {
        try await ask { database, id throws(StoreError) in try database.look(id) }
    }

    func takeOffice() async throws(StoreError) -> Term {
        try await ask { database, id throws(StoreError) in try database.takeOffice(id) }
    }

    func heartbeat() async throws(StoreError) -> LockHeartbeat {
        try await ask { database, id throws(StoreError) in try database.heartbeat(id) }
    }

    func resign(_ term: Term) async throws(StoreError) {
        try await ask { database, id throws(StoreError) in try database.resign(id, term) }
    }

    func closed() async {
        guard session != nil else { return }
        nextWaiter += 1
        let number = nextWaiter
        let _: Bool? = await process.wait { finish in waiters[number] = finish }
        waiters[number] = nil
    }

    func close() async {
        guard let id = session else { return }
        sessionEnded(id)
        guard !process.isUnwinding else { return }
        database.network.send(from: process.host.name, to: Database.hostName) { [database] in
            database.endSession(id, because: "the client closed it", tellingClient: false)
        }
    }

    private func ask<Reply: Sendable>(
        _ work: @escaping @Sendable (Database, Int) throws(StoreError) -> Reply
    ) async throws(StoreError) -> Reply {
        guard let id = session else { throw StoreError(.connection, "the lock session is not open") }
        do throws(StoreError) {
            return try await database.request(from: process, deadline: answer) { database throws(StoreError) in
                try work(database, id)
            }
        } catch {
            if session == id { await close() }
            throw error
        }
    }

    private func sessionEnded(_ id: Int) {
        guard session == id else { return }
        session = nil
        let told = waiters.sorted { $0.key < $1.key }
        waiters = [:]
        for (_, finish) in told { finish(true) }
    }
}

/// The end may be told before the client knows that the session has begun.
///
/// `@unchecked Sendable`: touched by the simulation's thread alone.
private final class EndOfSession: @unchecked Sendable {
    private var hasHappened = false
    var action: (() -> Void)? {
        didSet { if hasHappened { action?() } }
    }

    func happen() {
        hasHappened = true
        action?()
    }
}

/// A node's connections for everything but the lock (production: `PostgresClusterStore`).
final class SimulatedStore: ClusterStore {
    private let database: Database
    private let process: SimulationExecutor
    private let node: NodeDescription

    init(database: Database, process: SimulationExecutor, node: NodeDescription) {
        self.database = database
        self.process = process
        self.node = node
    }

    func loadOffice(_ term: Term) async throws(StoreError) -> OfficeSnapshot {
        try await lead(term, deadline: .seconds(30)) { store async throws(StoreError) in
            try await store.loadOffice(term)
        }
    }

    func agenda(_ term: Term, before: Instant, limit: Int) async throws(StoreError) -> [Job] {
        try await lead(term) { store async throws(StoreError) in
            try await store.agenda(term, before: before, limit: limit)
        }
    }

    func jobs(_ term: Term, _ wanted: JobsWanted) async throws(StoreError) -> [Job] {
        try await lead(term) { store async throws(StoreError) in try await store.jobs(term, wanted) }
    }

    func commit(_ term: Term, _ changes: Changes) async throws(StoreError) {
        database.checker.leaderActs(term, process)
        let process = process
        try await database.request(from: process, deadline: .seconds(5)) { database async throws(StoreError) in
            try await database.commit(term, changes, from: process)
        }
    }

    func claim(_ request: ClaimRequest, now: Instant) async throws(StoreError) -> ClaimReply {
        try await database.request(from: process, deadline: .seconds(5)) { database async throws(StoreError) in
            try await database.claim(request, now: now)
        }
    }

    private func lead<Reply: Sendable>(
        _ term: Term, deadline: Duration = .seconds(5),
        _ work: @escaping @Sendable (MemoryClusterStore) async throws(StoreError) -> Reply
    ) async throws(StoreError) -> Reply {
        database.checker.leaderActs(term, process)
        return try await database.request(from: process, deadline: deadline) { database async throws(StoreError) in
            try await work(database.store)
        }
    }
}
