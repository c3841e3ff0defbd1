import Domain
import Runtime

// Between "accepted" and "started": the claim decides, in the database, through whatever node answers first.
extension WorkerAgent {
    /// Waits until the attempts are about to be due, and claims them. Whoever takes them back meanwhile does so in the
    /// database: the claim is refused.
    func claim(_ wave: ClaimWave) async {
        if let startAt = wave.startAt {
            let rest = timekeeper.monotonicNow.duration(to: startAt)
            let ahead = claimPace.ahead(of: wave.attempts.count)
            // Cancelled: nobody wants it any more.
            guard (try? await timekeeper.sleep(for: rest - ahead)) != nil else { return }
            if isDraining {
                forget(wave.attempts, because: "the worker is shutting down")
                return
            }
        }
        await claim(wave.attempts)
    }

    /// Claims until each of the attempts is granted, refused or too late. One request for all of them.
    func claim(_ attempts: [AttemptID]) async {
        var open = attempts
        var pauses = Backoff(initial: .milliseconds(100), maximum: .seconds(2))
        while true {
            open = forgetOverdue(open)
            guard !open.isEmpty else { return }
            do throws(TransportError) {
                // Crash before the answer: the row may say "started" here; the next start reports it as interrupted.
                let asked = timekeeper.monotonicNow
                let reply = try await uplink.claim(ClaimRequest(worker: workerName, boot: boot, attempts: open))
                claimPace.note(asked.duration(to: timekeeper.monotonicNow))
                open = settle(open, reply)
            } catch {
                log.warning("no node has answered the claim of \(open.count) attempts: \(error)")
            }
            guard !open.isEmpty else { return }
            if isDraining {
                // Perhaps one of the claims was granted and only its answer lost: then the leader finds it unheld.
                forget(open, because: "the worker is shutting down")
                return
            }
            // Cancelled: nobody wants it any more, and no pause would be one.
            let pause = pauses.next(on: timekeeper)
            guard (try? await leaderChanged.wait(atMost: pause, on: timekeeper)) != nil else { return }
        }
    }

    /// What the reply does not name stays open.
    private func settle(_ open: [AttemptID], _ reply: ClaimReply) -> [AttemptID] {
        let granted = Set(reply.granted)
        let refused = Set(reply.refused).subtracting(granted)
        for attempt in open where granted.contains(attempt) { grant(attempt) }
        let forgotten = open.filter(refused.contains)
        if !forgotten.isEmpty { forget(forgotten, because: "refused") }
        return open.filter { !granted.contains($0) && !refused.contains($0) }
    }

    private func grant(_ attempt: AttemptID) {
        // Granted twice (a claim that was repeated and answered twice) starts once.
        guard holdings[attempt]?.phase == .accepted else { return }
        holdings[attempt]?.phase = .started
        executed.insert(attempt)
        startTask("run \(attempt)") { await self.supervise(attempt) }
    }

    private func forgetOverdue(_ open: [AttemptID]) -> [AttemptID] {
        let now = timekeeper.monotonicNow
        let overdue = open.filter { (holdings[$0]?.claimUntil ?? now) <= now }
        guard !overdue.isEmpty else { return open }
        forget(overdue, because: "no node has answered the claim in time")
        let gone = Set(overdue)
        return open.filter { !gone.contains($0) }
    }

    private func forget(_ attempts: [AttemptID], because reason: String) {
        for attempt in attempts {
            log(of: attempt).debug("forgot it: \(reason)")
            drop(attempt)
        }
        // Not waited for: after a crash they would be reported as interrupted, and their rows are not ours.
        journal.enqueue([.forgotten(attempts)], durable: false) { _ in }
    }
}
