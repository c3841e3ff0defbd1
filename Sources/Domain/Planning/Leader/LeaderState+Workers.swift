// Workers: their signs of life, what they claim and report, and where runs are placed.

import Timetable

extension LeaderState {
    // MARK: Signs of life

    mutating func register(_ description: WorkerDescription, now: Moment) -> HeartbeatReply {
        let known = workers[description.name]
        let worker = Worker(
            description: description, isDrained: known?.worker.isDrained ?? false,
            registered: known.map { $0.worker.description.boot == description.boot ? $0.worker.registered : now.wall }
                ?? now.wall)
        var state = known ?? WorkerState(worker: worker, lastHeard: now.uptime)
        if known == nil {
            for id in runsOfWorker[description.name] ?? [] {
                if let active = runs[id] { state.used = state.used + active.definition.resources }
            }
        }
        state.worker = worker
        state.lastHeard = now.uptime
        state.isLive = true
        state.avoidedUntil = .zero
        if known?.worker.description != description { groupMembers.removeAll() }
        workers[description.name] = state
        watchSilence(of: description.name)
        if known?.worker != worker {
            changes.putWorkers.removeAll { $0.description.name == description.name }
            changes.putWorkers.append(worker)
        }
        return reply(kill: [], now: now)
    }

    mutating func hear(_ heartbeat: WorkerHeartbeat, now: Moment) -> HeartbeatReply {
        guard let state = workers[heartbeat.worker], state.worker.description.boot == heartbeat.boot else {
            return HeartbeatReply(term: term, leaderURL: node.url, mustRegister: true, kill: [])
        }
        workers[heartbeat.worker]?.lastHeard = now.uptime
        workers[heartbeat.worker]?.isLive = true
        watchSilence(of: heartbeat.worker)
        // A worker starts only what was granted: that it has started tells of a claim through another node.
        noteClaims(of: heartbeat.worker, heartbeat.held.filter { $0.phase != .accepted }.map(\.attempt), now: now)
        var unwanted: [AttemptID] = []
        for held in heartbeat.held where held.phase != .finished && !isWanted(held.attempt, of: heartbeat.worker) {
            unwanted.append(held.attempt)
        }
        for held in heartbeat.held {
            if let details = held.details, let active = runs[held.attempt.run], active.run.worker == heartbeat.worker,
                active.run.attempt == held.attempt.number
            {
                setDetails(details, of: held.attempt.run)
            }
        }
        checkHeld(heartbeat, now: now)
        return reply(kill: unwanted, now: now)
    }

    private func reply(kill: [AttemptID], now: Moment) -> HeartbeatReply {
        HeartbeatReply(term: term, leaderURL: node.url, mustRegister: false, kill: kill, now: now.wall)
    }

    private func isWanted(_ attempt: AttemptID, of worker: String) -> Bool {
        guard let active = runs[attempt.run] else { return false }
        return active.run.attempt == attempt.number && active.run.worker == worker && !active.run.isAbortRequested
    }

    /// A try that its worker should have and twice does not name is lost: the worker has forgotten it.
    private mutating func checkHeld(_ heartbeat: WorkerHeartbeat, now: Moment) {
        let held = Set(heartbeat.held.map(\.attempt))
        for id in (runsOfWorker[heartbeat.worker] ?? []).sorted() {
            guard let active = runs[id], active.run.state == .started else { continue }
            if held.contains(active.run.attemptID) {
                runs[id]?.unheard = 0
            } else if now.uptime - active.offeredAt > policy.workerLease {
                runs[id]?.unheard += 1
                if active.unheard >= 1 { lose(id, reason: "worker \(heartbeat.worker) no longer knows it", now: now) }
            }
        }
    }

    mutating func watchSilence(of name: String) {
        guard let state = workers[name], !state.isWatched else { return }
        workers[name]?.isWatched = true
        steadyTimers.insert(.workerSilence(name), at: state.lastHeard + policy.workerLease)
    }

    mutating func checkSilence(of name: String, now: Moment) {
        guard let state = workers[name] else { return }
        let silence = now.uptime - state.lastHeard
        guard silence >= policy.workerLease else {
            steadyTimers.insert(.workerSilence(name), at: state.lastHeard + policy.workerLease)
            return
        }
        workers[name]?.isLive = false
        guard silence >= policy.workerLost else {
            steadyTimers.insert(.workerSilence(name), at: state.lastHeard + policy.workerLost)
            return
        }
        workers[name]?.isWatched = false  // until it is heard again
        let mine = (runsOfWorker[name] ?? []).sorted()
        for id in mine where runs[id]?.run.state == .started {
            lose(id, reason: "worker \(name) was silent for \(policy.workerLost.secondsText)", now: now)
        }
        effects.append(.notice("worker \(name) is silent; \(mine.count) runs were with it"))
    }

    /// Runs of a worker that has not shown itself to this leader at all.
    mutating func checkAbsence(of name: String, now: Moment) {
        guard workers[name] == nil else { return }
        for id in (runsOfWorker[name] ?? []).sorted() where runs[id]?.run.state == .started {
            lose(id, reason: "worker \(name) is unknown and silent", now: now)
        }
    }

    private mutating func lose(_ id: RunID, reason: String, now: Moment) {
        guard let active = runs[id] else { return }
        if lostAttempts.count >= 10_000 { lostAttempts.removeAll() }
        lostAttempts[active.run.attemptID] = active.run.worker
        conclude(
            id,
            record: AttemptRecord(
                attempt: active.run.attemptID, worker: active.run.worker, startedAt: active.run.startedAt,
                finishedAt: now.wall, state: .lost, reason: reason),
            now: now)
    }

    mutating func drain(_ name: String, _ isDrained: Bool) throws(DomainError) -> LeaderReply {
        guard var state = workers[name] else { throw .notFound("worker '\(name)' not found") }
        state.worker.isDrained = isDrained
        workers[name] = state
        changes.putWorkers.removeAll { $0.description.name == name }
        changes.putWorkers.append(state.worker)
        return .done
    }

    /// Tells every known worker who leads now, so that reports find the way.
    public mutating func announce() {
        for worker in workers.values.sorted(by: { $0.worker.description.name < $1.worker.description.name }) {
            effects.append(.offer(worker: worker.worker.description, offers: []))
        }
    }

    // MARK: Claims and reports

    /// Claims that the database has granted already.
    mutating func noteClaims(of worker: String, _ attempts: [AttemptID], now: Moment) {
        for attempt in attempts {
            guard var active = runs[attempt.run], active.run.attempt == attempt.number, active.run.state == .offered,
                active.run.worker == worker
            else { continue }
            active.become(.started)
            // What is claimed ahead starts when it is due.
            active.run.startedAt = max(active.run.due, now.wall)
            active.persisted = .init(state: .started, attempt: attempt.number)
            runs[attempt.run] = active
            changes.starts.append(active.run)
            guard attempt.number == 0 else { continue }
            tell(.runStarted, job: active.run.job.job, definition: active.definition, run: active.run, at: now.wall)
        }
    }

    /// Ends of tries. All are acknowledged: what is not wanted any more, or was never this worker's, changes nothing.
    mutating func take(_ reports: [AttemptReport], now: Moment) -> ReportReply {
        for report in reports { take(report, now: now) }
        return ReportReply(acknowledged: reports.map(\.attempt))
    }

    private mutating func take(_ report: AttemptReport, now: Moment) {
        let record = Self.record(of: report)
        guard let active = runs[report.attempt.run], active.run.attempt == report.attempt.number,
            active.run.worker == report.worker, active.run.state == .started || active.run.state == .offered
        else {
            // Declared lost, and back after all: history shows both.
            if lostAttempts[report.attempt] == report.worker {
                lostAttempts[report.attempt] = nil
                changes.attempts.append(record)
            }
            return
        }
        if active.definition.reportsCompletion, record.state == .succeeded {
            awaitCompletion(report, record: record)
            return
        }
        conclude(report.attempt.run, record: record, limit: RetryPlanner.limit(of: report.outcome), now: now)
    }

    /// The process of a job that reports its completion itself has ended well: no worker holds the run any more.
    private mutating func awaitCompletion(_ report: AttemptReport, record: AttemptRecord) {
        guard var active = runs[report.attempt.run] else { return }
        letGo(active)
        active.lastRecord = record
        if active.run.state == .offered { active.become(.started) }
        active.run.worker = ""
        active.run.startedAt = report.startedAt ?? active.run.startedAt
        active.run.reason = "its process has ended; its completion has not been reported"
        runs[report.attempt.run] = active
        dirtyRuns.insert(report.attempt.run)
        armCompletion(active)
    }

    private static func record(of report: AttemptReport) -> AttemptRecord {
        var code: Int?
        var signal: Int?
        switch report.outcome {
        case .exited(let status): code = status
        case .signalled(let number): signal = number
        default: break
        }
        var reason = report.reason
        if reason.isEmpty, let code, code != 0 { reason = "it exited with status \(code)" }
        if reason.isEmpty, let signal { reason = "it was ended by signal \(signal)" }
        return AttemptRecord(
            attempt: report.attempt, worker: report.worker, startedAt: report.startedAt, finishedAt: report.finishedAt,
            state: RetryPlanner.state(of: report.outcome), exitCode: code, signal: signal, reason: reason,
            outputTail: report.outputTail, details: report.details)
    }

    // MARK: Answers to offers

    /// What came of a request with offers. A failure, or no answer, leaves open whether the worker has them: they go to
    /// another worker, and the claim decides.
    public mutating func offerAnswered(
        by worker: WorkerDescription, offers: [AttemptID], reply: OfferReply?, now: Moment
    ) {
        guard case .taken(_, let refused) = reply else {
            let until = now.uptime + policy.avoidance
            workers[worker.name]?.avoidedUntil = until
            steadyTimers.insert(.reconsider, at: until)
            for attempt in offers {
                takeBack(attempt, from: worker.name, now: now)
                queue(attempt.run)
            }
            return
        }
        for refusal in refused {
            guard let active = runs[refusal.attempt.run] else { continue }
            takeBack(refusal.attempt, from: worker.name, now: now)
            guard runs[refusal.attempt.run]?.run.state == .queued else { continue }
            runs[refusal.attempt.run]?.refusal = "worker \(worker.name) refused it: \(refusal.reason)"
            runs[refusal.attempt.run]?.run.reason = "worker \(worker.name) refused it: \(refusal.reason)"
            if refusal.isPermanent {
                runs[refusal.attempt.run]?.excluded.insert(worker.name)
                queue(refusal.attempt.run)
            } else {
                steadyTimers.insert(.requeue(active.run.attemptID), at: now.uptime + policy.refusalPause)
            }
        }
    }

    mutating func offerUnanswered(_ attempt: AttemptID, now: Moment) {
        guard let active = runs[attempt.run], active.run.attemptID == attempt, active.run.state == .offered,
            now.uptime - active.offeredAt >= policy.offerTimeout
        else { return }
        takeBack(attempt, from: active.run.worker, now: now)
        queue(attempt.run)
    }

    /// An offered run that its worker will not, or perhaps did not, take is queued again. If it was claimed after all
    /// the commit conflicts, and the state is read anew.
    private mutating func takeBack(_ attempt: AttemptID, from worker: String, now: Moment) {
        guard var active = runs[attempt.run], active.run.attemptID == attempt, active.run.state == .offered,
            active.run.worker == worker
        else { return }
        letGo(active)
        active.become(.queued)
        active.run.worker = ""
        active.run.offeredAt = nil
        active.isQueued = false
        runs[attempt.run] = active
        dirtyRuns.insert(attempt.run)
    }
}
