// Commands: what each needs to know, and who decides it.

import Timetable

extension LeaderState {
    /// Jobs that the shell must read before the command can be applied.
    public static func jobsWanted(by command: LeaderCommand) -> JobsWanted {
        var wanted = JobsWanted()
        switch command {
        case .putJob(let definition, _, _, _, let options):
            wanted.names.insert(definition.name)
            if let id = options.id { wanted.ids.insert(id) }
            if case .parents(let parents) = definition.trigger { wanted.names.formUnion(parents) }
        case .deleteJob(let key, _), .runJob(let key, _), .killRuns(let key, _), .flushQueue(let key),
            .markSuccess(let key):
            wanted.insert(key)
        case .completeRun(let taskID, _): if let task = TaskID(taskID) { wanted.names.insert(task.jobName) }
        case .deleteCatalogue(let kind, let id): wanted.usersOf.insert(CatalogueKey(kind, id))
        case .reports(let reports):
            // Jobs of chains that the task itself has named; those that its job names are known already.
            for case let result? in reports.lazy.map({ $0.details?.result }) {
                for target in [result.onSuccess, result.onFailure] {
                    if let target, !target.isEmpty { wanted.insert(.either(target)) }
                }
            }
        case .all(let commands): for command in commands { wanted.formUnion(jobsWanted(by: command)) }
        default: break
        }
        return wanted
    }

    /// Takes what the shell has read for this turn: the jobs of `jobsWanted`, as the database has them; jobs that are
    /// absent do not exist.
    public mutating func learn(_ facts: JobFacts) {
        self.facts = facts
        learnChains()
    }

    /// Applies one command. What it needs to know has been learnt in this turn.
    public mutating func apply(_ command: LeaderCommand, now: Moment) throws(DomainError) -> LeaderReply {
        switch command {
        case .putJob(let definition, let isEnabled, let counters, let mode, let options):
            let request = PutRequest(
                definition: definition, isEnabled: isEnabled, counters: counters, mode: mode, options: options)
            return .job(try putJob(request, now: now))
        case .deleteJob(let key, let onlyIfIdle):
            return .deleted(try deleteJob(try known(key), onlyIfIdle: onlyIfIdle, now: now))
        case .runJob(let key, let request): return .launched(try launch(try known(key), by: request, now: now))
        case .markSuccess(let key):
            let job = try known(key)
            changes.tallies.append(Tally(job: job.id, isSuccess: true, at: now.wall))
            resetEdges(of: job.id)
            satisfyChildren(of: job.id, by: identifiers.run(), now: now)
            return .flag(true)
        case .completeRun(let taskID, let statusCode): return .flag(complete(taskID, statusCode, now: now))
        case .killRuns, .flushQueue, .abortRun, .abortRuns, .dropWaitingRuns, .updateRun:
            return try applyToRuns(command, now: now)
        case .putCatalogue(let item, let mode):
            try putCatalogue(item, mode: mode, now: now)
            return .done
        case .deleteCatalogue(let kind, let id):
            try deleteCatalogue(CatalogueKey(kind, id))
            return .done
        case .setScheduling(let isEnabled):
            setScheduling(isEnabled)
            return .done
        case .drainWorker(let name, let isDrained): return try drain(name, isDrained)
        case .register(let worker): return .heartbeat(register(worker, now: now))
        case .heartbeat(let heartbeat): return .heartbeat(hear(heartbeat, now: now))
        case .reports(let reports): return .reports(take(reports, now: now))
        case .claimed(let request, let granted):
            noteClaims(of: request.worker, granted, now: now)
            return .done
        case .all(let commands):
            // A copy shares its storage until one of the two is changed.
            var copy = self
            for command in commands { _ = try copy.apply(command, now: now) }
            self = copy
            return .done
        }
    }

    private mutating func applyToRuns(_ command: LeaderCommand, now: Moment) throws(DomainError) -> LeaderReply {
        switch command {
        case .killRuns(let key, let includingQueued):
            return .runs(
                kill(try known(key).id, includingQueued: includingQueued, reason: "killed by request", now: now))
        case .flushQueue(let key): return .runs(flushQueue(of: try known(key).id, now: now))
        case .abortRun(let id, let reason):
            guard kill(id, includingQueued: true, reason: reason, now: now) else {
                throw .notFound("run '\(id)' not found among the runs that have not ended")
            }
        case .abortRuns(let ids, let reason, let rewinds):
            return .runs(abort(ids, reason: reason, rewinds: rewinds, now: now))
        case .dropWaitingRuns: return .runs(dropWaiting(now: now))
        case .updateRun(let id, let definition): try updateRun(id, definition, now: now)
        default: break
        }
        return .done
    }

    // MARK: Knowing jobs

    func known(_ key: JobKey) throws(DomainError) -> Job {
        guard let job = job(key) else { throw .notFound("Job '\(key.text)' not found") }
        return job
    }

    /// The job as this turn has it: what was read may be older than what the turn itself has changed.
    func job(_ key: JobKey) -> Job? {
        switch key {
        case .id(let id):
            if let changed = jobsOfTurn[id] { return changed.map { current($0) } }
            return facts[key].map { current($0) }
        case .name(let name):
            if let id = namesOfTurn[name], case .some(.some(let job)) = jobsOfTurn[id], job.definition.name == name {
                return current(job)
            }
            guard let found = facts[key], jobsOfTurn[found.id] == nil else { return nil }
            return current(found)
        case .either(let text): return job(.id(JobID(text))) ?? job(.name(text))
        }
    }

    func current(_ job: Job) -> Job {
        if let entry = agenda[job.id], entry.job.version >= job.version { return entry.job }
        if let dependent = dependents[job.id], dependent.version >= job.version { return dependent }
        guard let advance = advances[job.reference] else { return job }
        var job = job
        job.decidedThrough = advance.decidedThrough
        job.next = advance.next
        return job
    }

    /// Whatever stores a version of a job comes through here.
    mutating func put(_ job: Job) {
        changes.putJobs.removeAll { $0.id == job.id }
        changes.putJobs.append(job)
        jobsOfTurn[job.id] = .some(job)
        namesOfTurn[job.definition.name] = job.id
        noteChainTarget(job)
    }
}
