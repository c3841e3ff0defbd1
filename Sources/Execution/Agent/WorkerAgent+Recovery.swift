import Domain
import Runtime
import Timetable

// What a start of the worker finds in its journal, and does with it.
//
// - accepted: the worker ended between journalling and starting it. Perhaps its claim was granted, so it is reported as
//   interrupted; the leader drops that report where the row is not this worker's. It is never claimed again: its
//   command may have been started in the last moment.
// - started: the command may still run, under process 1. It is ended with all its descendants, then reported as
//   interrupted.
// - finished: the report is sent until somebody acknowledges it, as before.
extension WorkerAgent {
    func recover() async throws {
        let image = try await journal.open()
        highestTerm = max(highestTerm, image.highestTerm)
        executed = image.executed
        let now = timekeeper.monotonicNow
        for (attempt, entry) in image.held {
            holdings[attempt] = Holding(recovered: entry, now: now)
            executed.insert(attempt)
        }
        spool = image.held.filter { $0.value.phase == .finished }.keys.sorted()
        if !spool.isEmpty { reportWanted.signal() }
        let survivors = image.held.filter { $0.value.phase != .finished }
            .map { Survivor(attempt: $0.key, process: $0.value.process) }.sorted { $0.attempt < $1.attempt }
        isReady = true
        if !survivors.isEmpty {
            log.notice("\(survivors.count) attempts were interrupted by the end of this worker's former process")
        }
        startTask("recovery") { await self.resolve(survivors) }
    }

    private func resolve(_ survivors: [Survivor]) async {
        let tails = await launcher.endSurvivors(survivors, grace: configuration.killGrace)
        for survivor in survivors {
            let wasStarted = holdings[survivor.attempt]?.phase == .started
            finish(
                survivor.attempt, .interrupted,
                reason: wasStarted
                    ? "the worker restarted while the command ran"
                    : "the worker restarted before it had noted the start",
                outputTail: tails[survivor.attempt] ?? "")
        }
    }
}
