public import Timetable

/// One execution wanted of a job. Unique by job, cause and lane, so that the same occurrence can never be launched
/// twice, whoever decides it.
public struct Run: Hashable, Sendable {
    public let id: RunID
    public let job: JobVersion
    public let jobName: String
    public let cause: Cause
    /// Distinguishes the copies of a multiplexed run.
    public let lane: Int
    /// Nominal instant of the schedule; for other causes when it was asked for.
    public let due: Instant
    /// Arguments given with a manual run, one text, split at blanks by whoever builds the command line.
    public let adHocArguments: String
    public let isHighPriority: Bool
    /// The schedule has no occurrence after this one: the job is disabled when this run has ended.
    public var isLast: Bool
    /// Someone asked for its end while a worker had it; stands until the worker reports.
    public var isAbortRequested: Bool
    public var state: RunState
    /// Number of the current or next try, 0 for the first.
    public var attempt: Int
    /// Not offered before this instant (delay of a retry).
    public var notBefore: Instant?
    /// Not started after this instant.
    public var startDeadline: Instant?
    public var worker: String
    public var offeredAt: Instant?
    public var startedAt: Instant?
    public var finishedAt: Instant?
    /// Why it is in its state, for people; empty where nothing needs saying.
    public var reason: String
    /// What sets it apart from the others of its job; nil for most.
    public var context: RunContext?

    public init(
        id: RunID, job: JobVersion, jobName: String, cause: Cause, lane: Int = 0, due: Instant,
        adHocArguments: String = "", isHighPriority: Bool = false, isLast: Bool = false, isAbortRequested: Bool = false,
        state: RunState = .queued,
        attempt: Int = 0, notBefore: Instant? = nil, startDeadline: Instant? = nil, worker: String = "",
        offeredAt: Instant? = nil, startedAt: Instant? = nil, finishedAt: Instant? = nil, reason: String = "",
        context: RunContext? = nil
    ) {
        self.id = id
        self.job = job
        self.jobName = jobName
        self.cause = cause
        self.lane = lane
        self.due = due
        self.adHocArguments = adHocArguments
        self.isHighPriority = isHighPriority
        self.isLast = isLast
        self.isAbortRequested = isAbortRequested
        self.state = state
        self.attempt = attempt
        self.notBefore = notBefore
        self.startDeadline = startDeadline
        self.worker = worker
        self.offeredAt = offeredAt
        self.startedAt = startedAt
        self.finishedAt = finishedAt
        self.reason = reason
        self.context = context
    }

    public var attemptID: AttemptID { AttemptID(run: id, number: attempt) }

    /// Chronos' task id. It carries the due instant, so that it is the same whoever computes it.
    public func taskID(arguments: String) -> String {
        var safe = arguments
        safe.removeAll { $0 == ";" || $0 == "\n" }
        return "ct:\(due.milliseconds):\(attempt):\(jobName):\(safe)"
    }
}

/// Why a run exists. Its text is part of the run's identity.
public enum Cause: Hashable, Sendable {
    case schedule(version: Int64, index: Int64)
    /// Asked for by a client; the key tells two requests apart.
    case manual(key: String)
    /// All parents have succeeded; the key is the run of the parent that completed the set.
    case parents(key: String)
    /// Launched by the end of another run; the key is that run.
    case chain(key: String)

    public var text: String {
        switch self {
        case .schedule(let version, let index): "s:\(version):\(index)"
        case .manual(let key): "m:\(key)"
        case .parents(let key): "p:\(key)"
        case .chain(let key): "c:\(key)"
        }
    }

    public init?(text: String) {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2 else { return nil }
        switch parts[0] {
        case "s":
            let numbers = parts[1].split(separator: ":", omittingEmptySubsequences: false).map { Int64($0) }
            guard numbers.count == 2, let version = numbers[0], let index = numbers[1] else { return nil }
            self = .schedule(version: version, index: index)
        case "m": self = .manual(key: parts[1])
        case "p": self = .parents(key: parts[1])
        case "c": self = .chain(key: parts[1])
        default: return nil
        }
    }
}

extension Run {
    /// It is held back until earlier runs of its job have ended, or there is a worker for it: an entry of the job's
    /// queue more than a run.
    public func waitsInQueue(of definition: JobDefinition) -> Bool {
        definition.overlap == .queue && state == .queued && attempt == 0 && notBefore == nil
    }
}
