import Domain
import Runtime
import Storage
import Synchronization
import Testing
import Timetable

@testable import Coordination

struct Timeout: Error {}

/// Runs the body of a test on the thread of a fresh loop.
@discardableResult
func onLoop<T: Sendable>(_ body: @escaping @Sendable (EventLoop) async throws -> T) async throws -> T {
    let loop = try EventLoop.startThread(named: "test loop")
    defer { loop.stop() }
    return try await withCheckedThrowingContinuation { continuation in
        loop.start("test") {
            do { continuation.resume(returning: try await body(loop)) } catch { continuation.resume(throwing: error) }
        }
    }
}

extension EventLoop {
    /// Waits for something that another task brings about; its absence within ten seconds is a failure.
    func until(_ location: SourceLocation = #_sourceLocation, _ condition: () async throws -> Bool) async throws {
        let limit = monotonicNow.advanced(by: .seconds(10))
        while try await !condition() {
            guard monotonicNow < limit else {
                Issue.record("it never came", sourceLocation: location)
                throw Timeout()
            }
            try await sleep(for: .milliseconds(1))
        }
    }
}

struct NoZones: ZoneDatabase {
    var version: String { "test" }
    func rules(named name: String) -> ZoneRules? { nil }
}

struct LoopClock: WallClock {
    let loop: EventLoop
    func now() -> Instant { Instant(microseconds: loop.wallMicroseconds) }
}

/// The in-memory store, with a say in each commit.
final class FaultyStore: ClusterStore {
    let memory: MemoryClusterStore
    private let judge = Mutex<@Sendable (Changes) -> StoreError?>({ _ in nil })
    private let gate = Mutex<(isShut: Bool, waiting: [CheckedContinuation<Void, Never>])>((false, []))
    let committed = Mutex<[Term]>([])

    init(_ memory: MemoryClusterStore) { self.memory = memory }

    func refuse(_ body: @escaping @Sendable (Changes) -> StoreError?) { judge.withLock { $0 = body } }

    /// Holds commits in flight until it is opened.
    func shut() { gate.withLock { $0.isShut = true } }
    var inFlight: Int { gate.withLock { $0.waiting.count } }
    func open() {
        let waiting = gate.withLock { gate in
            defer { gate = (false, []) }
            return gate.waiting
        }
        for continuation in waiting { continuation.resume() }
    }

    func loadOffice(_ term: Term) async throws(StoreError) -> OfficeSnapshot { try await memory.loadOffice(term) }
    func agenda(_ term: Term, before: Instant, limit: Int) async throws(StoreError) -> [Job] {
        try await memory.agenda(term, before: before, limit: limit)
    }
    func jobs(_ term: Term, _ wanted: JobsWanted) async throws(StoreError) -> [Job] {
        try await memory.jobs(term, wanted)
    }
    func claim(_ request: ClaimRequest, now: Instant) async throws(StoreError) -> ClaimReply {
        try await memory.claim(request, now: now)
    }
    func commit(_ term: Term, _ changes: Changes) async throws(StoreError) {
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            let passes = gate.withLock { gate in
                if gate.isShut { gate.waiting.append(continuation) }
                return !gate.isShut
            }
            if passes { continuation.resume() }
        }
        if let error = judge.withLock({ $0 })(changes) { throw error }
        try await memory.commit(term, changes)
        committed.withLock { $0.append(term) }
    }
}

final class FakeTransport: WorkerTransport {
    let offers = Mutex<[OfferBatch]>([])
    let kills = Mutex<[KillRequest]>([])
    let reply = Mutex<OfferReply?>(.taken(boot: "1", refused: []))

    func offer(_ batch: OfferBatch, to worker: WorkerDescription) async throws(TransportError) -> OfferReply {
        offers.withLock { $0.append(batch) }
        guard let reply = reply.withLock({ $0 }) else { throw TransportError(.unreachable, "cut off") }
        return reply
    }
    func kill(_ request: KillRequest, at worker: WorkerDescription) async throws(TransportError) {
        kills.withLock { $0.append(request) }
    }
    func adjust(_ request: AdjustRequest, at worker: WorkerDescription) async throws(TransportError) {}
    var offered: [Offer] { offers.withLock { $0.flatMap(\.offers) } }
}

/// An election that several nodes take part in: who holds the lock, and the epoch.
final class FakeElection: Sendable {
    struct State {
        var holder: String?
        var epoch: Int64 = 0
        var isReadOnly = false
        var holdsLock = true
        var isDown = false
        var resigned: [Term] = []
        var offices: [(node: String, epoch: Int64)] = []
        var closings: [String: CheckedContinuation<Void, Never>] = [:]
    }
    let state = Mutex(State())
    let memory: MemoryClusterStore
    init(_ memory: MemoryClusterStore) { self.memory = memory }

    /// The database ends the session of whoever leads.
    func terminate() {
        let waiter = state.withLock { state -> CheckedContinuation<Void, Never>? in
            defer { state.holder = nil }
            return state.holder.flatMap { state.closings.removeValue(forKey: $0) }
        }
        waiter?.resume()
    }
}

final class FakeLock: LeaderLock {
    let node: String
    let election: FakeElection
    init(node: String, election: FakeElection) {
        self.node = node
        self.election = election
    }

    private func ask<T>(_ body: (inout sending FakeElection.State) throws(StoreError) -> sending T) throws(StoreError)
        -> T
    {
        try election.state.withLock { state throws(StoreError) in
            if state.isDown { throw StoreError(.connection, "the database is away") }
            return try body(&state)
        }
    }

    func open() async throws(StoreError) { try ask { _ in } }
    func attempt() async throws(StoreError) -> LockAttempt {
        try ask { state in
            if state.holder == nil { state.holder = node }
            return LockAttempt(won: state.holder == node, isHeld: true, leader: nil)
        }
    }
    func look() async throws(StoreError) -> LockAttempt {
        try ask { LockAttempt(won: $0.holder == node, isHeld: $0.holder != nil, leader: nil) }
    }
    func takeOffice() async throws(StoreError) -> Term {
        let term = try ask { state in
            state.epoch += 1
            state.offices.append((node, state.epoch))
            return Term(timeline: 1, epoch: state.epoch)
        }
        election.memory.currentTerm = term
        return term
    }
    func heartbeat() async throws(StoreError) -> LockHeartbeat {
        try ask { state in
            LockHeartbeat(
                term: Term(timeline: 1, epoch: state.epoch), holdsLock: state.holdsLock && state.holder == node,
                isReadOnly: state.isReadOnly)
        }
    }
    func resign(_ term: Term) async throws(StoreError) {
        // A request of a cancelled task may be refused at once: resigning must not be part of one.
        if Task.isCancelled { throw StoreError(.connection, "cancelled") }
        try ask { $0.resigned.append(term) }
    }
    func closed() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
                let isOver = election.state.withLock { state in
                    guard !Task.isCancelled, state.holder == node else { return true }
                    state.closings[node] = continuation
                    return false
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            election.state.withLock { $0.closings.removeValue(forKey: node) }?.resume()
        }
    }
    func close() async {
        election.state.withLock { state in
            if state.holder == node { state.holder = nil }
        }
    }
}

/// A leader in office on a store that can be told to fail.
struct Stage: Sendable {
    let loop: EventLoop
    let store: FaultyStore
    let transport = FakeTransport()
    let leader: Leader
    let term = Term(timeline: 1, epoch: 1)
    let trust: Trust
    /// How the office ended; nil while it lasts.
    let end = Ending()

    final class Ending: Sendable {
        let error = Mutex<(any Error)?>(nil)
        var text: String? { error.withLock { $0.map { "\($0)" } } }
    }

    init(_ loop: EventLoop) {
        self.loop = loop
        store = FaultyStore(MemoryClusterStore(term: term))
        trust = Trust(until: loop.monotonicNow.advanced(by: .seconds(60)))
        leader = Leader(
            node: NodeDescription(name: "n1", url: "http://n1", boot: "b", version: "1"), store: store,
            transport: transport, clock: LoopClock(loop: loop), timekeeper: loop, zones: NoZones(),
            policy: SchedulingPolicy(), log: Log("test"))
    }

    /// Takes office; the task ends with it.
    @discardableResult
    func begin(trust other: Trust? = nil) async throws -> Task<Void, Never> {
        let (leader, term, trust, end) = (leader, term, other ?? trust, end)
        let task = loop.start("office") {
            do { try await leader.holdOffice(term: term, trust: trust) } catch { end.error.withLock { $0 = error } }
        }
        try await loop.until { leader.status.turns > 0 || end.text != nil }
        return task
    }

    func put(_ name: String, _ trigger: Trigger = .manual, _ change: (inout JobDefinition) -> Void = { _ in })
        async throws
    {
        var definition = JobDefinition(name: name)
        definition.trigger = trigger
        change(&definition)
        _ = try await leader.submit(.putJob(definition, isEnabled: true, counters: nil, mode: .upsert))
    }

    func worker(_ name: String) async throws {
        let worker = WorkerDescription(
            name: name, url: "http://\(name)", boot: "1", capacity: Resources(cpus: 1e4, memory: 1e9, disk: 1e9),
            attributes: [:], version: "1")
        _ = try await leader.submit(.register(worker))
    }

    func job(_ name: String) -> Job? {
        store.memory.contents.tables.jobs.values.first { $0.definition.name == name }
    }

    /// An interval that is due once, that many milliseconds from now.
    func soon(_ milliseconds: Int = 30) -> Trigger {
        let start = LoopClock(loop: loop).now().advanced(by: .milliseconds(milliseconds))
        return .schedule(ScheduleText(notation: .iso8601, text: "R1/\(start.iso8601)/PT1H", zone: "", anchor: start))
    }
}
