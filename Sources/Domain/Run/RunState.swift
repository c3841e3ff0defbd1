public import Timetable

/// States of a run. Nothing leaves a terminal state.
public enum RunState: String, Sendable, CaseIterable {
    /// Wanted, not yet given to a worker. Becomes offered, aborted, missed.
    case queued
    /// Named to a worker that has not claimed it. Becomes started, queued (refused or unanswered), aborted, missed.
    case offered
    /// Claimed: the command runs or is about to. Becomes succeeded, failed, aborted, lost, waiting.
    case started
    /// Between two tries. Becomes queued, aborted.
    case waiting
    case succeeded
    case failed
    case aborted
    /// Its worker fell silent or lost it; whether the command ended is not known.
    case lost
    /// Never started: its start window closed first.
    case missed

    public var isTerminal: Bool {
        switch self {
        case .queued, .offered, .started, .waiting: false
        case .succeeded, .failed, .aborted, .lost, .missed: true
        }
    }

    public func mayBecome(_ next: RunState) -> Bool {
        switch self {
        case .queued: [.offered, .aborted, .missed, .failed].contains(next)
        case .offered: [.started, .queued, .succeeded, .failed, .aborted, .missed, .waiting, .lost].contains(next)
        case .started: [.succeeded, .failed, .aborted, .lost, .waiting].contains(next)
        case .waiting: [.queued, .aborted, .failed].contains(next)
        default: false
        }
    }
}

/// How a try ended, as its worker tells it.
public enum AttemptOutcome: Hashable, Sendable {
    case exited(code: Int)
    case signalled(Int)
    case timedOut
    /// Ended by the worker: it exceeded the limit.
    case exceeded(ExceededLimit)
    /// The task told its result by the plugin protocol; code and description are in the details.
    case reported(isSuccess: Bool)
    /// Ended because someone asked for it.
    case aborted
    /// The command was never executed: no such file, no such user, disk full.
    case notStarted
    /// The worker crashed or restarted while it ran and cannot say how it ended.
    case interrupted
}

/// What a worker says about the end of a try. Repeatable: a second one changes nothing.
public struct AttemptReport: Hashable, Sendable {
    public var attempt: AttemptID
    public var worker: String
    public var boot: String
    public var startedAt: Instant?
    public var finishedAt: Instant
    public var outcome: AttemptOutcome
    /// For people: what happened and why, one sentence; empty for an exit with status 0.
    public var reason: String
    /// Last bytes of the output as text (invalid UTF-8 and NUL replaced), at most `Limits.outputTail`.
    public var outputTail: String
    public var details: AttemptDetails?

    public init(
        attempt: AttemptID, worker: String, boot: String, startedAt: Instant?, finishedAt: Instant,
        outcome: AttemptOutcome, reason: String, outputTail: String, details: AttemptDetails? = nil
    ) {
        self.attempt = attempt
        self.worker = worker
        self.boot = boot
        self.startedAt = startedAt
        self.finishedAt = finishedAt
        self.outcome = outcome
        self.reason = reason
        self.outputTail = outputTail
        self.details = details
    }
}

/// One ended try, as history keeps it.
public struct AttemptRecord: Hashable, Sendable {
    public var attempt: AttemptID
    public var worker: String
    public var startedAt: Instant?
    public var finishedAt: Instant
    /// State that this try alone would have given the run.
    public var state: RunState
    public var exitCode: Int?
    public var signal: Int?
    public var reason: String
    public var outputTail: String
    public var details: AttemptDetails?

    public init(
        attempt: AttemptID, worker: String, startedAt: Instant?, finishedAt: Instant, state: RunState,
        exitCode: Int? = nil, signal: Int? = nil, reason: String, outputTail: String = "",
        details: AttemptDetails? = nil
    ) {
        self.attempt = attempt
        self.worker = worker
        self.startedAt = startedAt
        self.finishedAt = finishedAt
        self.state = state
        self.exitCode = exitCode
        self.signal = signal
        self.reason = reason
        self.outputTail = outputTail
        self.details = details
    }
}
