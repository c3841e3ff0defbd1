// Launching: how a run, or one on each worker, comes into being.

import Timetable

/// What a launch is, besides its job.
struct Launch {
    var cause: Cause
    var due: Instant
    var context: RunContext?
    var arguments = ""
    var isLast = false
    var startDeadline: Instant?
}

extension LeaderState {
    mutating func launchScheduled(_ job: Job, finding: LaunchPlanner.Finding, isLast: Bool, now: Moment) -> [RunID] {
        launch(
            job,
            Launch(
                cause: .schedule(version: job.version, index: finding.first.index), due: finding.first.due,
                isLast: isLast, startDeadline: finding.startDeadline), now: now)
    }

    /// Runs that were asked for. They wait for an active one where the job does not allow overlap, or are refused where
    /// the request says so; what was accepted is never dropped.
    mutating func launch(_ job: Job, by request: RunRequest, now: Moment) throws(DomainError) -> LaunchReport {
        if let full = refusal(of: job) { throw full }
        let definition = request.context?.definition ?? job.definition
        var isQueued = false
        sortIntoGroups()
        if let missing = missing(definition) { throw DomainError(.conflict, missing.text) }
        if request.isRefusedIfBlocked, let obstacle = obstacle(definition, job: job.id) {
            if case .missing = obstacle { throw DomainError(.conflict, obstacle.text) }
            guard definition.overlap == .queue else { throw DomainError(.conflict, obstacle.text) }
            let limit = definition.queueLimit
            guard limit <= 0 || waiting(of: job.id) < limit else {
                throw DomainError(.conflict, "Job could not be queued: Event queue reached max of \(limit) items")
            }
            isQueued = true
        }
        resetEdges(of: job.id)
        let key = identifiers.run()
        let due = request.due.map { uniqueDue(job.id, at: $0) } ?? uniqueDue(job.id, now: now)
        let runs = launch(
            job,
            Launch(
                cause: .manual(key: key.rawValue), due: due, context: request.context, arguments: request.arguments),
            now: now, first: key)
        let waiting = waiting(of: job.id)
        return LaunchReport(runs: runs, isQueued: isQueued, waiting: isQueued ? waiting : waiting - runs.count)
    }

    /// Why no further run of the job may exist at all.
    func refusal(of job: Job) -> DomainError? {
        let active = runsOfJob[job.id]?.count ?? 0
        if active >= Limits.activePerJob {
            return DomainError(.tooMany, "job '\(job.definition.name)' has \(active) runs that have not ended")
        }
        if runs.count >= Limits.activeRuns {
            return DomainError(.tooMany, "the cluster has \(runs.count) runs that have not ended, its limit")
        }
        return nil
    }

    /// Runs of the job that no worker has been offered.
    private func waiting(of job: JobID) -> Int {
        (runsOfJob[job] ?? []).reduce(0) { $0 + (runs[$1]?.run.state == .queued ? 1 : 0) }
    }

    /// - Parameter first: the identifier of the first copy, where it is known already.
    @discardableResult
    mutating func launch(_ job: Job, _ launch: Launch, now: Moment, first: RunID? = nil) -> [RunID] {
        let definition = launch.context?.definition ?? job.definition
        let lanes = lanes(of: definition)
        guard lanes.count > 1 else {
            return [begin(run(of: job, launch, id: first, lane: 0, worker: lanes.first), definition: definition)]
        }
        var ids: [RunID] = []
        for (lane, worker) in lanes.enumerated() {
            var copy = run(of: job, launch, id: lane == 0 ? first : nil, lane: lane, worker: worker)
            if lane > 0, definition.stagger > .zero {
                copy.notBefore = now.wall.advanced(by: definition.stagger * lane)
            }
            ids.append(begin(copy, definition: definition, now: now))
        }
        return ids
    }

    private mutating func run(of job: Job, _ launch: Launch, id: RunID?, lane: Int, worker: String?) -> Run {
        var context = launch.context
        if let worker {
            context = RunContext(
                definition: context?.definition, source: context?.source ?? "", chain: context?.chain,
                postData: context?.postData ?? "", worker: worker, trace: context?.trace)
        }
        return Run(
            id: id ?? identifiers.run(), job: job.reference, jobName: job.definition.name, cause: launch.cause,
            lane: lane, due: launch.due, adHocArguments: launch.arguments,
            isHighPriority: (context?.definition ?? job.definition).highPriority, isLast: launch.isLast,
            startDeadline: launch.startDeadline, context: context)
    }

    /// The workers that each get a copy, by name. None: there is one run, for whichever worker can take it.
    private mutating func lanes(of definition: JobDefinition) -> [String] {
        guard definition.isMultiplexed else { return [] }
        sortIntoGroups()
        return workers.values
            .filter { worker in
                worker.isLive && !worker.worker.isDrained && matches(worker.worker.description.name, definition.target)
                    && definition.requirements.allSatisfy { $0.isSatisfied(by: worker.worker.description.attributes) }
            }
            .map(\.worker.description.name).sorted()
    }

    mutating func uniqueDue(_ job: JobID, now: Moment) -> Instant { uniqueDue(job, at: now.wall) }

    mutating func uniqueDue(_ job: JobID, at instant: Instant) -> Instant {
        var due = Instant(milliseconds: instant.milliseconds)
        // Only what is asked for at about the same time can be the same.
        if let last = lastManualDue[job], last >= due, due.duration(to: last) < .seconds(60) {
            due = Instant(milliseconds: last.milliseconds + 1)
        }
        // Nor may it be that of an active run with another cause: task ids tell runs apart by it alone.
        let taken = Set((runsOfJob[job] ?? []).compactMap { runs[$0]?.run.due.milliseconds })
        while taken.contains(due.milliseconds) { due = Instant(milliseconds: due.milliseconds + 1) }
        if lastManualDue.count > 10_000 { lastManualDue.removeAll() }
        lastManualDue[job] = due
        return due
    }

    /// An occurrence that was lost with its worker, or to a limit, is run once more where the job catches up on all.
    mutating func runAgain(_ active: ActiveRun, now: Moment) {
        guard active.mayRunAgain else { return }
        var again = active.run
        again = Run(
            id: identifiers.run(), job: again.job, jobName: again.jobName, cause: .manual(key: "again-\(again.id)"),
            due: again.due, isHighPriority: again.isHighPriority, isLast: again.isLast, context: again.context)
        begin(again, definition: active.definition)
    }

    @discardableResult
    mutating func begin(_ run: Run, definition: JobDefinition, now: Moment? = nil) -> RunID {
        runs[run.id] = ActiveRun(run: run, definition: definition)
        runsOfJob[run.job.job, default: []].append(run.id)
        dirtyRuns.insert(run.id)
        useChains(of: definition)
        if let deadline = run.startDeadline { wallTimers.insert(.startDeadline(run.id), at: deadline) }
        if run.notBefore != nil, let now { awaitTurn(run.id, now: now) } else { queue(run.id) }
        return run.id
    }

    /// A copy of a multiplexed run that starts later than the first one, on the steady clock.
    mutating func awaitTurn(_ id: RunID, now: Moment) {
        guard let active = runs[id], let notBefore = active.run.notBefore else { return }
        let longest = active.definition.stagger * max(1, active.run.lane)
        runs[id]?.run.reason = "starts \(longest.secondsText) after the first copy"
        let delay = max(.zero, min(now.wall.duration(to: notBefore), longest))
        steadyTimers.insert(.stagger(id), at: now.uptime + delay)
    }

    mutating func takeTurn(_ id: RunID) {
        guard runs[id]?.run.state == .queued, runs[id]?.run.notBefore != nil else { return }
        runs[id]?.run.notBefore = nil
        queue(id)
    }

    // MARK: Runs that cannot start

    /// What it refers to does not exist: it is ended as failed in the next turn, when what follows it is known.
    mutating func doom(_ id: RunID, reason: String) {
        runs[id]?.run.reason = reason
        runs[id]?.isQueued = false
        if !doomed.contains(id) { doomed.append(id) }
    }

    mutating func endDoomed(now: Moment) {
        let list = doomed
        doomed = []
        for id in list {
            guard let active = runs[id], active.run.state == .queued else { continue }
            guard knowsChains(of: active.definition) else {
                doomed.append(id)
                continue
            }
            end(id, in: .failed, reason: active.run.reason, record: nil, now: now)
        }
    }
}
