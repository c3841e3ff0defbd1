import Domain
import Runtime
import Timetable

// What a start of the worker finds in its journal, and does with it.
//
// - accepted: the worker ended between journalling and starting it. Perhaps its claim was granted, so it is reported as
//   interrupted and never started here. First it is claimed for this boot: that is granted only where no claim was, so
//   that the row says started and the report fits it, and refused where the former boot's was, which is as good.
// - started, and detached (or the operator wants all of them): it goes on below its supervisor, or has ended, which
//   its supervisor has written down. It is taken over as if it had been started here; see Detached.
// - started otherwise: the command may still run, under process 1. It is ended with all its descendants, then reported
//   as interrupted.
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
        await adopt(image)
        let survivors = image.held.filter { $0.value.phase != .finished && holdings[$0.key]?.process == nil }
            .map { Survivor(attempt: $0.key, process: $0.value.process) }.sorted { $0.attempt < $1.attempt }
        isReady = true
        if !survivors.isEmpty {
            log.notice("\(survivors.count) attempts were interrupted by the end of this worker's former process")
        }
        startTask("recovery") { await self.resolve(survivors) }
    }

    private func adopt(_ image: JournalImage) async {
        let open = Set(image.held.filter { $0.value.phase != .finished }.keys)
        let adoptsAll = configuration.adoptsAll
        let runs = await launcher.adopt { offer in
            open.contains(offer.attempt) && (adoptsAll || offer.extras?.isDetached == true)
        }
        for run in runs.sorted(by: { $0.offer.attempt < $1.offer.attempt }) {
            let attempt = run.offer.attempt
            var holding = Holding(offer: run.offer, user: run.user, claimUntil: timekeeper.monotonicNow)
            holding.phase = .started
            holdings[attempt] = holding
            used = used + run.offer.resources
            noteRunning(attempt, run.process, since: run.startedAt)
            startTask("run \(attempt)") { await self.takeOver(run) }
        }
        if !runs.isEmpty { log.notice("took over \(runs.count) runs of this worker's former process") }
    }

    private func resolve(_ survivors: [Survivor]) async {
        let tails = await launcher.endSurvivors(survivors, grace: configuration.killGrace)
        await claimForTheRecord(survivors.map(\.attempt).filter { holdings[$0]?.phase == .accepted })
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

    /// Whatever the answer is, nothing of it is started.
    private func claimForTheRecord(_ attempts: [AttemptID]) async {
        guard !attempts.isEmpty else { return }
        let request = ClaimRequest(worker: workerName, boot: boot, attempts: attempts)
        var backoff = Backoff(initial: .milliseconds(100), maximum: .seconds(2))
        for _ in 0..<ExecutionLimits.recoveryClaims {
            do {
                _ = try await uplink.claim(request)
                return
            } catch {
                log.warning("cannot settle \(attempts.count) attempts that were interrupted: \(error)")
            }
            // Cancelled: the next start does it.
            guard (try? await timekeeper.sleep(for: backoff.next(on: timekeeper))) != nil else { return }
        }
    }
}
