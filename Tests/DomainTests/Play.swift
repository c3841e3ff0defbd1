import Testing
import Timetable

@testable import Domain

/// A leader on the stage: a clock, a database, workers that answer. After every turn the database must agree with what
/// the leader believes.
final class Play {
    var state: LeaderState
    var database = Database()
    var wall: Instant
    var uptime = Duration.seconds(1_000)
    var zones: NoZones
    let policy: SchedulingPolicy
    private(set) var effects: [Effect] = []
    /// Offers that no worker has answered.
    private(set) var offers: [(worker: String, offer: Offer)] = []
    private(set) var kills: [AttemptID] = []
    /// Workers that send heartbeats while time passes.
    var alive: Set<String> = []
    private var term = Term(timeline: 1, epoch: 1)
    private let horizon: Bool

    init(
        at start: String = "2026-01-01T00:00:00Z", zones: NoZones = NoZones(), limitedHorizon: Bool = true,
        _ change: (inout SchedulingPolicy) -> Void = { _ in }
    ) {
        var policy = SchedulingPolicy()
        change(&policy)
        self.policy = policy
        self.zones = zones
        wall = instant(start)
        horizon = limitedHorizon
        state = LeaderState(
            snapshot: database.snapshot, term: term, node: Self.node, policy: policy, zones: zones,
            now: Moment(wall: instant(start), uptime: .seconds(1_000)))
    }

    static let node = NodeDescription(name: "n1", url: "http://n1", boot: "b", version: "1")
    var now: Moment { Moment(wall: wall, uptime: uptime) }

    // MARK: Turns

    @discardableResult
    func turn(_ commands: [LeaderCommand] = [], _ location: SourceLocation = #_sourceLocation)
        -> [Result<LeaderReply, DomainError>]
    {
        var wanted = state.jobsWanted
        for command in commands { wanted.formUnion(LeaderState.jobsWanted(by: command)) }
        return turn(location, facts: database.jobs(wanted)) { state in
            commands.map { command in
                do throws(DomainError) { return .success(try state.apply(command, now: now)) } catch {
                    return .failure(error)
                }
            }
        }
    }

    @discardableResult
    func turn<T>(
        _ location: SourceLocation, facts: JobFacts? = nil, _ body: (inout LeaderState) -> T
    ) -> T {
        while horizon && state.agendaThrough < wall.advanced(by: policy.horizon / 2) || state.agendaThrough <= wall {
            let end = wall.advanced(by: policy.horizon)
            state.extendAgenda(database.agenda(before: end), through: end)
        }
        state.learn(facts ?? database.jobs(state.jobsWanted))
        state.advance(to: now)
        let result = body(&state)
        state.place(now: now)
        commit(location)
        return result
    }

    private func commit(_ location: SourceLocation) {
        do { try database.apply(state.drainChanges()) } catch {
            Issue.record("the database refused the turn: \(error)", sourceLocation: location)
        }
        for effect in state.drainEffects() {
            effects.append(effect)
            switch effect {
            case .offer(let worker, let list): offers += list.map { (worker.name, $0) }
            case .kill(_, let attempts, _): kills += attempts
            case .notice, .adjust: break
            }
        }
        agree(location)
    }

    @discardableResult
    func tell(_ command: LeaderCommand, _ location: SourceLocation = #_sourceLocation) throws -> LeaderReply {
        try turn([command], location)[0].get()
    }

    /// Lets time pass, with a turn whenever a timer asks for one and a heartbeat of each living worker every second.
    func pass(_ duration: Duration, _ location: SourceLocation = #_sourceLocation) {
        let end = uptime + duration
        var turns = 0
        while uptime < end {
            var step = min(.seconds(1), end - uptime)
            if let next = state.nextWall { step = min(step, max(.microseconds(1), wall.duration(to: next))) }
            if let next = state.nextUptime { step = min(step, max(.microseconds(1), next - uptime)) }
            uptime += step
            wall = wall.advanced(by: step)
            turn(alive.sorted().map { .heartbeat(beat($0)) }, location)
            turns += 1
            guard turns < 200_000 else {
                Issue.record("time does not pass", sourceLocation: location)
                return
            }
        }
    }

    func beat(_ worker: String, boot: String? = nil) -> WorkerHeartbeat {
        let held = database.runs.values.filter { $0.worker == worker && $0.state == .started }
            .map { HeldAttempt(attempt: $0.attemptID, phase: .started) }
        return WorkerHeartbeat(
            worker: worker, boot: boot ?? database.workers[worker]?.description.boot ?? "", held: held, freeDisk: 1)
    }

    /// A new leader takes over with what the database says.
    func failover(_ location: SourceLocation = #_sourceLocation) {
        term = Term(timeline: 1, epoch: term.epoch + 1)
        offers = []
        state = LeaderState(
            snapshot: database.snapshot, term: term, node: Self.node, policy: policy, zones: zones, now: now)
        turn([], location)
    }

    // MARK: Roles

    func worker(
        _ name: String, cpus: Double = 4, boot: String = "1", attributes: [String: String] = [:]
    ) {
        alive.insert(name)
        turn([
            .register(
                WorkerDescription(
                    name: name, url: "http://\(name)", boot: boot,
                    capacity: Resources(cpus: cpus, memory: 1e6, disk: 1e6), attributes: attributes, version: "1"))
        ])
    }

    @discardableResult
    func job(
        _ name: String, _ trigger: Trigger = .manual, enabled: Bool = true, mode: PutMode = .upsert,
        _ change: (inout JobDefinition) -> Void = { _ in }, _ location: SourceLocation = #_sourceLocation
    ) throws -> Job {
        var definition = JobDefinition(name: name)
        definition.trigger = trigger
        definition.retries = 0
        change(&definition)
        let reply = try tell(.putJob(definition, isEnabled: enabled, counters: nil, mode: mode), location)
        guard case .job(let job) = reply else { throw Database.Refusal("no job in the reply") }
        return job
    }

    /// Stores a job with options.
    @discardableResult
    func put(
        _ definition: JobDefinition, enabled: Bool = true, mode: PutMode = .upsert,
        _ location: SourceLocation = #_sourceLocation, _ change: (inout PutOptions) -> Void
    ) throws -> Job {
        var options = PutOptions()
        change(&options)
        let reply = try tell(
            .putJob(definition, isEnabled: enabled, counters: nil, mode: mode, options: options), location)
        guard case .job(let job) = reply else { throw Database.Refusal("no job in the reply") }
        return job
    }

    /// Why the leader refused the command.
    func refusal(_ command: LeaderCommand, _ location: SourceLocation = #_sourceLocation) -> DomainError? {
        guard case .failure(let error) = turn([command], location)[0] else { return nil }
        return error
    }

    func launch(
        _ key: JobKey, immediately: Bool = false, context: RunContext? = nil,
        _ location: SourceLocation = #_sourceLocation
    ) throws -> LaunchReport {
        var request = RunRequest(context: context)
        request.isRefusedIfBlocked = immediately
        guard case .launched(let report) = try tell(.runJob(key, request), location) else {
            throw Database.Refusal("no launch in the reply")
        }
        return report
    }

    func catalogue(_ item: CatalogueItem, _ location: SourceLocation = #_sourceLocation) throws {
        try tell(.putCatalogue(item, mode: .upsert), location)
    }

    static let authorship = Authorship(username: "admin", created: Instant(microseconds: 0), modified: .distantPast)

    @discardableResult
    func run(_ name: String, _ location: SourceLocation = #_sourceLocation) throws -> RunID {
        guard let id = try tell(.runJob(name: name, arguments: ""), location).launchedRun else {
            throw Database.Refusal("no run in the reply")
        }
        return id
    }

    /// Workers claim all that they were offered. Returns what was granted.
    @discardableResult
    func claim(_ location: SourceLocation = #_sourceLocation) -> [AttemptID] {
        let asked = offers
        offers = []
        var granted: [AttemptID] = []
        for (worker, offer) in asked where database.claim(offer.attempt, by: worker, at: wall) {
            granted.append(offer.attempt)
            turn(
                [
                    .claimed(
                        ClaimRequest(worker: worker, boot: "1", attempts: [offer.attempt]), granted: [offer.attempt])
                ], location)
        }
        return granted
    }

    func report(_ attempt: AttemptID, _ outcome: AttemptOutcome, worker: String = "w1") -> LeaderCommand {
        .reports([
            AttemptReport(
                attempt: attempt, worker: worker, boot: "1", startedAt: wall, finishedAt: wall, outcome: outcome,
                reason: "", outputTail: "")
        ])
    }

    /// Ends a started run with the details of a plugin.
    func end(
        _ id: RunID, code: Int = 0, _ location: SourceLocation = #_sourceLocation,
        _ change: (inout ReportedResult) -> Void = { _ in }
    ) {
        claim(location)
        guard let run = database.runs[id], run.state == .started else {
            Issue.record("\(id) has not started", sourceLocation: location)
            return
        }
        var details = AttemptDetails()
        var result = ReportedResult()
        change(&result)
        details.result = result
        turn(
            [
                .reports([
                    AttemptReport(
                        attempt: run.attemptID, worker: run.worker, boot: "1", startedAt: wall, finishedAt: wall,
                        outcome: .reported(isSuccess: code == 0), reason: "", outputTail: "", details: details)
                ])
            ], location)
    }

    /// Claims everything and ends it with that exit status.
    func finish(_ code: Int = 0, _ location: SourceLocation = #_sourceLocation) {
        claim(location)
        for run in database.runs.values.sorted(by: { $0.id < $1.id }) where run.state == .started {
            turn([report(run.attemptID, .exited(code: code), worker: run.worker)], location)
        }
    }

    func answer(_ reply: OfferReply?, _ location: SourceLocation = #_sourceLocation) {
        let asked = offers
        offers = []
        for (worker, list) in Dictionary(grouping: asked, by: \.worker) {
            guard let description = database.workers[worker]?.description else { continue }
            let attempts = list.map(\.offer.attempt)
            turn(location) { (state: inout LeaderState) -> Void in
                state.offerAnswered(by: description, offers: attempts, reply: reply, now: now)
            }
        }
    }

    func named(_ name: String) -> Job? { database.jobs.values.first { $0.definition.name == name } }
    func active(_ name: String) -> [Run] {
        database.runs.values.filter { $0.jobName == name }.sorted { $0.id < $1.id }
    }
    func ended(_ name: String) -> [Run] {
        database.history.values.filter { $0.jobName == name }.sorted { $0.id < $1.id }
    }
    func verdicts(_ name: String) -> [Verdict] {
        database.ledger.filter { $0.jobName == name }.map(\.verdict)
    }

    // MARK: Agreement

    private func agree(_ location: SourceLocation) {
        #expect(Set(state.runs.keys) == Set(database.runs.keys), sourceLocation: location)
        for (id, active) in state.runs {
            guard let stored = database.runs[id] else { continue }
            let sameState =
                stored.state == active.run.state || (stored.state == .waiting && active.run.state == .queued)
                // A claim that the leader has not been told of.
                || (stored.state == .started && active.run.state == .offered)
            #expect(sameState, "\(id): \(stored.state) ≠ \(active.run.state)", sourceLocation: location)
            #expect(stored.attempt == active.run.attempt, sourceLocation: location)
            #expect(stored.worker == active.run.worker, sourceLocation: location)
            #expect(stored.isLast == active.run.isLast, sourceLocation: location)
        }
        for (id, entry) in state.agenda {
            guard let stored = database.jobs[id] else {
                Issue.record("job \(id) is on the agenda and nowhere else", sourceLocation: location)
                continue
            }
            #expect(stored.version == entry.job.version && stored.isEnabled, sourceLocation: location)
            #expect(stored.decidedThrough == entry.job.decidedThrough, sourceLocation: location)
        }
        for job in database.agenda(before: state.agendaThrough) {
            #expect(state.agenda[job.id] != nil, "\(job.definition.name) is forgotten", sourceLocation: location)
        }
        for edge in database.edges.values {
            #expect(state.parentsOf[edge.child]?[edge.parent] == edge.isSatisfied, sourceLocation: location)
        }
        let count = state.parentsOf.values.reduce(0) { $0 + $1.count }
        #expect(count == database.edges.count, sourceLocation: location)
        for (name, worker) in state.workers {
            #expect(database.workers[name] == worker.worker, sourceLocation: location)
            let holders = state.runs.values.filter {
                $0.run.worker == name && ($0.run.state == .offered || $0.run.state == .started)
            }
            let cpus = holders.reduce(0) { $0 + $1.definition.resources.cpus }
            #expect(abs(cpus - worker.used.cpus) < 1e-6, "\(name) holds \(cpus)", sourceLocation: location)
            #expect(worker.used.fits(in: worker.worker.description.capacity), sourceLocation: location)
            #expect(Set(holders.map(\.run.id)) == state.runsOfWorker[name] ?? [], sourceLocation: location)
        }
    }
}
