import Domain
import Testing
import Timetable

@testable import Coordination

@Suite("What a turn tells the log") struct TroubleLineTests {
    private let due = Instant(seconds: 1_900_000_000)

    private func entry(_ job: String, _ verdict: Verdict, count: Int64) -> LedgerEntry {
        LedgerEntry(
            job: JobVersion(job: JobID("j-\(job)"), version: 1), jobName: job, firstIndex: 0, lastIndex: count - 1,
            firstDue: due, lastDue: due.advanced(by: .seconds(count - 1)), count: count, verdict: verdict,
            reason: "nobody led", run: nil, recorded: due)
    }

    private func run(_ id: String, _ state: RunState, attempt: Int) -> Run {
        var run = Run(
            id: RunID(id), job: JobVersion(job: JobID("j"), version: 1), jobName: "nightly",
            cause: .schedule(version: 1, index: 1), due: due)
        run.state = state
        run.attempt = attempt
        return run
    }

    private func lost(_ id: String, try number: Int) -> AttemptRecord {
        AttemptRecord(
            attempt: AttemptID(run: RunID(id), number: number), worker: "w1", startedAt: due, finishedAt: due,
            state: .lost, reason: "silent for 15 s")
    }

    @Test("missed occurrences are told with job, instants and reason; what was run or skipped is not")
    func missed() {
        var changes = Changes()
        changes.ledger = [
            entry("a", .launched, count: 1), entry("b", .missed, count: 1), entry("c", .missed, count: 3),
            entry("d", .skipped, count: 2),
        ]
        let (lines, more) = TroubleLine.lines(of: changes)
        #expect(more == 0)
        #expect(
            lines == [
                TroubleLine(
                    job: "b", run: nil, text: "the occurrence due at \(due.iso8601) was missed: nobody led"),
                TroubleLine(
                    job: "c", run: nil,
                    text: "3 occurrences due from \(due.iso8601) to \(due.advanced(by: .seconds(2)).iso8601) were "
                        + "missed: nobody led"),
            ])
    }

    @Test("a lost try is told with what becomes of its run")
    func lostTries() {
        var changes = Changes()
        changes.attempts = [lost("r1", try: 0), lost("r2", try: 1)]
        changes.runs = [RunUpdate(run: run("r1", .waiting, attempt: 1), expectedStates: [.started], expectedAttempt: 0)]
        changes.finishedRuns = [
            RunUpdate(run: run("r2", .lost, attempt: 1), expectedStates: [.started], expectedAttempt: 1),
            RunUpdate(run: run("r3", .failed, attempt: 0), expectedStates: [.queued], expectedAttempt: 0),
        ]
        changes.revisedVerdicts = [(run: RunID("r3"), verdict: .missed, reason: "no worker in time")]
        #expect(
            TroubleLine.lines(of: changes).lines == [
                TroubleLine(
                    job: "nightly", run: RunID("r3"),
                    text: "the occurrence due at \(due.iso8601) was missed: no worker in time"),
                TroubleLine(
                    job: "nightly", run: RunID("r1"),
                    text: "try 0 was lost with worker w1 (silent for 15 s); it is tried again as try 1"),
                TroubleLine(
                    job: "nightly", run: RunID("r2"),
                    text: "try 1 was lost with worker w1 (silent for 15 s); the run ends as lost"),
            ])
    }

    @Test("after an outage the log is not flooded")
    func flood() {
        var changes = Changes()
        changes.ledger = (0..<1_000).map { entry("job-\($0)", .missed, count: 1) }
        let (lines, more) = TroubleLine.lines(of: changes)
        #expect(lines.count == TroubleLine.mostOfATurn && more == 1_000 - lines.count)
    }
}
