import Domain
import Runtime
import Timetable

// From the grant to the report.
extension WorkerAgent {
    /// Runs one attempt to its end. Called once for each grant.
    func supervise(_ attempt: AttemptID) async {
        await awaitDue(attempt)
        guard let holding = holdings[attempt], let offer = holding.offer else { return }
        if let reason = reasonNotToStart(holding, offer) {
            let outcome: AttemptOutcome = holding.ending == .aborted ? .aborted : .notStarted
            finish(attempt, outcome, reason: reason)
            return
        }
        let process: any RunningProcess
        do throws(LaunchError) {
            process = try await launch(
                LaunchOrder(offer: offer, user: holding.user, hostName: configuration.hostName))
        } catch {
            let wasAborted = holdings[attempt]?.ending == .aborted
            finish(
                attempt, wasAborted ? .aborted : .notStarted,
                reason: wasAborted ? "ended on request before it was started" : error.message)
            return
        }
        await noteStart(attempt, process)
        await seeToItsEnd(attempt, process, offer: offer, since: nil)
    }

    /// The same for a run that a former process of this worker has started.
    func takeOver(_ run: AdoptedRun) async {
        await seeToItsEnd(run.offer.attempt, run.process, offer: run.offer, since: run.startedAt)
    }

    /// - Parameter start: of a run that was taken over: its time has been running since.
    private func seeToItsEnd(
        _ attempt: AttemptID, _ process: any RunningProcess, offer: Offer, since start: Instant?
    ) async {
        // It may have got another one since.
        let timeout = holdings[attempt]?.offer?.timeout ?? nil
        let passed = start.map { $0.duration(to: wallNow) } ?? .zero
        let end = await outlive(attempt, process, timeout: timeout, passed: passed)
        // In the journal it stays started: the next process of this worker finds it there.
        if end.wasLeft { return }
        await report(attempt, end, of: process, offer: offer)
        // What it has left to find it by goes when its end is on the disk. A failure was told to whoever appended.
        if process.outlivesWorker { try? await journal.append([], durable: true) }
        await process.discard()
    }

    /// What comes before the start may take minutes (downloads, an image): it is broken off when nobody wants it any
    /// more.
    private func launch(_ order: LaunchOrder) async throws(LaunchError) -> any RunningProcess {
        guard order.offer.needsPreparation else { return try await launcher.launch(order) }
        let unwanted = WakeUp()
        holdings[order.offer.attempt]?.preparation = unwanted
        defer { holdings[order.offer.attempt]?.preparation = nil }
        let (launcher, timekeeper) = (self.launcher, self.timekeeper)
        let result = await withTaskGroup(of: Result<any RunningProcess, LaunchError>?.self) { group in
            group.addTask(executorPreference: timekeeper) {
                do throws(LaunchError) { return .success(try await launcher.launch(order)) } catch {
                    return .failure(error)
                }
            }
            group.addTask(executorPreference: timekeeper) {
                // Cancelled when the launch has an outcome.
                _ = try? await unwanted.wait()
                return nil
            }
            // When it is broken off, it still says what it has come to: perhaps it had started.
            var result = Result<any RunningProcess, LaunchError>.failure(LaunchError("it was not started"))
            while let outcome = await group.next() {
                if let outcome { result = outcome }
                group.cancelAll()
            }
            return result
        }
        return try result.get()
    }

    /// What was claimed ahead starts when it is due. Asked to end meanwhile, it does not start.
    private func awaitDue(_ attempt: AttemptID) async {
        guard let startAt = holdings[attempt]?.startAt else { return }
        // Cancelled: then it is looked at why it should not start.
        try? await timekeeper.sleep(for: timekeeper.monotonicNow.duration(to: startAt))
    }

    /// Begins to end an attempt, whatever it is at. The first reason counts.
    func end(_ attempt: AttemptID, because ending: Holding.Ending) async {
        guard let holding = holdings[attempt], holding.phase != .finished, holding.ending == nil else { return }
        holdings[attempt]?.ending = ending
        holding.preparation?.signal()
        // What the kernel has killed a part of needs no time to tidy up.
        var grace = configuration.killGrace
        if case .exceeded(.hardMemory, _) = ending { grace = .zero }
        await holding.process?.end(grace: grace)
    }

    private func reasonNotToStart(_ holding: Holding, _ offer: Offer) -> String? {
        switch holding.ending {
        case .aborted: return "ended on request before it was started"
        case .stopped: return "the worker was stopped before it was started"
        case .timedOut, .exceeded, nil: break
        }
        // A claim is granted in time; only a worker that was stopped or suspended since then comes here.
        if let deadline = offer.startDeadline, deadline.advanced(by: ExecutionLimits.lateStart) < wallNow {
            return "its start deadline \(deadline.iso8601) passed between the claim and the start"
        }
        return nil
    }

    private func noteStart(_ attempt: AttemptID, _ process: any RunningProcess) async {
        let startedAt = wallNow
        noteRunning(attempt, process, since: startedAt)
        if attempt.number == 0, let due = holdings[attempt]?.offer?.due {
            counted.lateness.observe(due.duration(to: startedAt))
        }
        // Without a flush: it serves to find the process again, and if the machine crashes there is none to find.
        journal.enqueue([.started(attempt, process: process.identity, at: startedAt)], durable: false) { _ in }
        if process.outlivesWorker, holdings[attempt]?.ending == .stopped {
            // The worker's process ends, and this one was being launched when it began to.
            holdings[attempt]?.ending = nil
            return await process.leave()
        }
        // Asked to end while it was being launched.
        if holdings[attempt]?.ending != nil { await process.end(grace: configuration.killGrace) }
    }

    func noteRunning(_ attempt: AttemptID, _ process: any RunningProcess, since startedAt: Instant) {
        holdings[attempt]?.startedAt = startedAt
        holdings[attempt]?.process = process
        if holdings[attempt] != nil { running.insert(attempt) }
        holdings[attempt]?.details.process = process.identity.process
        if let offer = holdings[attempt]?.offer {
            holdings[attempt]?.limits = LimitWatch(
                offer.extras?.limits ?? .none, hardMemory: offer.resources.memory)
        }
        runStarted.signal()
        log(of: attempt).debug("started")
    }

    /// Ends it unless it has been given another timeout meanwhile.
    func timeOut(_ attempt: AttemptID, after timeout: Duration) async {
        guard let offer = holdings[attempt]?.offer, offer.timeout == timeout else { return }
        await end(attempt, because: .timedOut)
    }

    private func outlive(
        _ attempt: AttemptID, _ process: any RunningProcess, timeout: Duration?, passed: Duration
    ) async -> ProcessEnd {
        guard let timeout else { return await process.ended() }
        let timekeeper = self.timekeeper
        return await withTaskGroup(of: Void.self) { group in
            group.addTask(executorPreference: timekeeper) {
                // Cancelled when the command has ended before.
                guard (try? await timekeeper.sleep(for: max(.zero, timeout - passed))) != nil else { return }
                await self.timeOut(attempt, after: timeout)
            }
            let end = await process.ended()
            group.cancelAll()
            return end
        }
    }

    private func report(
        _ attempt: AttemptID, _ end: ProcessEnd, of process: any RunningProcess, offer: Offer
    ) async {
        let offer = holdings[attempt]?.offer ?? offer
        let (outcome, reason) = AttemptEnd.describe(
            end, ending: holdings[attempt]?.ending, abortReason: holdings[attempt]?.abortReason ?? "", offer: offer)
        let task = AttemptEnd.task(end, outcome: outcome, reason: reason)
        // Who reads the log because the run has ended finds it whole.
        await process.conclude(
            AttemptEnd.footer(outcome, reason: reason, task: task, offer: offer, now: wallNow))
        if let task {
            holdings[attempt]?.details.reported = task.reported
            holdings[attempt]?.details.result = task.result
        }
        holdings[attempt]?.details.logBytes = end.outputBytes
        holdings[attempt]?.details.survivors = end.survivors
        survivors += end.survivors
        finish(attempt, outcome, reason: reason, outputTail: end.outputTail)
    }

    /// The end of an attempt, whatever it was: into the journal and to the leader, at the same time. Should the worker
    /// crash before either, the next start reports it as interrupted; after both, nothing is left to say. The machine
    /// may lose the journal's last moments, and with them ends that no leader has acknowledged: see `flushEnds`.
    func finish(_ attempt: AttemptID, _ outcome: AttemptOutcome, reason: String, outputTail: String = "") {
        guard let holding = holdings[attempt], holding.phase != .finished else { return }
        let report = AttemptReport(
            attempt: attempt, worker: workerName, boot: boot, startedAt: holding.startedAt, finishedAt: wallNow,
            outcome: outcome, reason: Self.bounded(reason), outputTail: outputTail,
            details: holding.details == AttemptDetails() ? nil : holding.details)
        holdings[attempt]?.phase = .finished
        holdings[attempt]?.report = report
        count(report)
        holdings[attempt]?.process = nil
        running.remove(attempt)
        release(holding)
        holdings[attempt]?.offer = nil
        holdings[attempt]?.toldDetails = nil
        let log = self.log(of: attempt)
        log.debug("ended: \(outcome)\(reason.isEmpty ? "" : ", \(reason)")")
        journal.enqueue([.finished(report)], durable: false) { failure in
            if let failure { log.error("the end of \(attempt) is not in the journal: \(failure)") }
        }
        executed.insert(attempt)
        spool.append(attempt)
        reportWanted.signal()
        guard !flushIsDue else { return }
        flushIsDue = true
        timekeeper.start("flush") { await self.flushEnds() }
    }

    /// An end is acknowledged within milliseconds where there is a leader: a flush for each would cost more than the
    /// command. Those that wait longer must survive the machine.
    private func flushEnds() async {
        // Nobody cancels this task.
        try? await timekeeper.sleep(for: ExecutionLimits.unflushedEnds)
        flushIsDue = false
        if !spool.isEmpty { journal.enqueue([], durable: true) { _ in } }
    }

    /// Reasons quote commands and paths, which are longer than a report may be.
    private static func bounded(_ reason: String) -> String {
        guard reason.utf8.count > Limits.text else { return reason }
        return String(decoding: reason.utf8.prefix(Limits.text / 2), as: UTF8.self) + "…"
    }
}
