public import Domain
import Timetable

/// The tables of the in-memory store that change, and the rules by which they do.
public struct MemoryTables: Sendable {
    public internal(set) var jobs: [JobID: Job] = [:]
    public internal(set) var definitions: [JobVersion: JobDefinition] = [:]
    public internal(set) var eras: [JobVersion: ScheduleEra] = [:]
    public internal(set) var edges: [EdgeKey: Bool] = [:]
    public internal(set) var runs: [RunID: ActiveRun] = [:]
    public internal(set) var workers: [String: Worker] = [:]
    public internal(set) var catalogue: Catalogue

    /// Run of each identity that must be unique among active runs.
    private var active: [RunKey: RunID] = [:]

    public struct EdgeKey: Hashable, Sendable {
        public let parent: JobID
        public let child: JobID
    }

    public struct ActiveRun: Sendable {
        public internal(set) var run: Run
        public internal(set) var claimedByBoot: String?
    }

    private struct RunKey: Hashable {
        let job: JobID
        let cause: String
        let lane: Int

        init(_ run: Run) {
            job = run.job.job
            cause = run.cause.text
            lane = run.lane
        }
    }

    init() {
        catalogue = Catalogue()
        for item in StockCatalogue.items(created: Instant(microseconds: 0)) { catalogue.put(item) }
    }

    // MARK: Reading

    func jobs(_ wanted: JobsWanted) -> [Job] {
        var found = jobs.values.filter { wanted.names.contains($0.definition.name) || wanted.ids.contains($0.id) }
        for key in wanted.usersOf {
            guard let user = jobs.values.first(where: { $0.definition.refers(to: key) }) else { continue }
            if !found.contains(where: { $0.id == user.id }) { found.append(user) }
        }
        return found.sorted { $0.id < $1.id }
    }

    func agenda(before: Instant) -> [Job] {
        jobs.values
            .compactMap { job in job.next.map { (job: job, due: $0.due) } }
            .filter { $0.job.isEnabled && $0.due < before }
            .sorted { ($0.due, $0.job.id) < ($1.due, $1.job.id) }
            .map(\.job)
    }

    func snapshot() -> OfficeSnapshot {
        let running = runs.values.map(\.run).sorted { $0.id < $1.id }
        var referred: [JobVersion: JobDefinition] = [:]
        for run in running { referred[run.job] = definitions[run.job] }
        return OfficeSnapshot(
            runs: running,
            definitions: referred,
            dependents: jobs.values
                .filter { if case .parents = $0.definition.trigger { true } else { false } }
                .sorted { $0.id < $1.id },
            edges:
                edges
                .map { Edge(parent: $0.key.parent, child: $0.key.child, isSatisfied: $0.value) }
                .sorted { ($0.child, $0.parent) < ($1.child, $1.parent) },
            workers: workers.values.sorted { $0.description.name < $1.description.name },
            catalogue: catalogue)
    }

    // MARK: Claims

    mutating func claim(_ request: ClaimRequest, now: Instant) -> ClaimReply {
        var reply = ClaimReply(granted: [], refused: [])
        for attempt in request.attempts {
            if grant(attempt, to: request, now: now) {
                reply.granted.append(attempt)
            } else {
                reply.refused.append(attempt)
            }
        }
        return reply
    }

    private mutating func grant(_ attempt: AttemptID, to request: ClaimRequest, now: Instant) -> Bool {
        guard var active = runs[attempt.run], active.run.attempt == attempt.number,
            active.run.worker == request.worker
        else { return false }
        switch active.run.state {
        case .offered:
            if let deadline = active.run.startDeadline, deadline < now { return false }
            active.run.state = .started
            active.run.startedAt = max(active.run.due, now)
            active.claimedByBoot = request.boot
            runs[attempt.run] = active
            return true
        case .started:
            return active.claimedByBoot == request.boot
        default:
            return false
        }
    }

    // MARK: Commits

    /// A failure leaves it half changed: the caller restores its copy.
    mutating func apply(_ changes: Changes, ended: [RunUpdate]) throws(StoreError) {
        try put(changes.putJobs)
        for era in changes.newEras {
            guard eras.updateValue(era, forKey: era.job) == nil else {
                throw StoreError(.conflict, "version \(era.job.version) of job \(era.job.job) has an era already")
            }
        }
        for (job, instant) in changes.closedEras where eras[job]?.closed == nil { eras[job]?.closed = instant }
        for job in changes.deletedJobs {
            jobs[job] = nil
            edges = edges.filter { $0.key.parent != job && $0.key.child != job }
        }
        for (child, listed) in changes.replacedEdges {
            edges = edges.filter { $0.key.child != child }
            for edge in listed { edges[EdgeKey(parent: edge.parent, child: edge.child)] = edge.isSatisfied }
        }
        for edge in changes.edges {
            let key = EdgeKey(parent: edge.parent, child: edge.child)
            if edges[key] != nil { edges[key] = edge.isSatisfied }
        }
        for advance in changes.advances { try apply(advance) }
        for run in changes.newRuns where !run.state.isTerminal { try begin(run) }
        for update in changes.runs { try apply(update) }
        try finish(ended)
        for sum in TallySum.all(of: changes.tallies) {
            if var job = jobs[sum.job] {
                sum.apply(to: &job.counters)
                jobs[sum.job] = job
            }
        }
        for (reference, reason) in changes.disabled where jobs[reference.job]?.version == reference.version {
            jobs[reference.job]?.isEnabled = false
            jobs[reference.job]?.disabledReason = reason.withoutNUL
        }
        for worker in changes.putWorkers { workers[worker.description.name] = worker }
        for (run, context) in changes.contexts { runs[run]?.run.context = context }
        for item in changes.putCatalogue { catalogue.put(item) }
        for key in changes.deletedCatalogue { catalogue.remove(key) }
        if let isEnabled = changes.isSchedulingEnabled { catalogue.isSchedulingEnabled = isEnabled }
    }

    private mutating func put(_ changed: [Job]) throws(StoreError) {
        guard !changed.isEmpty else { return }
        var owners: [String: JobID] = [:]
        for job in jobs.values { owners[job.definition.name] = job.id }
        for job in changed {
            let name = job.definition.name
            if let owner = owners[name], owner != job.id {
                throw StoreError(.conflict, "another job has the name '\(name)'")
            }
            if let former = jobs[job.id]?.definition.name, former != name { owners[former] = nil }
            owners[name] = job.id
            jobs[job.id] = job
            definitions[job.reference] = job.definition
        }
    }

    private mutating func apply(_ advance: Advance) throws(StoreError) {
        guard var job = jobs[advance.job.job], job.version == advance.job.version,
            job.decidedThrough.map({ $0 < advance.decidedThrough }) ?? true
        else { throw StoreError(.conflict, "job \(advance.job.job) is not as expected") }
        job.decidedThrough = advance.decidedThrough
        job.next = advance.next
        jobs[job.id] = job
    }

    private mutating func begin(_ run: Run) throws(StoreError) {
        guard runs[run.id] == nil, active[RunKey(run)] == nil else {
            throw StoreError(.conflict, "an active run has the identity of run \(run.id)")
        }
        runs[run.id] = ActiveRun(run: run, claimedByBoot: nil)
        active[RunKey(run)] = run.id
    }

    /// The row as the update expects it.
    private func expected(_ update: RunUpdate) throws(StoreError) -> ActiveRun {
        guard let current = runs[update.run.id], current.run.attempt == update.expectedAttempt,
            update.expectedStates.contains(current.run.state)
        else { throw StoreError(.conflict, "run \(update.run.id) is not as expected") }
        return current
    }

    private mutating func apply(_ update: RunUpdate) throws(StoreError) {
        let current = try expected(update)
        var next = current
        next.run.isLast = update.run.isLast
        next.run.isAbortRequested = update.run.isAbortRequested
        next.run.state = update.run.state
        next.run.attempt = update.run.attempt
        next.run.notBefore = update.run.notBefore
        next.run.startDeadline = update.run.startDeadline
        next.run.worker = update.run.worker
        next.run.offeredAt = update.run.offeredAt
        next.run.startedAt = update.run.startedAt
        next.run.reason = update.run.reason
        // A new try has been claimed by nobody.
        if next.run.state != .started || next.run.attempt != current.run.attempt { next.claimedByBoot = nil }
        runs[update.run.id] = next
    }

    private mutating func finish(_ updates: [RunUpdate]) throws(StoreError) {
        for update in updates where update.expectedStates.isEmpty && active[RunKey(update.run)] != nil {
            throw StoreError(.conflict, "an active run has the identity of run \(update.run.id)")
        }
        for update in updates where !update.expectedStates.isEmpty {
            let current = try expected(update)
            runs[update.run.id] = nil
            active[RunKey(current.run)] = nil
        }
    }
}
