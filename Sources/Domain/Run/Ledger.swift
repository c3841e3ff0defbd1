public import Timetable

/// What became of a due occurrence. Each has exactly one.
public enum Verdict: String, Sendable, CaseIterable {
    /// A run exists for it.
    case launched
    /// Not run, by policy.
    case skipped
    /// Another occurrence's run stands for it.
    case coalesced
    /// Should have run and did not.
    case missed
}

/// A verdict on a row of consecutive occurrences of one version of a job's schedule. A range, because an outage of a
/// month of a job that is due each second has one reason, not 2.6 million.
public struct LedgerEntry: Hashable, Sendable {
    public var job: JobVersion
    public var jobName: String
    public var firstIndex: Int64
    public var lastIndex: Int64
    public var firstDue: Instant
    public var lastDue: Instant
    /// Occurrences in the range (indices may have gaps).
    public var count: Int64
    public var verdict: Verdict
    public var reason: String
    /// The run, where the verdict is launched, or coalesced into one.
    public var run: RunID?
    public var recorded: Instant

    public init(
        job: JobVersion, jobName: String, firstIndex: Int64, lastIndex: Int64, firstDue: Instant, lastDue: Instant,
        count: Int64, verdict: Verdict, reason: String, run: RunID?, recorded: Instant
    ) {
        self.job = job
        self.jobName = jobName
        self.firstIndex = firstIndex
        self.lastIndex = lastIndex
        self.firstDue = firstDue
        self.lastDue = lastDue
        self.count = count
        self.verdict = verdict
        self.reason = reason
        self.run = run
        self.recorded = recorded
    }
}

/// The time during which a version of a job's schedule was in force, which is what the ledger is checked against.
public struct ScheduleEra: Hashable, Sendable {
    public var job: JobVersion
    public var jobName: String
    public var schedule: ScheduleText
    /// Occurrences with a lower index belong to nobody: they were decided under an earlier era, or never wanted.
    public var firstIndex: Int64
    /// Nil while it is in force. Occurrences due at or before it have a verdict.
    public var closed: Instant?

    public init(job: JobVersion, jobName: String, schedule: ScheduleText, firstIndex: Int64, closed: Instant?) {
        self.job = job
        self.jobName = jobName
        self.schedule = schedule
        self.firstIndex = firstIndex
        self.closed = closed
    }
}
