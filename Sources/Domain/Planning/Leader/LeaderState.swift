// What a leader holds in memory, and all that it decides.
//
// The leader works in turns. A turn takes what has arrived (time, commands, answers of workers), changes this state,
// and drains two lists from it: changes, which the shell commits in one fenced transaction, and effects, which it
// performs after the commit. The state runs ahead of the database within a turn; if the commit fails the whole state is
// thrown away and read anew, so there is no undo. If the leader crashes at any point its successor reads the same
// truth: what was committed happened, what was not never did, and no worker starts anything that is not committed.
//
// It holds what has not ended and what is due within the horizon, never all jobs. It refuses to read clocks, to wait,
// and to talk to anybody.

public import Timetable

/// What the shell does after a turn has been committed.
public enum Effect: Sendable {
    /// Send these offers; without any it announces the leader.
    case offer(worker: WorkerDescription, offers: [Offer])
    case kill(worker: WorkerDescription, attempts: [AttemptID], reasons: [AttemptID: String])
    /// A run was changed while a worker has it.
    case adjust(worker: WorkerDescription, attempt: AttemptID, timeout: Duration?, limits: RunLimits)
    /// For the log of the operator.
    case notice(String)
}

public struct LeaderState: Sendable {
    public let term: Term
    public let node: NodeDescription
    public let policy: SchedulingPolicy
    let zones: any ZoneDatabase
    var identifiers: IdentifierSource

    /// Jobs due within the horizon.
    var agenda: [JobID: AgendaEntry] = [:]
    /// Every enabled job that is due before this is in the agenda.
    public internal(set) var agendaThrough: Instant

    var runs: [RunID: ActiveRun] = [:]
    /// Runs of each job that have not ended, oldest first.
    var runsOfJob: [JobID: [RunID]] = [:]
    var queues: [Shape: MinHeap<QueueKey, RunID>] = [:]

    /// Jobs that have parents, and the graph in both directions.
    var dependents: [JobID: Job] = [:]
    var parentsOf: [JobID: [JobID: Bool]] = [:]
    var childrenOf: [JobID: Set<JobID>] = [:]

    var workers: [String: WorkerState] = [:]
    /// Offered and started runs by worker.
    var runsOfWorker: [String: Set<RunID>] = [:]
    var catalogue: Catalogue
    /// Workers of each group; empty: not known.
    var groupMembers: [String: Set<String>] = [:]
    /// Offered and started runs by category, of those that have a limit or not.
    var activeOfCategory: [String: Int] = [:]
    /// Where the next run of a job with round-robin placement goes on, in the order of the workers' names.
    var robins: [JobID: Int] = [:]
    /// Jobs whose next occurrence is due and kept for later: full catch-up drops nothing.
    var held: Set<JobID> = []
    /// By the text that names them.
    var chainTargets: [String: ChainTarget] = [:]
    var unknownChains: Set<String> = []
    /// Jobs with an occurrence that is refused once it is known what follows that, and their definitions.
    var refusing: [JobVersion: JobDefinition] = [:]
    /// Occurrences that were refused last, by index, so that what is held is told once.
    var lastRefused: [JobVersion: Int64] = [:]
    /// Runs that can never start; they are ended in the next turn, when it is known what follows them.
    var doomed: [RunID] = []
    /// Bytes of what running tasks have told of themselves.
    var detailBytes = 0

    /// Jobs as the database has them, for this turn, and those that the turn itself has stored (nil: deleted).
    var facts = JobFacts()
    var jobsOfTurn: [JobID: Job?] = [:]
    var namesOfTurn: [String: JobID] = [:]

    /// Of the turn that is being decided.
    var uptime: Duration
    /// Tries declared lost of late, so that a result that comes after all can be kept.
    var lostAttempts: [AttemptID: String] = [:]
    /// Due instants of manual runs are kept apart by a millisecond, since Chronos' task ids carry nothing finer.
    var lastManualDue: [JobID: Instant] = [:]

    var wallTimers = MinHeap<Instant, WallTimer>()
    var steadyTimers = MinHeap<Duration, SteadyTimer>()
    /// Jobs that have more due occurrences than one turn launches: the next turn goes on with them.
    var postponed: [JobVersion: Instant] = [:]

    var changes = Changes()
    var effects: [Effect] = []
    var dirtyRuns: Set<RunID> = []
    var advances: [JobVersion: Advance] = [:]
    var dirtyEdges: [Edge: Bool] = [:]

    /// - Parameter former: the state that this one replaces within the same office, after a commit that was refused.
    ///   Identifiers that it gave away are not given again, and what it knew of workers goes on.
    public init(
        snapshot: OfficeSnapshot, term: Term, node: NodeDescription, policy: SchedulingPolicy,
        zones: any ZoneDatabase, now: Moment, continuing former: LeaderState? = nil
    ) {
        self.term = term
        self.node = node
        self.policy = policy
        self.zones = zones
        identifiers = IdentifierSource(term: term)
        if let former, former.term == term {
            identifiers = former.identifiers
            lostAttempts = former.lostAttempts
            lastManualDue = former.lastManualDue
            robins = former.robins
        }
        catalogue = snapshot.catalogue
        agendaThrough = .distantPast
        uptime = now.uptime
        for worker in snapshot.workers.sorted(by: { $0.description.name < $1.description.name }) {
            var state = WorkerState(worker: worker, lastHeard: now.uptime)
            if let known = former?.workers[worker.description.name], known.worker.description == worker.description {
                state.lastHeard = known.lastHeard
                state.isLive = known.isLive
                state.avoidedUntil = known.avoidedUntil
                if known.avoidedUntil > now.uptime { steadyTimers.insert(.reconsider, at: known.avoidedUntil) }
            }
            workers[worker.description.name] = state
            watchSilence(of: worker.description.name)
        }
        for job in snapshot.dependents { dependents[job.id] = job }
        for edge in snapshot.edges { link(edge) }
        let found = snapshot.runs.sorted { ($0.due, $0.id) < ($1.due, $1.id) }
        for run in found { adopt(run, definition: snapshot.definitions[run.job], now: now) }
        offerAgain(found.filter { $0.state == .offered }.map(\.id), now: now)
        // Only when all are known: one that is active blocks the others of its job, whatever their order.
        for run in found where run.state == .queued {
            if run.notBefore == nil { queue(run.id) } else { awaitTurn(run.id, now: now) }
        }
    }

    /// What this turn writes. Empties the list.
    public mutating func drainChanges() -> Changes {
        for id in dirtyRuns.sorted() { describeRun(id) }
        dirtyRuns.removeAll(keepingCapacity: true)
        for (edge, satisfied) in dirtyEdges.sorted(by: { ($0.key.parent, $0.key.child) < ($1.key.parent, $1.key.child) }
        ) {
            changes.edges.append(Edge(parent: edge.parent, child: edge.child, isSatisfied: satisfied))
        }
        dirtyEdges.removeAll(keepingCapacity: true)
        changes.advances = advances.values.sorted { $0.job.job < $1.job.job }
        advances.removeAll(keepingCapacity: true)
        for (version, due) in postponed.sorted(by: { ($0.value, $0.key.job) < ($1.value, $1.key.job) }) {
            wallTimers.insert(.due(version), at: due)
        }
        postponed.removeAll(keepingCapacity: true)
        // As the database does it: what was put in this turn first, then what was counted.
        for tally in changes.tallies { dependents[tally.job]?.counters.add(tally) }
        facts = JobFacts()
        jobsOfTurn.removeAll(keepingCapacity: true)
        namesOfTurn.removeAll(keepingCapacity: true)
        defer { changes = Changes() }
        return changes
    }

    public mutating func drainEffects() -> [Effect] {
        defer { effects = [] }
        typealias Kill = (worker: WorkerDescription, attempts: [AttemptID], reasons: [AttemptID: String])
        var kills: [String: Kill] = [:]
        var others: [Effect] = []
        for effect in effects {
            guard case .kill(let worker, let attempts, let reasons) = effect else {
                others.append(effect)
                continue
            }
            kills[worker.name, default: (worker, [], [:])].attempts += attempts
            kills[worker.name]?.reasons.merge(reasons) { first, _ in first }
        }
        for kill in kills.values.sorted(by: { $0.worker.name < $1.worker.name }) {
            others.append(.kill(worker: kill.worker, attempts: kill.attempts, reasons: kill.reasons))
        }
        return others
    }

    public var activeRuns: Int { runs.count }
    public var liveWorkers: Int { workers.values.reduce(0) { $0 + ($1.isLive ? 1 : 0) } }

    /// Runs found in the database by a new leader. Offered ones are offered again to the same worker, which knows them
    /// by their attempt; started ones are followed.
    private mutating func adopt(_ run: Run, definition: JobDefinition?, now: Moment) {
        let definition = run.context?.definition ?? definition ?? JobDefinition(name: run.jobName)
        var active = ActiveRun(run: run, definition: definition)
        active.persisted = .init(state: run.state, attempt: run.attempt)
        active.offeredAt = now.uptime
        runs[run.id] = active
        runsOfJob[run.job.job, default: []].append(run.id)
        useChains(of: definition)
        switch run.state {
        case .offered:
            hold(active)
            steadyTimers.insert(.offerTimeout(run.attemptID), at: now.uptime + policy.offerTimeout)
        case .started:
            hold(active)
            armCompletion(active)
            // A worker that the database does not know may still come back; if it does not, nobody else would notice.
            if !run.worker.isEmpty, workers[run.worker] == nil {
                steadyTimers.insert(.absence(run.worker), at: now.uptime + policy.workerLost)
            }
        case .waiting: awaitRetry(active, now: now)
        default: break
        }
        if let deadline = run.startDeadline { wallTimers.insert(.startDeadline(run.id), at: deadline) }
    }
}

/// A job that is due soon.
struct AgendaEntry: Sendable {
    var job: Job
    var schedule: Schedule
}

/// A run that has not ended.
struct ActiveRun: Sendable {
    struct Persisted: Sendable {
        var state: RunState
        var attempt: Int
    }
    var run: Run
    var definition: JobDefinition
    /// As the database has it; nil before the first commit.
    var persisted: Persisted?
    /// Uptime of the last offer.
    var offeredAt: Duration = .zero
    /// Heartbeats of its worker in a row that did not name it.
    var unheard = 0
    /// Workers that can never run it, by their own word, and the last such word.
    var excluded: Set<String> = []
    var refusal = ""
    var isQueued = false
    var lastRecord: AttemptRecord?
    /// What its worker last told of it.
    var details: AttemptDetails?

    init(run: Run, definition: JobDefinition) {
        self.run = run
        self.definition = definition
    }

    mutating func become(_ state: RunState) {
        assert(run.state.mayBecome(state), "run \(run.id) cannot become \(state) from \(run.state)")
        run.state = state
    }

    var shape: Shape {
        Shape(
            resources: definition.resources, constraints: definition.requirements, target: definition.target,
            worker: run.context?.worker ?? "", category: definition.category, plugin: definition.plugin)
    }

    /// For counting what a category has; a job without one is in `general`.
    var categoryKey: String { definition.category.isEmpty ? "general" : definition.category }

    /// An occurrence of a job with full catch-up, which a loss does not use up (cronicle.md §2.6).
    var mayRunAgain: Bool {
        guard case .schedule = run.cause else { return false }
        return definition.catchUp == .all && !definition.isMultiplexed
    }
}

/// Runs that need the same of a worker wait in one queue: when the first finds no room the others need not be tried.
struct Shape: Hashable, Sendable {
    var resources: Resources
    var constraints: [Constraint]
    var target: Target
    /// The only one that may take it; empty: any.
    var worker: String
    var category: String
    var plugin: String
}

struct QueueKey: Comparable, Sendable {
    var isHighPriority: Bool
    var due: Instant
    var id: RunID
    static func < (left: Self, right: Self) -> Bool {
        if left.isHighPriority != right.isHighPriority { return left.isHighPriority }
        return (left.due, left.id) < (right.due, right.id)
    }
}

struct WorkerState: Sendable {
    var worker: Worker
    /// Uptime of the last sign of life to this leader.
    var lastHeard: Duration
    /// Offers may be sent: it was heard within its lease, or this leader has not had time to hear it.
    var isLive = true
    /// The silence of this worker is being watched by a timer.
    var isWatched = false
    /// A request to it failed: it gets no offers before this uptime, even if it is heard.
    var avoidedUntil = Duration.zero
    /// Sum of what its offered and started tries need.
    var used = Resources.zero
    var free: Resources { worker.description.capacity - used }

    init(worker: Worker, lastHeard: Duration) {
        self.worker = worker
        self.lastHeard = lastHeard
    }
}

enum WallTimer: Sendable {
    case due(JobVersion)
    case startDeadline(RunID)
    /// A job that reports its completion has not done so in time.
    case completion(AttemptID)
}

enum SteadyTimer: Sendable {
    case retry(AttemptID)
    case offerTimeout(AttemptID)
    case workerSilence(String)
    /// A worker that no leader has heard of has runs.
    case absence(String)
    case requeue(AttemptID)
    /// The turn of a copy of a multiplexed run has come.
    case stagger(RunID)
    /// Nothing but a turn, in which queued runs are placed.
    case reconsider
}
