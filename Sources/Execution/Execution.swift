// Execution: the worker. It takes offers, claims them, runs commands and tells what became of them.
//
//     offer ─► Acceptance (capacity, constraints, users) ─► journal, durable ─► answer
//                                                              └► claim through any node ─► granted ─► spawn ─► report
//
// Invariants
// - A command is started only after its claim was granted, and once: what was ever granted is held or remembered, and
//   an attempt that is held or remembered is never started again, whoever offers it.
// - Nothing is written between grant and spawn. "Accepted" is durable before the claim; after a crash each accepted
//   try that has not ended is reported as interrupted and never claimed again. So a crash costs a try, never a second
//   start, and an offer costs one flush of the disk and one round trip.
// - What was reported is in the journal until some leader has acknowledged it; flushed to the disk only if that takes
//   more than a moment, since what a leader has acknowledged is in the database. A report may arrive twice.
// - A process belongs to its try with all its descendants, double-forked ones too: when the try ends, they end.
// - The highest term that was seen is durable before anything is accepted under it; lower ones are refused.
//
// What the next start of the worker finds after a crash: see `WorkerAgent+Recovery.swift`.
//
// Folders: Agent (who decides and remembers), Journal (what survives a crash), Process (the real launcher; the
// simulation has another), ControlGroups (limits that the kernel holds), Meter (limits that are held by looking). It
// knows neither HTTP nor SQL: nodes are `ReportSink`s. Who calls it: Node, which hands the leader's requests to
// `WorkerAgent.offer` and `.kill`.

/// Bounds and pauses of a worker. Those that an operator may want to change stand in `WorkerConfiguration`.
enum ExecutionLimits {
    /// Tries of a start to settle what the former process had accepted; then the leader's offer times out instead.
    static let recoveryClaims = 20
    /// Attempts that were executed here and are remembered so that none is executed twice.
    static let rememberedAttempts = 10_000
    /// How long before it is due an attempt is claimed at least and at most, and how much longer for each other one
    /// that is claimed with it. From the claim on it can be ended, but no longer be taken back, and should the worker
    /// be killed it is lost: so no longer before than it takes.
    static let claimAhead: Duration = .milliseconds(8)
    static let claimAheadMaximum: Duration = .milliseconds(40)
    static let claimAheadForEach: Duration = .microseconds(100)
    /// Claims until most of a slow one is forgotten.
    static let claimsRemembered = 32
    /// Attempts that are claimed by one request.
    static let claimsPerRequest = 256
    /// An offer that no node answered a claim for is given up after this time, or at its start deadline.
    static let claimPatience: Duration = .seconds(60)
    /// A claim that was granted later than this after the start deadline (the process was stopped in between, say) is
    /// reported as not started.
    static let lateStart: Duration = .seconds(1)
    /// Reports in one request, and bytes of their texts: well below a node's limit of 1 MiB for a body, even when each
    /// byte of the output needs two in JSON.
    static let reportsPerRequest = 64
    static let reportBytesPerRequest = 256 * 1024
    /// Time for the last reports to get away when the worker stops.
    static let lastReports: Duration = .seconds(3)
    /// How often logs are pruned and stray children are waited for.
    static let housekeeping: Duration = .seconds(10)
    /// How long a record that needs no flush waits for others. Should the process be killed meanwhile it is as if it
    /// had been killed so much earlier: each of these records may be missing.
    static let journalDelay: Duration = .milliseconds(5)
    /// An end that no leader has acknowledged for so long is flushed to the disk.
    static let unflushedEnds: Duration = .milliseconds(200)
    /// A journal below this size is not worth compacting.
    static let journalCompactedFrom = 4 * 1024 * 1024
    /// A record beyond it cannot be one of ours.
    static let journalRecord = 4 * 1024 * 1024
    /// Output that was read and is not yet written; beyond it the command waits, as it would for any slow reader.
    static let outputBuffer = 256 * 1024
    static let outputChunk = 64 * 1024
    /// After the last process of a try has ended: time for the pipe's end to arrive. Who still holds it then has
    /// escaped, and gets SIGPIPE.
    static let outputEnd: Duration = .seconds(1)
    /// Time for a killed process to vanish before the worker stops waiting for it (it hangs in the kernel).
    static let afterKill: Duration = .seconds(30)
    /// How often runs are looked at for their limits.
    static let sampling: Duration = .milliseconds(500)
    /// How deep a sandbox is emptied.
    static let sandboxDepth = 128
}
