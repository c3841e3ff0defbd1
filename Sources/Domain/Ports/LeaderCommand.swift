// What use cases and workers ask of the leader, and what it answers.

public import Timetable

/// A job as someone names it.
public enum JobKey: Hashable, Sendable {
    case name(String)
    case id(JobID)
    /// The job with that identifier, or else the one with that name.
    case either(String)

    /// As it was written, for messages.
    public var text: String {
        switch self {
        case .name(let text), .either(let text): text
        case .id(let id): id.rawValue
        }
    }
}

public enum LeaderCommand: Sendable {
    /// Creates the job, or replaces the one with that name (or with `options.id`). Counters: nil resets them.
    case putJob(
        JobDefinition, isEnabled: Bool, counters: JobCounters?, mode: PutMode, options: PutOptions = PutOptions())
    /// - Parameter onlyIfIdle: refused with `.conflict` while the job has runs that have not ended and do not just wait
    ///   in its queue.
    case deleteJob(JobKey, onlyIfIdle: Bool = false)
    /// Makes runs of the job that are due now; answered by `.launched`.
    case runJob(JobKey, RunRequest)
    /// Ends the tries that are offered or started; those queued or waiting go ahead (chronos.md §3.9) unless asked.
    case killRuns(JobKey, includingQueued: Bool)
    /// Ends the runs of a job that wait for earlier ones and were never offered; answered by `.runs`.
    case flushQueue(JobKey)
    case abortRun(RunID, reason: String = "aborted by request")
    /// Ends those of the runs that have not ended; answered by `.runs`, the ones that it was done to. `rewinds`:
    /// occurrences of jobs with full catch-up are run once more (cronicle.md §2.6).
    case abortRuns([RunID], reason: String, rewinds: Bool)
    /// Ends all runs of all jobs that no worker has; answered by `.runs`.
    case dropWaitingRuns
    /// Replaces the definition for the rest of one run: its retries, chains and notifications.
    case updateRun(RunID, JobDefinition)
    case markSuccess(JobKey)
    /// A client's report for a job that `reportsCompletion`.
    case completeRun(taskID: String, statusCode: Int)
    /// Creates the member of the catalogue, or replaces the one of its kind with its identifier.
    case putCatalogue(CatalogueItem, mode: PutMode)
    /// Refused with `.conflict` while a job refers to it.
    case deleteCatalogue(CatalogueItem.Kind, id: String)
    /// Switches all schedules on or off. What is not launched meanwhile is skipped, but for jobs with full catch-up,
    /// which make up for it.
    case setScheduling(isEnabled: Bool)
    case drainWorker(name: String, isDrained: Bool)
    case register(WorkerDescription)
    case heartbeat(WorkerHeartbeat)
    case reports([AttemptReport])
    /// Claims that a node granted; shortens the time until the leader knows.
    case claimed(ClaimRequest, granted: [AttemptID])
    /// All of them, in this order and in one transaction, or none. For commands on jobs and catalogue.
    case all([LeaderCommand])

    public static func deleteJob(name: String) -> LeaderCommand { .deleteJob(.name(name)) }
    public static func runJob(name: String, arguments: String) -> LeaderCommand {
        .runJob(.name(name), RunRequest(arguments: arguments))
    }
    public static func killRuns(jobName: String, includingQueued: Bool) -> LeaderCommand {
        .killRuns(.name(jobName), includingQueued: includingQueued)
    }
    public static func markSuccess(name: String) -> LeaderCommand { .markSuccess(.name(name)) }
}

public enum PutMode: Hashable, Sendable {
    case upsert, createOnly, updateOnly
    /// Only in place of that version of a job; `.conflict` when another one is current, or none. Members of the
    /// catalogue have no versions: there it is `updateOnly`.
    case replace(version: Int64)
}

/// What a client may ask for when it stores a job, besides the job.
public struct PutOptions: Hashable, Sendable {
    /// The job that is replaced, whatever its name is then; where there is none it is created with this identifier.
    public var id: JobID?
    public var keepsCounters = false
    /// The first instant whose occurrences are wanted (Cronicle's `reset_cursor`): earlier or later than what has been
    /// decided. Only for jobs with full catch-up.
    public var cursor: Instant?
    /// Ends all runs of the job that have not ended and are not detached, with this reason; their occurrences are run
    /// once the job is enabled again, where it has full catch-up.
    public var abortReason: String?
    public init() {}
}

/// How a run is asked for.
public struct RunRequest: Hashable, Sendable {
    /// Appended to the job's own; one text, split at blanks.
    public var arguments = ""
    /// Who asked, what was changed for this run alone (`definition`), and the request's body.
    public var context: RunContext?
    /// The instant that the run is for; nil: now.
    public var due: Instant?
    /// True: refused with the reason (`.conflict`, cronicle.md §2.7) where it cannot be given to a worker now, unless
    /// the job queues what it has no place for. False: it waits.
    public var isRefusedIfBlocked = false

    public init(arguments: String = "", context: RunContext? = nil) {
        self.arguments = arguments
        self.context = context
    }
}

/// What came of a request to run a job.
public struct LaunchReport: Hashable, Sendable {
    /// One for each copy, by lane.
    public var runs: [RunID]
    /// They wait for earlier runs to end.
    public var isQueued: Bool
    /// Runs of the job that wait for earlier ones, these included where they do.
    public var waiting: Int
    public init(runs: [RunID], isQueued: Bool, waiting: Int) {
        self.runs = runs
        self.isQueued = isQueued
        self.waiting = waiting
    }
}

/// A job that is no more, and what that meant for others.
public struct JobDeletion: Hashable, Sendable {
    public let id: JobID
    public let name: String
    /// Names of the jobs whose last parent it was: they run only by request from now on.
    public let orphans: [String]

    public init(id: JobID, name: String, orphans: [String]) {
        self.id = id
        self.name = name
        self.orphans = orphans
    }
}

public enum LeaderReply: Sendable {
    case done
    case job(Job)
    case deleted(JobDeletion)
    case launched(LaunchReport)
    case runs([RunID])
    case heartbeat(HeartbeatReply)
    case reports(ReportReply)
    case flag(Bool)

    /// The first run that was launched.
    public var launchedRun: RunID? {
        guard case .launched(let report) = self else { return nil }
        return report.runs.first
    }
}
