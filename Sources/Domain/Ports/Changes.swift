public import Timetable

/// What one turn of the leader writes, in one transaction. Each entity appears at most once in each list, with its
/// final values; the lists are applied in the order in which they stand here.
public struct Changes: Sendable {
    /// New jobs and new versions of jobs: the job row is inserted or replaced whole (counters included). The name must
    /// be free, or the job's own; another job with that name is a `.conflict`.
    public var putJobs: [Job] = []
    /// Eras that begin; one for each new version of a job with a schedule.
    public var newEras: [ScheduleEra] = []
    /// Eras that end, with the instant up to which occurrences have verdicts.
    public var closedEras: [(job: JobVersion, at: Instant)] = []
    /// Jobs removed, with their edges in both directions. Runs and ledger stay.
    public var deletedJobs: [JobID] = []
    /// Children whose edges are replaced by the listed ones.
    public var replacedEdges: [(child: JobID, edges: [Edge])] = []
    /// Edges whose satisfaction changed.
    public var edges: [Edge] = []
    /// Where the schedules of jobs stand now. Applied only if the job's version is still that one, else `.conflict`.
    public var advances: [Advance] = []
    /// Runs that begin, in any state. Unique by job id, cause and lane; a second one is a `.conflict`.
    public var newRuns: [Run] = []
    /// Runs that go on. Each expects to be in one of the given states with the given attempt, else `.conflict`.
    public var runs: [RunUpdate] = []
    /// Runs that reached a terminal state and move to history; expectations as above. `record` is the last try, if one
    /// was started or refused.
    public var finishedRuns: [RunUpdate] = []
    /// Tries that ended without ending their run, or with it.
    public var attempts: [AttemptRecord] = []
    public var ledger: [LedgerEntry] = []
    /// Launched occurrences whose run ended without a start: verdict and reason replaced by these.
    public var revisedVerdicts: [(run: RunID, verdict: Verdict, reason: String)] = []
    /// Written before all else, so that what is told shows the job's counters from before.
    public var outbox: [OutboxMessage] = []
    /// Added to the counters of jobs.
    public var tallies: [Tally] = []
    /// Jobs switched off by Carillon itself, with the reason (empty: the schedule is exhausted).
    public var disabled: [(job: JobVersion, reason: String)] = []
    public var putWorkers: [Worker] = []
    /// Runs whose context is replaced.
    public var contexts: [(run: RunID, context: RunContext)] = []
    /// Members of the catalogue, inserted or replaced by kind and identifier. New ones are listed first from then on.
    public var putCatalogue: [CatalogueItem] = []
    public var deletedCatalogue: [CatalogueKey] = []
    /// Nil: as it was.
    public var isSchedulingEnabled: Bool?
    /// Runs that were found started, as they are now: the claim has written that already. Told for those who count.
    public var starts: [Run] = []

    public init() {}

    public var isEmpty: Bool {
        putJobs.isEmpty && newEras.isEmpty && closedEras.isEmpty && deletedJobs.isEmpty && replacedEdges.isEmpty
            && edges.isEmpty && advances.isEmpty && newRuns.isEmpty && runs.isEmpty && finishedRuns.isEmpty
            && attempts.isEmpty && ledger.isEmpty && revisedVerdicts.isEmpty && tallies.isEmpty && disabled.isEmpty
            && putWorkers.isEmpty && contexts.isEmpty && putCatalogue.isEmpty && deletedCatalogue.isEmpty
            && isSchedulingEnabled == nil && outbox.isEmpty
    }
    /// What a reader of jobs can see of them differs afterwards.
    public var touchesJobs: Bool {
        !(putJobs.isEmpty && deletedJobs.isEmpty && replacedEdges.isEmpty && advances.isEmpty && tallies.isEmpty
            && disabled.isEmpty)
    }

    /// What people have defined differs afterwards.
    public var touchesDefinitions: Bool {
        !(putJobs.isEmpty && deletedJobs.isEmpty && disabled.isEmpty && putCatalogue.isEmpty
            && deletedCatalogue.isEmpty && putWorkers.isEmpty && isSchedulingEnabled == nil)
    }
}

public struct Advance: Hashable, Sendable {
    public var job: JobVersion
    public var decidedThrough: Int64
    /// Nil: exhausted.
    public var next: Occurrence?
    public init(job: JobVersion, decidedThrough: Int64, next: Occurrence?) {
        self.job = job
        self.decidedThrough = decidedThrough
        self.next = next
    }
}

public struct RunUpdate: Sendable {
    /// With its new values.
    public var run: Run
    public var expectedStates: [RunState]
    public var expectedAttempt: Int
    public init(run: Run, expectedStates: [RunState], expectedAttempt: Int) {
        self.run = run
        self.expectedStates = expectedStates
        self.expectedAttempt = expectedAttempt
    }
}

/// What an ended run does to its job's counters.
public struct Tally: Hashable, Sendable {
    public var job: JobID
    public var isSuccess: Bool
    public var at: Instant
    public init(job: JobID, isSuccess: Bool, at: Instant) {
        self.job = job
        self.isSuccess = isSuccess
        self.at = at
    }
}
