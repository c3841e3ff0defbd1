// Runs: how they begin, wait, are given to workers, and end.

import Timetable

extension LeaderState {
    // MARK: Waiting

    /// Lets a queued run compete for workers, unless an earlier run of its job has to end first.
    mutating func queue(_ id: RunID) {
        guard var active = runs[id], active.run.state == .queued, !active.isQueued, active.run.notBefore == nil else {
            return
        }
        if let missing = missing(active.definition) {
            doom(id, reason: missing.text)
            return
        }
        if active.definition.overlap != .allow, isBlocked(active) {
            active.run.reason = "waits for an earlier run of the job to end"
            runs[id] = active
            return
        }
        active.isQueued = true
        active.run.reason = ""
        runs[id] = active
        let key = QueueKey(isHighPriority: active.run.isHighPriority, due: active.run.due, id: id)
        queues[active.shape, default: MinHeap()].insert(id, at: key)
        sweep(active.shape)
    }

    /// Entries of runs that ended while they waited are forgotten when they are most of a queue, so that one run that
    /// finds no worker does not keep those behind it for ever.
    private mutating func sweep(_ shape: Shape) {
        guard let count = queues[shape]?.count, count > 64, count > 2 * runs.count else { return }
        let waiting = Set(runs.values.filter { $0.run.state == .queued && $0.isQueued }.map(\.run.id))
        queues[shape]?.removeAll { !waiting.contains($0) }
    }

    /// As many runs of the job as may be active at once are, or compete for workers already. Copies of one multiplexed
    /// run do not keep each other out.
    private func isBlocked(_ active: ActiveRun) -> Bool {
        var free = max(1, active.definition.maximumActive)
        for other in runsOfJob[active.run.job.job] ?? [] where other != active.run.id {
            guard let rival = runs[other], rival.run.cause != active.run.cause else { continue }
            if rival.run.state != .queued || rival.isQueued {
                free -= 1
                if free == 0 { return true }
            }
        }
        return false
    }

    private mutating func releaseNext(of job: JobID) {
        for id in runsOfJob[job] ?? []
        where runs[id]?.run.state == .queued && runs[id]?.isQueued == false && runs[id]?.run.notBefore == nil {
            queue(id)
            // The next one of a job that has no more room need not be tried.
            if runs[id]?.definition.overlap != .allow, runs[id]?.isQueued == false { return }
        }
    }

    /// A delay is measured on the steady clock, and is never longer than the job wants, whatever the clock of the node
    /// that wrote the instant was like: a clock that was an hour ahead must not make a retry wait for an hour.
    mutating func awaitRetry(_ active: ActiveRun, now: Moment) {
        let longest = RetryPlanner.delay(before: active.run.attempt, definition: active.definition, policy: policy)
        let delay = active.run.notBefore.map { now.wall.duration(to: $0) } ?? .zero
        var wait = min(delay, longest)
        if let left = active.timeLeft(at: now.wall) { wait = min(wait, left) }
        steadyTimers.insert(.retry(active.run.attemptID), at: now.uptime + max(.zero, wait))
    }

    mutating func retry(_ attempt: AttemptID, now: Moment) {
        guard let active = runs[attempt.run], active.run.attempt == attempt.number, active.run.state == .waiting
        else { return }
        if let left = active.timeLeft(at: now.wall), left <= .zero {
            end(attempt.run, in: .failed, reason: active.overtimeText, record: nil, now: now)
            return
        }
        // The database still says waiting, which the offer that follows expects.
        runs[attempt.run]?.become(.queued)
        runs[attempt.run]?.run.notBefore = nil
        runs[attempt.run]?.isQueued = true
        queues[active.shape, default: MinHeap()].insert(
            attempt.run,
            at: QueueKey(isHighPriority: active.run.isHighPriority, due: active.run.due, id: attempt.run))
    }

    /// The start window of a run has closed.
    mutating func closeWindow(_ id: RunID, now: Moment) {
        guard let active = runs[id], active.run.attempt == 0 else { return }
        guard active.run.state == .queued || active.run.state == .offered else { return }
        end(id, in: .missed, reason: "its start window closed: \(explain(active))", record: nil, now: now)
    }

    /// Why a run has not started, for people.
    func explain(_ active: ActiveRun) -> String {
        switch active.run.state {
        case .offered: return "worker \(active.run.worker) had not claimed it"
        case .queued where !active.isQueued && !active.run.reason.isEmpty: return active.run.reason
        case .queued: return explainPlacement(active)
        case .waiting where active.run.attempt > 0:
            guard let next = active.run.notBefore else { return active.run.reason }
            let reason = active.run.reason.isEmpty ? "" : "\(active.run.reason); "
            return "\(reason)its next try is due at \(next.iso8601)"
        default: return active.run.reason
        }
    }

    // MARK: Holding a worker's resources

    mutating func hold(_ active: ActiveRun) {
        guard !active.run.worker.isEmpty,
            runsOfWorker[active.run.worker, default: []].insert(active.run.id).inserted
        else { return }
        activeOfCategory[active.categoryKey, default: 0] += 1
        guard let used = workers[active.run.worker]?.used
        else { return }
        workers[active.run.worker]?.used = used + active.definition.resources
    }

    mutating func letGo(_ active: ActiveRun) {
        guard runsOfWorker[active.run.worker]?.remove(active.run.id) != nil else { return }
        activeOfCategory[active.categoryKey, default: 1] -= 1
        guard let used = workers[active.run.worker]?.used
        else { return }
        workers[active.run.worker]?.used = used - active.definition.resources
        if runsOfWorker[active.run.worker]?.isEmpty == true {
            // Sums of fractions drift; whoever holds nothing uses nothing.
            runsOfWorker[active.run.worker] = nil
            workers[active.run.worker]?.used = .zero
        }
    }

    // MARK: Ending

    /// Ends a try with what its worker said, and decides what follows.
    mutating func conclude(_ id: RunID, record: AttemptRecord, limit: RetryPlanner.Limit? = nil, now: Moment) {
        guard var active = runs[id] else { return }
        letGo(active)
        var record = record
        // Its worker knows what was left for this try only.
        if limit == .time, active.run.context?.firstStart != nil { record.reason = active.overtimeText }
        let consequence = RetryPlanner.consequence(
            of: record.state, attempt: active.run.attempt, definition: active.definition,
            abortRequested: active.run.isAbortRequested, limit: limit, now: now.wall, policy: policy)
        changes.attempts.append(record)
        active.run.startedAt = record.startedAt ?? active.run.startedAt
        active.run.worker = record.worker
        active.lastRecord = record
        runs[id] = active
        switch consequence {
        case .end(let state):
            // That it was asked to end is all that its worker knows.
            let isByRequest = state == .aborted && active.run.isAbortRequested && !active.run.reason.isEmpty
            end(id, in: state, reason: isByRequest ? active.run.reason : record.reason, record: record, now: now)
            // Its worker was lost, or it was ended by a limit: nothing that the job itself has done.
            if state == .lost || limit == .resource { runAgain(active, now: now) }
        case .retry(let notBefore):
            noteFirstStart(of: &active, record)
            active.become(.waiting)
            active.run.attempt += 1
            active.run.notBefore = notBefore
            active.run.reason = record.reason
            active.run.worker = ""
            active.run.offeredAt = nil
            active.run.startedAt = nil
            active.run.isAbortRequested = false
            active.run.startDeadline = nil
            active.isQueued = false
            active.unheard = 0
            runs[id] = active
            setDetails(nil, of: id)
            dirtyRuns.insert(id)
            awaitRetry(active, now: now)
        }
    }

    /// Puts a run into a terminal state. `record` is nil where no try was started.
    mutating func end(_ id: RunID, in state: RunState, reason: String, record: AttemptRecord?, now: Moment) {
        guard var active = runs[id] else { return }
        if active.run.state == .offered && record == nil { letGo(active) }
        let job = active.run.job
        if active.run.attempt == 0, active.run.lane == 0, active.run.state == .queued || active.run.state == .offered,
            record.map({ $0.worker.isEmpty }) ?? true, case .schedule = active.run.cause
        {
            // Nothing was ever started for this occurrence.
            changes.revisedVerdicts.append((run: id, verdict: state == .aborted ? .skipped : .missed, reason: reason))
        }
        active.become(state)
        active.run.reason = reason
        active.run.finishedAt = record?.finishedAt ?? now.wall
        active.run.notBefore = nil
        let hasSucceeded = state == .succeeded
        let hasFailed = state == .failed || state == .lost
        if hasSucceeded || hasFailed || state == .missed, let obstacle = follow(active, record: record, now: now) {
            active.run.reason = active.run.reason.isEmpty ? obstacle : "\(active.run.reason); \(obstacle)"
        }
        tell(
            state == .missed ? .launchRefused : .runEnded, job: job.job, definition: active.definition, run: active.run,
            record: record,
            reason: active.run.reason, at: now.wall)
        finish(active)
        if hasSucceeded || hasFailed {
            changes.tallies.append(Tally(job: job.job, isSuccess: hasSucceeded, at: now.wall))
        }
        if active.run.isLast {
            let rest = (runsOfJob[job.job] ?? []).filter { runs[$0]?.run.job == job }
            if let last = rest.last {
                runs[last]?.run.isLast = true
                dirtyRuns.insert(last)
            } else {
                disable(job, reason: "")
                tell(.jobDisabled, job: job.job, definition: active.definition, at: now.wall)
            }
        }
        if hasSucceeded || (hasFailed && active.definition.softError) {
            satisfyChildren(of: job.job, by: id, now: now)
        }
        releaseNext(of: job.job)
        releaseHeld(job.job)
    }

    private mutating func finish(_ active: ActiveRun) {
        let id = active.run.id
        setDetails(nil, of: id)
        leaveChains(of: active.definition)
        runs[id] = nil
        dirtyRuns.remove(id)
        runsOfJob[active.run.job.job]?.removeAll { $0 == id }
        if runsOfJob[active.run.job.job]?.isEmpty == true { runsOfJob[active.run.job.job] = nil }
        changes.finishedRuns.append(
            RunUpdate(
                run: active.run, expectedStates: expected(active), expectedAttempt: active.persisted?.attempt ?? 0))
    }

    /// The state in which the database must have the run for this change to be right. A run that is offered here and
    /// whose end is reported has been claimed through another node: then it must be started there.
    private func expected(_ active: ActiveRun) -> [RunState] {
        guard let persisted = active.persisted else { return [] }
        if persisted.state == .offered, active.lastRecord?.attempt.number == persisted.attempt { return [.started] }
        return [persisted.state]
    }

    /// Turns a run that changed in this turn into what is written of it.
    mutating func describeRun(_ id: RunID) {
        guard var active = runs[id] else { return }
        if active.persisted == nil {
            changes.newRuns.append(active.run)
        } else {
            changes.runs.append(
                RunUpdate(
                    run: active.run, expectedStates: expected(active), expectedAttempt: active.persisted?.attempt ?? 0))
        }
        active.persisted = .init(state: active.run.state, attempt: active.run.attempt)
        runs[id] = active
    }

    // MARK: Ending by request

    /// Ends the offered and started tries of a job, and the queued and waiting ones too where asked.
    mutating func kill(_ job: JobID, includingQueued: Bool, reason: String, now: Moment) -> [RunID] {
        var ended: [RunID] = []
        for id in runsOfJob[job] ?? [] where kill(id, includingQueued: includingQueued, reason: reason, now: now) {
            ended.append(id)
        }
        return ended
    }

    @discardableResult
    mutating func kill(_ id: RunID, includingQueued: Bool, reason: String, now: Moment) -> Bool {
        guard let active = runs[id] else { return false }
        switch active.run.state {
        case .offered: end(id, in: .aborted, reason: reason, record: nil, now: now)
        case .started where active.run.worker.isEmpty:
            end(id, in: .aborted, reason: reason, record: nil, now: now)
        case .started:
            // Who asked first is why it ends, and what is told of it until then.
            if !active.run.isAbortRequested { runs[id]?.run.reason = reason }
            runs[id]?.run.isAbortRequested = true
            dirtyRuns.insert(id)
            if let worker = workers[active.run.worker] {
                let reason = runs[id]?.run.reason ?? reason
                effects.append(
                    .kill(
                        worker: worker.worker.description, attempts: [active.run.attemptID],
                        reasons: [active.run.attemptID: reason]))
            }
        default:
            guard includingQueued else { return false }
            end(id, in: .aborted, reason: reason, record: nil, now: now)
        }
        return true
    }

    /// Ends the runs of the job that were never offered and wait, for earlier ones or for a worker.
    mutating func flushQueue(of job: JobID, now: Moment) -> [RunID] {
        let ids = (runsOfJob[job] ?? []).filter { runs[$0]?.run.state == .queued && runs[$0]?.run.attempt == 0 }
        for id in ids {
            end(id, in: .aborted, reason: "removed from the job's queue by request", record: nil, now: now)
        }
        return ids
    }

    /// Those that wait for a worker or for their next try, of all jobs.
    mutating func dropWaiting(now: Moment) -> [RunID] {
        let ids = runs.values.filter { $0.run.state == .queued || $0.run.state == .waiting }.map(\.run.id).sorted()
        for id in ids { end(id, in: .aborted, reason: "dropped by request", record: nil, now: now) }
        return ids
    }

    mutating func abort(_ ids: [RunID], reason: String, rewinds: Bool, now: Moment) -> [RunID] {
        var ended: [RunID] = []
        for id in ids {
            guard let active = runs[id], kill(id, includingQueued: true, reason: reason, now: now) else { continue }
            ended.append(id)
            if rewinds, !active.run.isAbortRequested { runAgain(active, now: now) }
        }
        return ended
    }

    /// Ends what is not detached of a job that is being switched off.
    mutating func abortAll(of job: JobID, reason: String, now: Moment) {
        for id in runsOfJob[job] ?? [] where runs[id]?.definition.isDetached == false {
            kill(id, includingQueued: true, reason: reason, now: now)
        }
    }

    /// Where the run goes does not change: it may be on its way already.
    mutating func updateRun(_ id: RunID, _ definition: JobDefinition, now: Moment) throws(DomainError) {
        guard var active = runs[id] else {
            throw .notFound("run '\(id)' not found among the runs that have not ended")
        }
        var definition = definition
        definition.resources = active.definition.resources
        definition.constraints = active.definition.constraints
        definition.target = active.definition.target
        definition.category = active.definition.category
        definition.plugin = active.definition.plugin
        let former = active.run.context
        let context = RunContext(
            definition: definition, source: former?.source ?? "", chain: former?.chain,
            postData: former?.postData ?? "", worker: former?.worker ?? "", trace: former?.trace,
            firstStart: former?.firstStart)
        useChains(of: definition)
        leaveChains(of: active.definition)
        active.definition = definition
        active.run.context = context
        runs[id] = active
        // Offered: its worker may have it already, and will not be asked again.
        if active.run.state == .started || active.run.state == .offered, let worker = workers[active.run.worker] {
            effects.append(
                .adjust(
                    worker: worker.worker.description, attempt: active.run.attemptID,
                    timeout: active.timeout(ofTryFrom: active.run.startedAt ?? now.wall),
                    limits: limits(of: definition)))
        }
        changes.contexts.removeAll { $0.run == id }
        changes.contexts.append((run: id, context: context))
    }
}
