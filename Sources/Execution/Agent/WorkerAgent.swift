public import Domain
public import Runtime
import Timetable

/// The worker: takes offers, claims them, has them run, and tells what became of them.
///
/// An actor on the loop (or on the simulation's executor). `run()` first reads the journal; until that is done, offers
/// are answered with `.unavailable`.
public actor WorkerAgent: Service {
    public nonisolated let name = "worker"

    let configuration: WorkerConfiguration
    let uplink: any WorkerUplink
    let launcher: any ProcessLauncher
    let journal: any AttemptJournal
    let timekeeper: any Timekeeper
    let log: Log
    private let epoch = LogNumber()

    var isReady = false
    var isDraining = false
    var highestTerm = Term.none
    var holdings: [AttemptID: Holding] = [:]
    /// Of these, those whose command runs: there may be thousands that wait.
    var running: Set<AttemptID> = []
    var executed = RecentAttempts(limit: ExecutionLimits.rememberedAttempts)
    /// Resources of what is accepted or started.
    var used = Resources.zero
    /// Ended attempts whose reports are not acknowledged, in the order in which they are sent.
    var spool: [AttemptID] = []
    /// Somebody will flush the ends that are not acknowledged by then.
    var flushIsDue = false
    /// Tasks that claim or run something.
    var busyTasks = 0
    let reportWanted = WakeUp()
    let leaderChanged = WakeUp()
    let heartbeatWanted = WakeUp()
    let becameIdle = WakeUp()
    let runStarted = WakeUp()
    /// Processes that were still alive long after they were killed, since this worker's start: for metrics.
    public internal(set) var survivors = 0
    var counted = WorkerFigures()
    var leaderClock = LeaderClock()
    var claimPace = ClaimPace()

    public nonisolated var unownedExecutor: UnownedSerialExecutor { timekeeper.asUnownedSerialExecutor() }

    var boot: String { configuration.description.boot }
    var workerName: String { configuration.description.name }
    var wallNow: Instant { Instant(microseconds: timekeeper.wallMicroseconds) }

    public init(
        configuration: WorkerConfiguration, uplink: any WorkerUplink, launcher: any ProcessLauncher,
        journal: any AttemptJournal, timekeeper: any Timekeeper, log: Log = Log("worker")
    ) {
        self.configuration = configuration
        self.uplink = uplink
        self.launcher = launcher
        self.journal = journal
        self.timekeeper = timekeeper
        self.log = log.with("epoch", epoch)
    }

    /// Runs until it is cancelled, which ends no command: they are found by the next start. `shutDown` ends them.
    /// - Throws: `JournalError` when the journal cannot be read: without it nothing can be promised.
    public func run() async throws {
        try await recover()
        let timekeeper = self.timekeeper
        await withTaskGroup(of: Void.self) { group in
            group.addTask(executorPreference: timekeeper) { await self.keepInTouch() }
            group.addTask(executorPreference: timekeeper) { await self.deliverReports() }
            group.addTask(executorPreference: timekeeper) { await self.keepHouse() }
            group.addTask(executorPreference: timekeeper) { await self.watchUsage() }
        }
    }

    // MARK: What a leader says

    /// Takes what it can, journals that, and goes on to claim it. Returns when the journal is durable.
    /// - Throws: `DomainError.unavailable` before the journal was read.
    public func offer(_ batch: OfferBatch) async throws(DomainError) -> OfferReply {
        guard isReady else { throw .unavailable("the worker is starting; offer again later") }
        let received = timekeeper.monotonicNow
        guard batch.term >= highestTerm else { return .stale(highest: highestTerm) }
        let isNewTerm = batch.term > highestTerm
        guard await noteLeader(url: batch.leaderURL, term: batch.term) else { return .stale(highest: highestTerm) }
        if let offer = batch.offers.first(where: { $0.lead > .zero }) {
            leaderClock.note(offer.due.advanced(by: .zero - offer.lead), at: received)
        }
        // A term that begins while the journal is written forgets it.
        let clock = leaderClock

        var (accepted, refused) = decide(batch.offers)
        if !accepted.isEmpty || isNewTerm {
            do throws(JournalError) {
                // Crash before this: the leader gets no answer and offers again. Crash after it: the next start reports
                // these attempts as interrupted, and nobody starts them here.
                try await journal.append([.accepted(accepted, term: batch.term)], durable: true)
            } catch {
                log.error("cannot journal \(accepted.count) offers: \(error)")
                for attempt in accepted {
                    drop(attempt)
                    refused.append(OfferRefusal(attempt: attempt, reason: error.message, isPermanent: false))
                }
                accepted = []
            }
        }
        for wave in ClaimWave.waves(of: batch.offers, accepted: accepted, clock: clock, received: received) {
            for attempt in wave.attempts { holdings[attempt]?.startAt = wave.startAt }
            startTask("claim") { await self.claim(wave) }
        }
        return .taken(boot: boot, refused: refused)
    }

    /// Begins to end the attempts; those that are not held are ignored. Returns before they have ended.
    /// - Throws: `DomainError.conflict` for a term lower than the highest seen.
    public func kill(_ request: KillRequest) async throws(DomainError) {
        guard request.term >= highestTerm else {
            throw DomainError(.conflict, "the term \(request.term) is over: this worker has seen \(highestTerm)")
        }
        raiseTerm(request.term)
        for attempt in request.attempts {
            if holdings[attempt]?.ending == nil { holdings[attempt]?.abortReason = request.reasons[attempt] ?? "" }
            await end(attempt, because: .aborted)
        }
    }

    /// Gives a try that has not ended new limits; one that is not held is ignored.
    /// - Throws: `DomainError.conflict` for a term lower than the highest seen.
    public func adjust(_ request: AdjustRequest) async throws(DomainError) {
        guard request.term >= highestTerm else {
            throw DomainError(.conflict, "the term \(request.term) is over: this worker has seen \(highestTerm)")
        }
        raiseTerm(request.term)
        let attempt = request.attempt
        guard let holding = holdings[attempt], holding.phase != .finished, var offer = holding.offer else { return }
        let former = offer.timeout
        var extras = offer.extras ?? .none
        extras.limits = request.limits
        offer.extras = extras == .none ? nil : extras
        offer.timeout = request.timeout
        holdings[attempt]?.offer = offer
        await holding.process?.remember(offer)
        if holding.limits != nil {
            holdings[attempt]?.limits = LimitWatch(request.limits, hardMemory: offer.resources.memory)
        }
        guard former != request.timeout, let timeout = request.timeout, let startedAt = holding.startedAt else {
            return
        }
        let timekeeper = self.timekeeper
        let rest = max(.zero, timeout - startedAt.duration(to: wallNow))
        // Not one that the worker's end would wait for.
        timekeeper.start("timeout") {
            // Cancelled: the worker ends.
            guard (try? await timekeeper.sleep(for: rest)) != nil else { return }
            await self.timeOut(attempt, after: timeout)
        }
    }

    /// What the journal holds, for heartbeats.
    public var held: [HeldAttempt] {
        holdings.map { HeldAttempt(attempt: $0.key, phase: $0.value.phase) }.sorted { $0.attempt < $1.attempt }
    }

    private func decide(_ offers: [Offer]) -> (accepted: [AttemptID], refused: [OfferRefusal]) {
        var acceptance = Acceptance(
            description: configuration.description, users: configuration.users, heldLimit: configuration.heldLimit,
            now: wallNow, used: used, heldCount: holdings.count, containers: configuration.containers)
        var accepted: [AttemptID] = []
        var refused: [OfferRefusal] = []
        for offer in offers {
            let attempt = offer.attempt
            if isDraining, holdings[attempt] == nil {
                refused.append(
                    OfferRefusal(attempt: attempt, reason: "this worker is shutting down", isPermanent: false))
                continue
            }
            switch acceptance.decide(
                offer, isHeld: holdings[attempt] != nil, wasExecuted: executed.contains(attempt))
            {
            case .held: break
            case .refused(let reason, let isPermanent):
                refused.append(OfferRefusal(attempt: attempt, reason: reason, isPermanent: isPermanent))
            case .accepted(let user):
                hold(offer, user: user)
                accepted.append(attempt)
            }
        }
        return (accepted, refused)
    }

    // MARK: Holdings

    private func hold(_ offer: Offer, user: String) {
        var patience = ExecutionLimits.claimPatience
        if let deadline = offer.startDeadline { patience = min(patience, wallNow.duration(to: deadline)) }
        holdings[offer.attempt] = Holding(
            offer: offer, user: user, claimUntil: timekeeper.monotonicNow.advanced(by: patience))
        used = used + offer.resources
    }

    /// Takes it out of the holdings; what it used is free again.
    func drop(_ attempt: AttemptID) {
        running.remove(attempt)
        guard let holding = holdings.removeValue(forKey: attempt) else { return }
        if holding.phase != .finished { release(holding) }
    }

    func release(_ holding: Holding) {
        guard let offer = holding.offer else { return }
        used = used - offer.resources
        // Sums of doubles do not come back to zero by themselves.
        if !holdings.values.contains(where: { $0.phase != .finished }) { used = .zero }
    }

    // MARK: Terms and tasks

    /// - Returns: false for a term that is over.
    @discardableResult
    func noteLeader(url: String, term: Term) async -> Bool {
        guard term >= highestTerm else { return false }
        let isNew = term > highestTerm
        if isNew { leaderClock.forget() }
        highestTerm = term
        epoch.set(term.epoch)
        await uplink.leaderAnnounced(url: url, term: term)
        if isNew {
            // The new leader does not know this worker yet, and waits for what it holds.
            heartbeatWanted.signal()
            leaderChanged.signal()
        }
        return true
    }

    func raiseTerm(_ term: Term) {
        guard term > highestTerm else { return }
        leaderClock.forget()
        highestTerm = term
        epoch.set(term.epoch)
        // Not waited for: only what is accepted under a term makes it worth a flush, and that writes it again.
        journal.enqueue([.term(term)], durable: false) { _ in }
    }

    /// The agent's own tasks, which `shutDown` waits for.
    func startTask(_ name: String, _ body: @escaping @Sendable () async -> Void) {
        busyTasks += 1
        timekeeper.start(name) {
            await body()
            await self.taskEnded()
        }
    }

    private func taskEnded() {
        busyTasks -= 1
        if busyTasks == 0 { becameIdle.signal() }
    }
}
