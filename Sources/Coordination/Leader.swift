public import Domain
public import Runtime
import Synchronization
public import Timetable

/// What a leader can tell of itself without being asked in a turn.
public struct LeaderStatus: Sendable {
    public var term: Term?
    public var activeRuns = 0
    public var liveWorkers = 0
    /// How late the latest turn decided what was due.
    public var lag: Duration = .zero
    public var turns: UInt64 = 0
    /// Commits of this office that wrote to the outbox.
    public var outboxWrites: UInt64 = 0
    public init() {}
}

/// The leader of the cluster while this node holds office: a loop of turns.
///
/// Commands wait in an inbox; a turn takes what has arrived, decides all of it on `LeaderState`, commits it in one
/// transaction and then answers. Requests that arrive while a commit is in flight form the next turn.
public actor Leader: LeaderOffice {
    private let node: NodeDescription
    private let store: any ClusterStore
    private let transport: any WorkerTransport
    private let clock: any WallClock
    private let timekeeper: any Timekeeper
    private let zones: any ZoneDatabase
    private let policy: SchedulingPolicy
    let log: Log

    var state: LeaderState?
    private var inbox: [Item] = []
    private let arrival = WakeUp()
    private let published = Mutex(LeaderStatus())
    private let marks = JobsMarks()
    private let counted = Mutex(LeaderFigures())

    /// Commands that one turn takes.
    static let itemsPerTurn = 2_048
    /// Commands that may wait: beyond it they are refused at once.
    static let inboxLimit = 20_000
    /// Jobs that one read of the agenda takes at first.
    static let agendaPage = 5_000
    /// Conflicts over one thing, with the state read anew after each, that end the attempt to get past it.
    static let refusalsInARow = 3
    /// The longest wait: a step of the wall clock is noticed within it.
    static let longestWait = Duration.seconds(1)

    enum Item: Sendable {
        case command(LeaderCommand, CheckedContinuation<Result<LeaderReply, DomainError>, Never>)
        case answer(WorkerDescription, offers: [AttemptID], reply: OfferReply?)
        /// Claims that were granted, for which nobody waits.
        case claimed(ClaimRequest, granted: [AttemptID])
        /// One of a request whose reports were refused together.
        case report(AttemptReport)
    }

    public init(
        node: NodeDescription, store: any ClusterStore, transport: any WorkerTransport, clock: any WallClock,
        timekeeper: any Timekeeper, zones: any ZoneDatabase, policy: SchedulingPolicy, log: Log
    ) {
        self.node = node
        self.store = store
        self.transport = transport
        self.clock = clock
        self.timekeeper = timekeeper
        self.zones = zones
        self.policy = policy
        self.log = log
    }

    /// Safe from any thread.
    public nonisolated var status: LeaderStatus { published.withLock { $0 } }

    /// What was counted since this process began. Safe from any thread.
    public nonisolated var figures: LeaderFigures { counted.withLock { $0 } }

    /// Names the present state of the jobs; nil while this node cannot vouch for it. What was read between two equal
    /// marks is what is stored now. Safe from any thread.
    public nonisolated var jobsMark: JobsMark? { marks.mark(at: timekeeper.monotonicNow) }

    public nonisolated var definitionsMark: DefinitionsMark? {
        marks.definitionsMark(at: timekeeper.monotonicNow)
    }

    public func submit(_ command: LeaderCommand) async throws(DomainError) -> LeaderReply {
        guard state != nil else { throw .notLeader("this node does not lead") }
        guard inbox.count < Self.inboxLimit else {
            throw DomainError(.tooMany, "\(inbox.count) requests wait already; try again")
        }
        let result = await withCheckedContinuation { continuation in
            inbox.append(.command(command, continuation))
            arrival.signal()
        }
        return try result.get()
    }

    /// Claims that this node has granted: the leader need not wait for the worker's heartbeat or report to know of
    /// them. Nobody waits for a turn: the row is what counts.
    public func note(_ request: ClaimRequest, granted: [AttemptID]) {
        guard state != nil, inbox.count < Self.inboxLimit else { return }
        deliver(.claimed(request, granted: granted))
    }

    /// Workers as this leader sees them; empty where this node does not lead.
    public func workers() -> [WorkerOverview] { state?.overview(at: moment().uptime) ?? [] }

    /// Runs that have not ended, of one job or of all, as this leader sees them; empty where this node does not lead.
    public func activeRuns(of job: JobID?, limit: Int) -> [ActiveRunOverview] {
        state?.activeRuns(of: job, limit: limit) ?? []
    }

    public func activeRun(_ id: RunID) -> ActiveRunOverview? { state?.activeRun(id) }

    /// Why a run waits; nil where it is not waiting here.
    public func explanation(of run: RunID) -> String? { state?.explanation(of: run) }

    // MARK: Office

    /// Leads until it is cancelled or loses office.
    /// - Throws: `LossOfOffice`, `StoreError`, `CancellationError`. Whoever waits for an answer has got one by then.
    func holdOffice(term: Term, trust: Trust) async throws {
        defer { leave() }
        let office = Office(term: term, trust: trust)
        try await reload(office)
        marks.begin(office)
        announce()
        try await withThrowingDiscardingTaskGroup { group in
            while true {
                try Task.checkCancellation()
                // A child that found the office lost has ended the group, not this loop; its error is thrown below.
                if group.isCancelled { return }
                try await self.extendAgenda(office)
                let effects = try await self.turn(office)
                try checkTrust(office)
                for effect in effects { self.perform(effect, term: term, in: &group) }
                if effects.isEmpty { try await self.rest() }
            }
        }
        try Task.checkCancellation()
        throw LossOfOffice("a request to a worker has ended it")
    }

    struct Office: Sendable {
        let term: Term
        let trust: Trust
    }

    /// Reads the whole truth from the database.
    func reload(_ office: Office) async throws {
        let snapshot = try await store.loadOffice(office.term)
        try checkTrust(office)
        state = LeaderState(
            snapshot: snapshot, term: office.term, node: node, policy: policy, zones: zones, now: moment(),
            continuing: state)
        log.info("read \(snapshot.runs.count) runs, \(snapshot.workers.count) workers for term \(office.term)")
    }

    /// Tells every known worker who leads now.
    private func announce() {
        state?.announce()
    }

    private func leave() {
        marks.end()
        state = nil
        published.withLock { $0 = LeaderStatus() }
        let left = inbox
        inbox = []
        for case .command(_, let continuation) in left {
            continuation.resume(returning: .failure(.notLeader("this node has just left office; nothing was done")))
        }
    }

    func moment() -> Moment {
        Moment(wall: clock.now(), uptime: .nanoseconds(Int64(clamping: timekeeper.monotonicNow.nanoseconds)))
    }

    private func checkTrust(_ office: Office) throws {
        guard office.trust.isValid(at: timekeeper.monotonicNow) else {
            throw LossOfOffice("the database was not heard from in time")
        }
    }

    /// Waits for the next thing to do.
    private func rest() async throws {
        guard inbox.isEmpty, let state else { return }
        let now = moment()
        // Only a part of what is due soon has been read.
        if state.agendaThrough < now.wall.advanced(by: policy.horizon / 2) { return }
        var wait = Self.longestWait
        if let wall = state.nextWall { wait = min(wait, now.wall.duration(to: wall)) }
        if let uptime = state.nextUptime { wait = min(wait, uptime - now.uptime) }
        guard wait > .zero else { return }
        _ = try await arrival.wait(atMost: wait, on: timekeeper)
    }

    // MARK: Agenda

    /// Keeps the agenda filled for half of the horizon at least.
    func extendAgenda(_ office: Office) async throws {
        var now = clock.now()
        var page = Self.agendaPage
        while let through = state?.agendaThrough, through < now.advanced(by: policy.horizon / 2) {
            let end = now.advanced(by: policy.horizon)
            let jobs = try await store.agenda(office.term, before: end, limit: page)
            let reached = jobs.count < page ? end : (jobs.last?.next?.due ?? end)
            state?.extendAgenda(jobs, through: reached)
            // What is due already is decided before more is read.
            if reached > through && reached > clock.now() && reached < end { return }
            if jobs.count == page, reached <= through { page *= 2 }
            if reached <= clock.now(), reached > through { return }
            now = clock.now()
        }
    }

    // MARK: Turns

    private func turn(_ office: Office) async throws -> [Effect] {
        let batch = takeBatch()
        do {
            return try await commit(batch, office)
        } catch let error as StoreError where error.code == .conflict {
            // Most often a claim that another node has granted, while this turn took the offer back.
            log.info("the database has moved on since this turn was decided (\(error.message)); deciding it anew")
            return try await isolate(batch, office)
        } catch let error as StoreError where error.code == .data {
            log.warning("a turn was refused by the database (\(error.message)); repeating its parts one by one")
            return try await isolate(batch, office)
        } catch {
            answerUnknown(batch)
            throw error
        }
    }

    /// The items of one turn: those in order of arrival, up to the first that needs a job which an earlier one writes.
    private func takeBatch() -> [Item] {
        var written = JobsWanted()
        var count = 0
        for item in inbox.prefix(Self.itemsPerTurn) {
            if case .command(let command, _) = item {
                let jobs = LeaderState.jobsWanted(by: command)
                if !jobs.isDisjoint(with: written) { break }
                if command.writesJob { written.formUnion(jobs) }
            }
            count += 1
        }
        let batch = Array(inbox.prefix(count))
        inbox.removeFirst(count)
        return batch
    }

    func commit(_ batch: [Item], _ office: Office, timers: Bool = true) async throws -> [Effect] {
        let facts = try await readFacts(for: batch, office)
        try checkTrust(office)
        guard var state else { throw LossOfOffice("there is no state") }
        self.state = nil  // one owner, so that nothing is copied; it is put back before the next suspension
        let now = moment()
        let due = state.nextWall
        state.learn(facts)
        if timers { state.advance(to: now) }
        var results: [Result<LeaderReply, DomainError>] = []
        for item in batch { results.append(Self.apply(item, to: &state, now: now)) }
        state.place(now: now)
        let changes = state.drainChanges()
        let effects = state.drainEffects()
        self.state = state
        publish(due: due, now: now.wall)
        if !changes.isEmpty {
            marks.begins(changes)
            defer { marks.ends(changes) }
            let begin = timekeeper.monotonicNow
            try await store.commit(office.term, changes)
            let took = begin.duration(to: timekeeper.monotonicNow)
            counted.withLock { $0.note(changes, took: took) }
            if !changes.outbox.isEmpty { published.withLock { $0.outboxWrites += 1 } }
            tellTroubles(of: changes)
        } else if !changes.starts.isEmpty {
            counted.withLock { $0.note(changes, took: nil) }
        }
        // Nothing may be thrown from here on: whoever catches an error answers the batch.
        answer(batch, results)
        return effects
    }

    private static func apply(
        _ item: Item, to state: inout LeaderState, now: Moment
    ) -> Result<LeaderReply, DomainError> {
        switch item {
        case .command(let command, _):
            do { return .success(try state.apply(command, now: now)) } catch { return .failure(error) }
        case .report(let report):
            do { return .success(try state.apply(.reports([report]), now: now)) } catch {
                return .failure(error)
            }
        case .claimed(let request, let granted):
            do { return .success(try state.apply(.claimed(request, granted: granted), now: now)) } catch {
                return .failure(error)
            }
        case .answer(let worker, let offers, let reply):
            state.offerAnswered(by: worker, offers: offers, reply: reply, now: now)
            return .success(.done)
        }
    }

    func readFacts(for batch: [Item], _ office: Office) async throws -> JobFacts {
        var wanted = state?.jobsWanted ?? JobsWanted()
        for item in batch {
            switch item {
            case .command(let command, _): wanted.formUnion(LeaderState.jobsWanted(by: command))
            case .report(let report): wanted.formUnion(LeaderState.jobsWanted(by: .reports([report])))
            case .answer, .claimed: break
            }
        }
        guard !wanted.isEmpty else { return JobFacts() }
        return JobFacts(try await store.jobs(office.term, wanted))
    }

    private func publish(due: Instant?, now: Instant) {
        guard let state else { return }
        published.withLock {
            $0.term = state.term
            $0.activeRuns = state.activeRuns
            $0.liveWorkers = state.liveWorkers
            $0.turns += 1
            if let due, due <= now { $0.lag = due.duration(to: now) } else { $0.lag = .zero }
        }
    }

    // MARK: Answers

    private func answer(_ batch: [Item], _ results: [Result<LeaderReply, DomainError>]) {
        for (item, result) in zip(batch, results) {
            if case .command(_, let continuation) = item { continuation.resume(returning: result) }
        }
    }

    func refuse(_ item: Item, because error: StoreError) {
        if case .report(let report) = item {
            log.with("run", report.attempt.run).warning(
                "dropped a report of \(report.attempt) that contradicts the database: \(error.message)")
        }
        guard case .command(let command, let continuation) = item else { return }
        if case .reports(let reports) = command {
            // Reports of tries that were never claimed: a worker that lies or repeats itself changes nothing.
            log.warning("dropped reports that contradict the database: \(reports.map(\.attempt))")
            continuation.resume(returning: .success(.reports(ReportReply(acknowledged: reports.map(\.attempt)))))
            return
        }
        let code: DomainError.Code = error.code == .data ? .invalid : .conflict
        continuation.resume(returning: .failure(DomainError(code, "the database refused it: \(error.message)")))
    }

    func answerUnknown(_ batch: [Item]) {
        for case .command(_, let continuation) in batch {
            continuation.resume(
                returning: .failure(
                    .unavailable(
                        "this node lost its office while it worked on the request; whether it took effect is unknown")))
        }
    }

    // MARK: Effects

    private func perform(_ effect: Effect, term: Term, in group: inout ThrowingDiscardingTaskGroup<any Error>) {
        switch effect {
        case .notice(let text): log.notice(text)
        case .adjust(let worker, let attempt, let timeout, let limits):
            let request = AdjustRequest(term: term, attempt: attempt, timeout: timeout, limits: limits)
            group.addTask {
                do { try await self.transport.adjust(request, at: worker) } catch {
                    self.log.warning(
                        "could not tell worker \(worker.name) of the new limits of \(attempt), which goes on with "
                            + "those that it had; change it once more: \(error)")
                }
            }
        case .kill(let worker, let attempts, let reasons):
            let request = KillRequest(term: term, attempts: attempts, reasons: reasons)
            group.addTask {
                do {
                    try await self.transport.kill(request, at: worker)
                } catch {
                    // The heartbeat's answer names them again until they have ended.
                    self.log.warning("could not tell worker \(worker.name) to end \(attempts): \(error)")
                }
            }
        case .offer(let worker, let offers):
            let batch = OfferBatch(term: term, leader: node.name, leaderURL: node.url, offers: offers)
            group.addTask { try await self.send(batch, to: worker) }
        }
    }

    private func send(_ batch: OfferBatch, to worker: WorkerDescription) async throws {
        let attempts = batch.offers.map(\.attempt)
        var batch = batch
        // The commit has taken its time: what is left now is what counts.
        let now = clock.now()
        for index in batch.offers.indices where batch.offers[index].lead > .zero {
            batch.offers[index].lead = max(.zero, now.duration(to: batch.offers[index].due))
        }
        do {
            let reply = try await transport.offer(batch, to: worker)
            switch reply {
            case .taken(_, let refused) where refused.isEmpty: return
            case .taken: deliver(.answer(worker, offers: attempts, reply: reply))
            case .stale(let highest):
                if highest > batch.term {
                    arrival.signal()
                    throw LossOfOffice("worker \(worker.name) has seen term \(highest)")
                }
                deliver(.answer(worker, offers: attempts, reply: reply))
            }
        } catch let error as TransportError {
            log.warning("worker \(worker.name) did not take \(attempts.count) offers: \(error)")
            deliver(.answer(worker, offers: attempts, reply: nil))
        }
    }

    private func deliver(_ item: Item) {
        inbox.append(item)
        arrival.signal()
    }
}

extension LeaderCommand {
    /// The command changes a job that others of the same turn must not have read before.
    fileprivate var writesJob: Bool {
        switch self {
        case .putJob, .deleteJob: true
        case .all(let commands): commands.contains { $0.writesJob }
        default: false
        }
    }
}
