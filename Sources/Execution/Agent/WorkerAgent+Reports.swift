import Domain
import Runtime

// Reports, until each is acknowledged; signs of life; housekeeping; the end.
extension WorkerAgent {
    /// Sends what has ended to the leader, again and again. One request at a time: what ends meanwhile goes together.
    func deliverReports() async {
        var pauses = Backoff(initial: .milliseconds(100), maximum: .seconds(5))
        while !Task.isCancelled {
            let batch = nextReports()
            guard !batch.isEmpty else {
                // Fails by cancellation only.
                guard (try? await reportWanted.wait()) != nil else { return }
                continue
            }
            do throws(TransportError) {
                let reply = try await uplink.report(batch)
                acknowledge(reply.acknowledged, of: batch)
                if Set(reply.acknowledged).isSuperset(of: batch.map(\.attempt)) {
                    pauses.reset()
                    continue
                }
            } catch {
                log.warning("\(spool.count) reports wait for a leader: \(error)")
            }
            // Fails by cancellation only.
            guard (try? await leaderChanged.wait(atMost: pauses.next(on: timekeeper), on: timekeeper)) != nil else {
                return
            }
        }
    }

    private func nextReports() -> [AttemptReport] {
        var batch: [AttemptReport] = []
        var bytes = 0
        for attempt in spool.prefix(ExecutionLimits.reportsPerRequest) {
            guard let report = holdings[attempt]?.report else { continue }
            bytes += report.outputTail.utf8.count + report.reason.utf8.count
            // Twice: what is handed on is told apart too.
            bytes += 2 * (report.details?.reported.utf8.count ?? 0)
            if !batch.isEmpty, bytes > ExecutionLimits.reportBytesPerRequest { break }
            batch.append(report)
        }
        return batch
    }

    private func acknowledge(_ attempts: [AttemptID], of batch: [AttemptReport]) {
        let sent = Set(batch.map(\.attempt))
        let known = Set(attempts).intersection(sent)
        for attempt in known { holdings[attempt] = nil }
        // Those that the leader did not name go behind the others, so that one that it cannot take holds up nobody.
        let refused = spool.filter { sent.contains($0) && !known.contains($0) }
        spool = spool.filter { !sent.contains($0) } + refused
        guard !known.isEmpty else { return }
        // Without a flush: what is sent twice does no harm.
        journal.enqueue([.acknowledged(known.sorted())], durable: false) { _ in }
        if spool.isEmpty { becameIdle.signal() }
    }

    /// Registers and tells the leader each second what is held here.
    func keepInTouch() async {
        var isRegistered = false
        var isSilent = false
        var hurried = 0
        while !Task.isCancelled {
            let wasRegistered = isRegistered
            do throws(TransportError) {
                let reply: HeartbeatReply
                if isRegistered {
                    let freeDisk = await launcher.freeDisk()
                    let held = heldWithNews()
                    reply = try await uplink.heartbeat(
                        WorkerHeartbeat(worker: workerName, boot: boot, held: held, freeDisk: freeDisk))
                    noteTold(held)
                    isRegistered = !reply.mustRegister
                } else {
                    reply = try await uplink.register(configuration.description)
                    isRegistered = true
                }
                if isSilent { log.notice("a leader answers again") }
                isSilent = false
                await follow(reply, received: timekeeper.monotonicNow)
            } catch {
                if !isSilent { log.warning("no leader answers: \(error)") }
                isSilent = true
            }
            // At once: to register, or to say what is held after that. A leader that never knows us must not keep us
            // running round.
            hurried = wasRegistered == isRegistered ? 0 : hurried + 1
            if (1...Self.hurriedMessages).contains(hurried) { continue }
            hurried = 0
            // Cancellation ends the loop at its head.
            _ = try? await heartbeatWanted.wait(atMost: configuration.heartbeatInterval, on: timekeeper)
        }
    }

    /// Messages that follow each other without a pause: heartbeat, registration, heartbeat.
    private static let hurriedMessages = 2

    private func follow(_ reply: HeartbeatReply, received: MonotonicInstant) async {
        let isNew = reply.term > highestTerm
        guard await noteLeader(url: reply.leaderURL, term: reply.term) else { return }
        if let now = reply.now { leaderClock.note(now, at: received) }
        if isNew { journal.enqueue([.term(reply.term)], durable: false) { _ in } }
        for attempt in reply.kill { await end(attempt, because: .aborted) }
    }

    func keepHouse() async {
        // Fails by cancellation only.
        while (try? await timekeeper.sleep(for: ExecutionLimits.housekeeping)) != nil { await launcher.tidy() }
    }

    /// Takes nothing new, ends what runs (or lets it end by itself within the grace), and gives the last reports some
    /// seconds to get away. `run()` must still be running; cancel it afterwards.
    ///
    /// - Parameter awaitingRuns: commands get the grace to end by themselves before they are ended.
    public func shutDown(grace: Duration, awaitingRuns: Bool = false) async {
        isDraining = true
        leaderChanged.signal()
        if awaitingRuns { await waitUntilIdle(grace) }
        let running = holdings.filter { $0.value.phase == .started && $0.value.offer != nil }.keys.sorted()
        for attempt in running where holdings[attempt]?.process?.outlivesWorker == true {
            // Those that are being ended stay until they have.
            if holdings[attempt]?.ending == nil { await holdings[attempt]?.process?.leave() }
        }
        for attempt in running where holdings[attempt]?.process?.outlivesWorker != true {
            await stop(attempt, grace: awaitingRuns ? configuration.killGrace : grace)
        }
        // Those that are being claimed are not started any more.
        for attempt in holdings.keys where holdings[attempt]?.phase == .accepted {
            // Not in one expression: an assignment through `?` holds the dictionary while it evaluates its right side.
            if holdings[attempt]?.ending == nil { holdings[attempt]?.ending = .stopped }
        }
        await waitUntilIdle((awaitingRuns ? configuration.killGrace : grace) + ExecutionLimits.afterKill)
        let deadline = timekeeper.monotonicNow.advanced(by: ExecutionLimits.lastReports)
        while !spool.isEmpty, timekeeper.monotonicNow < deadline {
            let rest = timekeeper.monotonicNow.duration(to: deadline)
            // Cancelled: whoever shuts down is in a hurry. The reports are in the journal.
            guard (try? await becameIdle.wait(atMost: rest, on: timekeeper)) != nil else { return }
        }
    }

    private func stop(_ attempt: AttemptID, grace: Duration) async {
        guard let holding = holdings[attempt], holding.phase == .started, holding.ending == nil else { return }
        holdings[attempt]?.ending = .stopped
        holding.preparation?.signal()
        await holding.process?.end(grace: grace)
    }

    private func waitUntilIdle(_ limit: Duration) async {
        let deadline = timekeeper.monotonicNow.advanced(by: limit)
        while busyTasks > 0, timekeeper.monotonicNow < deadline {
            let rest = timekeeper.monotonicNow.duration(to: deadline)
            // Fails by cancellation only.
            guard (try? await becameIdle.wait(atMost: rest, on: timekeeper)) != nil else { return }
        }
    }
}
