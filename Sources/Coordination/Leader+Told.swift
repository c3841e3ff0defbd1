import Domain
import Runtime

/// What of a committed turn somebody will look for in the log: occurrences that were missed, and tries that were lost.
struct TroubleLine: Equatable {
    var job: String
    var run: RunID?
    var text: String

    /// Of one turn; after an outage there may be one for each job.
    static let mostOfATurn = 50

    /// In the order in which they were decided, at most `mostOfATurn`; and how many more there are.
    static func lines(of changes: Changes) -> (lines: [TroubleLine], more: Int) {
        let missed = changes.ledger.filter { $0.verdict == .missed }
        let late = changes.revisedVerdicts.filter { $0.verdict == .missed }
        let lost = changes.attempts.filter { $0.state == .lost }
        let total = missed.count + late.count + lost.count
        guard total > 0 else { return ([], 0) }
        var lines: [TroubleLine] = []
        for entry in missed.prefix(mostOfATurn) {
            let due =
                entry.count == 1
                ? "the occurrence due at \(entry.firstDue.iso8601) was"
                : "\(entry.count) occurrences due from \(entry.firstDue.iso8601) to \(entry.lastDue.iso8601) were"
            lines.append(TroubleLine(job: entry.jobName, run: entry.run, text: "\(due) missed: \(entry.reason)"))
        }
        // Their runs end in the same turn.
        for verdict in late.prefix(mostOfATurn - lines.count) {
            guard let run = changes.finishedRuns.first(where: { $0.run.id == verdict.run })?.run else { continue }
            lines.append(
                TroubleLine(
                    job: run.jobName, run: run.id,
                    text: "the occurrence due at \(run.due.iso8601) was missed: \(verdict.reason)"))
        }
        for record in lost.prefix(mostOfATurn - lines.count) {
            lines.append(line(lost: record, changes))
        }
        return (lines, total - lines.count)
    }

    private static func line(lost record: AttemptRecord, _ changes: Changes) -> TroubleLine {
        let id = record.attempt.run
        let text = "try \(record.attempt.number) was lost with worker \(record.worker) (\(record.reason))"
        if let run = changes.runs.first(where: { $0.run.id == id })?.run {
            let instant = run.notBefore.map { ", not before \($0.iso8601)" } ?? ""
            return TroubleLine(
                job: run.jobName, run: id, text: "\(text); it is tried again as try \(run.attempt)\(instant)")
        }
        let run = changes.finishedRuns.first { $0.run.id == id }?.run
        return TroubleLine(
            job: run?.jobName ?? "", run: id, text: "\(text); the run ends as \(run?.state.rawValue ?? "lost")")
    }
}

extension Leader {
    /// After the commit: what is told has happened.
    func tellTroubles(of changes: Changes) {
        let (lines, more) = TroubleLine.lines(of: changes)
        for line in lines {
            var log = log.with("job", line.job)
            if let run = line.run { log = log.with("run", run) }
            log.warning(line.text)
        }
        if more > 0 { log.warning("\(more) more were missed or lost in this turn; `carillon run ledger` shows all") }
    }
}
