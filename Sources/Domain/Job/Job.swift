public import Timetable

/// What a client wants done: command, trigger, limits, policies. Immutable once stored; an update makes a new version.
public struct JobDefinition: Hashable, Sendable {
    public var name: String
    /// As people call it; need not be unique. Empty: the name.
    public var title = ""
    public var description = ""
    /// Identifier of a category; empty: `general`.
    public var category = ""
    /// Identifier of the plugin that runs the job; empty: the command is executed.
    public var plugin = ""
    /// JSON object text of the values of the plugin's parameters.
    public var pluginParameters = "{}"
    /// Comma-separated mail addresses.
    public var owner = ""
    public var ownerName = ""
    public var command = ""
    /// True: `/bin/sh -c command`, arguments ignored. False: `command` is executed with `arguments`.
    public var shell = true
    public var arguments: [String] = []
    public var environment: [EnvironmentVariable] = []
    /// Empty: the worker's default user.
    public var runAsUser = ""
    /// Empty: the user's own group.
    public var runAsGroup = ""
    /// Empty: the try's own directory.
    public var workingDirectory = ""
    public var container: ContainerSpec?
    public var artifacts: [Artifact] = []
    public var limits = RunLimits.none
    /// A restart of the worker does not end it.
    public var isDetached = false
    public var target = Target.any
    public var algorithm = PlacementAlgorithm.spread
    /// One run on each worker that may take it, instead of one.
    public var isMultiplexed = false
    /// Between the starts of the copies of a multiplexed run.
    public var stagger: Duration = .zero
    public var trigger: Trigger = .manual
    public var resources = Resources.standard
    public var constraints: [Constraint] = []
    public var highPriority = false
    /// Tries after the first one.
    public var retries = 2
    /// False: a try that its timeout or another limit has ended is the last one, as in Cronicle.
    public var retriesAfterLimit = true
    /// Nil: the cluster's `--retry-delay`.
    public var retryDelay: Duration?
    /// Longest time a try may take; nil: no limit.
    public var timeout: Duration?
    /// How late an occurrence may still start (Chronos' `epsilon`); nil: the catch-up policy alone decides.
    public var startWindow: Duration?
    public var overlap: OverlapPolicy = .skip
    /// Runs of the job at once, where `overlap` is not `.allow`.
    public var maximumActive = 1
    /// Runs that may wait for an active one to end, where `overlap` is `.queue`; 0: as many as `Limits.activePerJob`.
    public var queueLimit = 1
    /// Identifier, or else name, of a job to run after a run has succeeded; empty: none.
    public var onSuccess = ""
    /// Identifier, or else name, of a job to run after a run has failed for good; empty: none.
    public var onFailure = ""
    public var notifications = NotificationSettings.none
    public var catchUp: CatchUpPolicy = .latest
    /// Chronos' `async`: the end of the process is not the end of the run; a client reports it.
    public var reportsCompletion = false
    /// A run that failed for good still counts as success for dependants.
    public var softError = false
    /// JSON text of what a dialect keeps in a job and the core has no meaning for.
    public var dialectFields = "{}"

    public init(name: String) { self.name = name }
}

public struct EnvironmentVariable: Hashable, Sendable {
    public var name: String
    public var value: String
    public init(name: String, value: String) {
        self.name = name
        self.value = value
    }
}

/// What makes runs of a job come into being, besides being asked for.
public enum Trigger: Hashable, Sendable {
    case schedule(ScheduleText)
    /// Names of the jobs that must each have succeeded once since this job last started.
    case parents([String])
    case manual
}

/// A schedule as it was written; the value that computes is `Schedule`, made from it with a zone database.
public struct ScheduleText: Hashable, Sendable {
    public enum Notation: String, Sendable, CaseIterable { case iso8601, cron, minutes }
    public var notation: Notation
    public var text: String
    /// Name in the tz database, or empty.
    public var zone: String
    /// When it was stored: the start of an interval that names none. Never changes with the job's other fields.
    public var anchor: Instant

    public init(notation: Notation, text: String, zone: String, anchor: Instant) {
        self.notation = notation
        self.text = text
        self.zone = zone
        self.anchor = anchor
    }

    /// - Throws: `ScheduleError` with a message that says what would be right.
    public func schedule(zones: any ZoneDatabase) throws(ScheduleError) -> Schedule {
        switch notation {
        case .iso8601: try Schedule.repeating(text, zone: zone, created: anchor, zones: zones)
        case .cron: try Schedule.cron(text, zone: zone, zones: zones)
        case .minutes: try Schedule.minutes(try MinuteMatrix(text: text), zone: zone, zones: zones)
        }
    }
}

/// What a try needs of a worker.
public struct Resources: Hashable, Sendable {
    public var cpus: Double
    /// Megabytes.
    public var memory: Double
    /// Megabytes.
    public var disk: Double
    public init(cpus: Double, memory: Double, disk: Double) {
        self.cpus = cpus
        self.memory = memory
        self.disk = disk
    }
    /// Chronos' defaults (chronos.md §2.1).
    public static let standard = Resources(cpus: 0.1, memory: 128, disk: 256)
    public static let zero = Resources(cpus: 0, memory: 0, disk: 0)

    /// Nanocores and bytes would be exact; doubles of cpus are compared with this slack so that ten times 0.1 is 1.
    static let slack = 1e-6

    public func fits(in free: Resources) -> Bool {
        cpus <= free.cpus + Self.slack && memory <= free.memory + Self.slack && disk <= free.disk + Self.slack
    }
    public static func + (left: Self, right: Self) -> Self {
        Resources(cpus: left.cpus + right.cpus, memory: left.memory + right.memory, disk: left.disk + right.disk)
    }
    public static func - (left: Self, right: Self) -> Self {
        Resources(cpus: left.cpus - right.cpus, memory: left.memory - right.memory, disk: left.disk - right.disk)
    }
}

/// What happens to an occurrence while an earlier run of the job is active.
public enum OverlapPolicy: String, Sendable, CaseIterable { case skip, queue, allow }

/// What happens to occurrences that were not decided on time and have no start window.
public enum CatchUpPolicy: String, Sendable, CaseIterable { case none, latest, all }

/// A job as it is stored: its current definition, where its schedule stands, and what became of its runs.
public struct Job: Hashable, Sendable {
    public let id: JobID
    public var version: Int64
    public var definition: JobDefinition
    public var isEnabled: Bool
    /// Why Carillon itself disabled the job; empty where a client did, or nobody.
    public var disabledReason: String
    /// Index of the last occurrence of this version that has a verdict; nil before the first.
    public var decidedThrough: Int64?
    /// The next occurrence without a verdict; nil for jobs without schedule and for exhausted ones.
    public var next: Occurrence?
    public var counters: JobCounters
    public var created: Instant
    public var modified: Instant

    public init(
        id: JobID, version: Int64, definition: JobDefinition, isEnabled: Bool, disabledReason: String = "",
        decidedThrough: Int64? = nil, next: Occurrence? = nil, counters: JobCounters = .init(), created: Instant,
        modified: Instant
    ) {
        self.id = id
        self.version = version
        self.definition = definition
        self.isEnabled = isEnabled
        self.disabledReason = disabledReason
        self.decidedThrough = decidedThrough
        self.next = next
        self.counters = counters
        self.created = created
        self.modified = modified
    }

    public var reference: JobVersion { JobVersion(job: id, version: version) }
}

/// What Chronos shows of a job's past. Kept over failover, reset by an update that does not carry them.
public struct JobCounters: Hashable, Sendable {
    public var successes: Int64 = 0
    /// Runs that failed for good, not attempts.
    public var errors: Int64 = 0
    public var errorsSinceLastSuccess: Int64 = 0
    public var lastSuccess: Instant?
    public var lastError: Instant?
    public init() {}

    /// A success ends the row of errors that came before it.
    public mutating func add(_ tally: Tally) {
        if tally.isSuccess {
            successes += 1
            errorsSinceLastSuccess = 0
            lastSuccess = max(lastSuccess ?? tally.at, tally.at)
        } else {
            errors += 1
            errorsSinceLastSuccess += 1
            lastError = max(lastError ?? tally.at, tally.at)
        }
    }
}
