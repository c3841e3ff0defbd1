// What leader and workers say to each other. Values only; WorkerProtocol puts them on the wire and signs them.

public import Timetable

/// One try, named to a worker with all that it needs to decide and to run it.
public struct Offer: Hashable, Sendable {
    public var attempt: AttemptID
    public var job: JobVersion
    public var jobName: String
    public var owner: String
    public var taskID: String
    public var due: Instant
    public var command: String
    public var shell: Bool
    /// Complete argument vector after the command; empty where `shell` is true.
    public var arguments: [String]
    public var environment: [EnvironmentVariable]
    public var user: String
    public var resources: Resources
    public var constraints: [Constraint]
    public var timeout: Duration?
    public var startDeadline: Instant?
    /// How long before `due` it was offered, by the cluster's clock; zero: it may be started at once. The worker's own
    /// clock does not count.
    public var lead: Duration
    /// Nil: none of it.
    public var extras: OfferExtras?

    public init(
        attempt: AttemptID, job: JobVersion, jobName: String, owner: String, taskID: String, due: Instant,
        command: String, shell: Bool, arguments: [String], environment: [EnvironmentVariable], user: String,
        resources: Resources, constraints: [Constraint], timeout: Duration?, startDeadline: Instant?,
        lead: Duration = .zero, extras: OfferExtras? = nil
    ) {
        self.attempt = attempt
        self.job = job
        self.jobName = jobName
        self.owner = owner
        self.taskID = taskID
        self.due = due
        self.command = command
        self.shell = shell
        self.arguments = arguments
        self.environment = environment
        self.user = user
        self.resources = resources
        self.constraints = constraints
        self.timeout = timeout
        self.startDeadline = startDeadline
        self.lead = lead
        self.extras = extras
    }
}

/// Offers of one leader to one worker. Without offers it announces the leader.
public struct OfferBatch: Hashable, Sendable {
    public var term: Term
    public var leader: String
    public var leaderURL: String
    public var offers: [Offer]
    public init(term: Term, leader: String, leaderURL: String, offers: [Offer]) {
        self.term = term
        self.leader = leader
        self.leaderURL = leaderURL
        self.offers = offers
    }
}

public struct OfferRefusal: Hashable, Sendable {
    public var attempt: AttemptID
    /// For people: which limit or constraint it was.
    public var reason: String
    /// The worker will never be able to run it, so that asking again is useless.
    public var isPermanent: Bool
    public init(attempt: AttemptID, reason: String, isPermanent: Bool) {
        self.attempt = attempt
        self.reason = reason
        self.isPermanent = isPermanent
    }
}

public enum OfferReply: Hashable, Sendable {
    /// The worker has journalled all but the refused ones and goes on to claim them.
    case taken(boot: String, refused: [OfferRefusal])
    /// The worker has seen a later term: the sender is no leader any more.
    case stale(highest: Term)
}

public struct KillRequest: Hashable, Sendable {
    public var term: Term
    public var attempts: [AttemptID]
    /// For people, as far as they are known: they stand in the logs.
    public var reasons: [AttemptID: String]
    public init(term: Term, attempts: [AttemptID], reasons: [AttemptID: String] = [:]) {
        self.term = term
        self.attempts = attempts
        self.reasons = reasons
    }
}

/// New limits for a try that runs, in place of those that it was offered with.
public struct AdjustRequest: Hashable, Sendable {
    public var term: Term
    public var attempt: AttemptID
    /// From the try's start; nil: none.
    public var timeout: Duration?
    public var limits: RunLimits
    public init(term: Term, attempt: AttemptID, timeout: Duration?, limits: RunLimits) {
        self.term = term
        self.attempt = attempt
        self.timeout = timeout
        self.limits = limits
    }
}

/// A worker's request to start what it was offered. Any node may answer: the row decides, not an office.
public struct ClaimRequest: Hashable, Sendable {
    public var worker: String
    public var boot: String
    public var attempts: [AttemptID]
    public init(worker: String, boot: String, attempts: [AttemptID]) {
        self.worker = worker
        self.boot = boot
        self.attempts = attempts
    }
}

public struct ClaimReply: Hashable, Sendable {
    /// To be started, each once. A claim repeated by the same boot of the same worker is granted again.
    public var granted: [AttemptID]
    /// To be forgotten.
    public var refused: [AttemptID]
    public init(granted: [AttemptID], refused: [AttemptID]) {
        self.granted = granted
        self.refused = refused
    }
}

/// A worker's sign of life to the leader.
public struct WorkerHeartbeat: Hashable, Sendable {
    public var worker: String
    public var boot: String
    public var held: [HeldAttempt]
    /// Megabytes free below the work directory.
    public var freeDisk: Double
    public init(worker: String, boot: String, held: [HeldAttempt], freeDisk: Double) {
        self.worker = worker
        self.boot = boot
        self.held = held
        self.freeDisk = freeDisk
    }
}

public struct HeartbeatReply: Hashable, Sendable {
    public var term: Term
    public var leaderURL: String
    /// The leader does not know this boot: register first.
    public var mustRegister: Bool
    /// Tries that are no longer wanted here: end them.
    public var kill: [AttemptID]
    /// What the leader's clock showed before it sent this; nil: it does not say.
    public var now: Instant?
    public init(term: Term, leaderURL: String, mustRegister: Bool, kill: [AttemptID], now: Instant? = nil) {
        self.term = term
        self.leaderURL = leaderURL
        self.mustRegister = mustRegister
        self.kill = kill
        self.now = now
    }
}

public struct ReportReply: Hashable, Sendable {
    /// Recorded for good, or known not to matter: drop them from the spool.
    public var acknowledged: [AttemptID]
    public init(acknowledged: [AttemptID]) { self.acknowledged = acknowledged }
}
