public import Domain
public import Runtime
import Timetable

/// What this node has counted while it led, since its start: never reset by leaving office.
public struct LeaderFigures: Sendable {
    /// From the due instant of a scheduled run to its start, first tries only.
    public var lateness = Histogram(Histogram.latencies)
    /// From the offer (or the due instant, if that came later) to the start.
    public var dispatch = Histogram(Histogram.latencies)
    /// Of tries that have ended.
    public var duration = Histogram(Histogram.durations)
    /// Of the transactions of turns.
    public var commit = Histogram(Histogram.latencies)
    public var verdicts: [Verdict: Int64] = [:]
    /// Runs that have ended.
    public var finished: [RunState: Int64] = [:]
    /// Tries that have ended.
    public var attempts: [RunState: Int64] = [:]

    public init() {}

    /// Counts what a turn has written.
    mutating func note(_ changes: Changes, took: Duration?) {
        if let took { commit.observe(took) }
        for run in changes.starts {
            guard let started = run.startedAt else { continue }
            if case .schedule = run.cause, run.attempt == 0 { lateness.observe(run.due.duration(to: started)) }
            if let offered = run.offeredAt { dispatch.observe(max(offered, run.due).duration(to: started)) }
        }
        for record in changes.attempts {
            attempts[record.state, default: 0] += 1
            if let started = record.startedAt { duration.observe(started.duration(to: record.finishedAt)) }
        }
        for update in changes.finishedRuns { finished[update.run.state, default: 0] += 1 }
        for run in changes.newRuns where run.state.isTerminal { finished[run.state, default: 0] += 1 }
        for entry in changes.ledger { verdicts[entry.verdict, default: 0] += max(0, entry.count) }
        // Launched before: a counter cannot take that back, so that what was missed after all is counted beside it.
        for revised in changes.revisedVerdicts { verdicts[revised.verdict, default: 0] += 1 }
    }
}

extension Leader {
    /// Runs that have not ended, by state; empty where this node does not lead.
    public func runsByState() -> [RunState: Int] { state?.runsByState ?? [:] }
}
