// Jobs: created, replaced, removed, run by hand, and the graph of parents.

import Timetable

extension LeaderState {
    /// Names whose jobs the shell must read before the command can be applied.
    public static func namesNeeded(by command: LeaderCommand) -> [String] {
        switch command {
        case .putJob(let definition, _, _, _):
            if case .parents(let parents) = definition.trigger { return [definition.name] + parents }
            return [definition.name]
        case .deleteJob(let name), .runJob(let name, _), .killRuns(let name, _), .markSuccess(let name): return [name]
        case .completeRun(let taskID, _): return TaskID(taskID).map { [$0.jobName] } ?? []
        default: return []
        }
    }

    /// Applies one command. `facts` holds the jobs of `namesNeeded`, as the database has them; names that are absent do
    /// not exist.
    public mutating func apply(
        _ command: LeaderCommand, facts: [String: Job], now: Moment
    ) throws(DomainError) -> LeaderReply {
        switch command {
        case .putJob(let definition, let isEnabled, let counters, let mode):
            return .job(
                try putJob(definition, isEnabled: isEnabled, counters: counters, mode: mode, facts: facts, now: now))
        case .deleteJob(let name):
            try deleteJob(current(try known(name, facts)), now: now)
            return .done
        case .runJob(let name, let arguments):
            return .run(try launchManually(current(try known(name, facts)), arguments: arguments, now: now))
        case .killRuns(let name, let includingQueued):
            let job = try known(name, facts)
            return .runs(kill(job.id, includingQueued: includingQueued, reason: "killed by request", now: now))
        case .abortRun(let id):
            guard kill(id, includingQueued: true, reason: "aborted by request", now: now) else {
                throw .notFound("run '\(id)' not found among the runs that have not ended")
            }
            return .done
        case .markSuccess(let name):
            let job = current(try known(name, facts))
            changes.tallies.append(Tally(job: job.id, isSuccess: true, at: now.wall))
            resetEdges(of: job.id)
            satisfyChildren(of: job.id, by: identifiers.run(), now: now)
            return .flag(true)
        case .completeRun(let taskID, let statusCode): return .flag(complete(taskID, statusCode, facts, now: now))
        case .drainWorker(let name, let isDrained): return try drain(name, isDrained)
        case .register(let worker): return .heartbeat(register(worker, now: now))
        case .heartbeat(let heartbeat): return .heartbeat(hear(heartbeat, now: now))
        case .reports(let reports): return .reports(take(reports, now: now))
        case .claimed(let request, let granted):
            noteClaims(of: request.worker, granted, now: now)
            return .done
        }
    }

    private func known(_ name: String, _ facts: [String: Job]) throws(DomainError) -> Job {
        guard let job = facts[name] else { throw .notFound("Job '\(name)' not found") }
        return job
    }

    /// The job as this turn has it: what was read may be older than what the turn itself has changed.
    private func current(_ job: Job) -> Job {
        if let entry = agenda[job.id], entry.job.version >= job.version { return entry.job }
        if let dependent = dependents[job.id], dependent.version >= job.version { return dependent }
        guard let advance = advances[job.reference] else { return job }
        var job = job
        job.decidedThrough = advance.decidedThrough
        job.next = advance.next
        return job
    }

    // MARK: Creating and replacing

    private mutating func putJob(
        _ definition: JobDefinition, isEnabled: Bool, counters: JobCounters?, mode: PutMode, facts: [String: Job],
        now: Moment
    ) throws(DomainError) -> Job {
        let existing = facts[definition.name].map { current($0) }
        switch mode {
        case .createOnly where existing != nil: throw DomainError(.conflict, "job '\(definition.name)' exists already")
        case .updateOnly where existing == nil: throw .notFound("Job '\(definition.name)' not found")
        default: break
        }
        let id = existing?.id ?? identifiers.job()
        let parents = try parentIDs(of: definition, id: id, facts: facts)
        var job = Job(
            id: id, version: (existing?.version ?? 0) + 1, definition: definition, isEnabled: isEnabled,
            counters: counters ?? JobCounters(), created: existing?.created ?? now.wall, modified: now.wall)
        try startSchedule(of: &job, continuing: existing, now: now)
        if let existing { closeEra(of: existing, reason: "the job was replaced before it was decided", now: now) }
        changes.putJobs.removeAll { $0.id == id }
        changes.putJobs.append(job)
        rewire(job, parents: parents, hadParents: existing.map { dependents[$0.id] != nil } ?? false)
        schedule(job)
        return job
    }

    /// Sets where the schedule of a new version stands, and opens its era.
    private mutating func startSchedule(of job: inout Job, continuing existing: Job?, now: Moment) throws(DomainError) {
        guard case .schedule(var text) = job.definition.trigger else { return }
        var schedule: Schedule
        do { schedule = try text.schedule(zones: zones) } catch { throw .invalid(error.message) }
        if let existing, case .schedule(let old) = existing.definition.trigger, old.text == text.text,
            old.zone == text.zone, old.notation == text.notation, existing.next != nil
        {
            // The same schedule goes on where it stands: posting a job again launches nothing anew.
            text.anchor = old.anchor
            do { schedule = try text.schedule(zones: zones) } catch { throw .invalid(error.message) }
            job.definition.trigger = .schedule(text)
            job.decidedThrough = existing.decidedThrough
            // What was due until now belongs to the version before; while it was disabled, to nobody.
            if let last = schedule.last(atOrBefore: now.wall), last.index > (job.decidedThrough ?? -1) {
                job.decidedThrough = last.index
            }
        }
        // Fields have no first occurrence: what they matched before the job existed is not wanted.
        if job.decidedThrough == nil, text.notation != .iso8601 { job.decidedThrough = now.wall.seconds }
        job.next = schedule.next(afterIndex: job.decidedThrough)
        guard job.isEnabled else { return }
        changes.newEras.append(
            ScheduleEra(
                job: job.reference, jobName: job.definition.name, schedule: text,
                firstIndex: (job.decidedThrough ?? -1) + 1, closed: nil))
    }

    /// Ends the era of a version. What is due by now and has no verdict gets one.
    private mutating func closeEra(of job: Job, reason: String, now: Moment) {
        agenda[job.id] = nil
        // Where the version stood does not matter any more, and its row is gone when advances are written.
        advances[job.reference] = nil
        guard job.isEnabled, case .schedule(let text) = job.definition.trigger else { return }
        changes.closedEras.append((job: job.reference, at: now.wall))
        // A schedule that cannot be computed has disabled its job before.
        guard let next = job.next, next.due <= now.wall, let schedule = try? text.schedule(zones: zones),
            let last = schedule.last(atOrBefore: now.wall), last.index >= next.index
        else { return }
        changes.ledger.append(
            LedgerEntry(
                job: job.reference, jobName: job.definition.name, firstIndex: next.index, lastIndex: last.index,
                firstDue: next.due, lastDue: last.due, count: schedule.count(from: next.index, through: last.index),
                verdict: .skipped, reason: reason, run: nil, recorded: now.wall))
    }

    // MARK: The graph

    mutating func link(_ edge: Edge) {
        parentsOf[edge.child, default: [:]][edge.parent] = edge.isSatisfied
        childrenOf[edge.parent, default: []].insert(edge.child)
    }

    private mutating func unlink(parent: JobID, child: JobID) {
        parentsOf[child]?[parent] = nil
        childrenOf[parent]?.remove(child)
        if childrenOf[parent]?.isEmpty == true { childrenOf[parent] = nil }
        dirtyEdges[Edge(parent: parent, child: child, isSatisfied: false)] = nil
    }

    private func parentIDs(
        of definition: JobDefinition, id: JobID, facts: [String: Job]
    ) throws(DomainError) -> [JobID] {
        guard case .parents(let names) = definition.trigger else { return [] }
        guard !names.isEmpty else { throw .invalid("a dependent job needs at least one parent") }
        var ids: [JobID] = []
        for name in names {
            guard name != definition.name else { throw .invalid("job '\(name)' cannot be its own parent") }
            guard let parent = facts[name] else {
                throw .invalid("parent job '\(name)' not found: create it before '\(definition.name)'")
            }
            if !ids.contains(parent.id) { ids.append(parent.id) }
        }
        if let path = cycle(from: ids, to: id) {
            let names = path.map { dependents[$0]?.definition.name ?? $0.rawValue }.joined(separator: " → ")
            throw .invalid("these parents would make a cycle: '\(definition.name)' is an ancestor of itself (\(names))")
        }
        return ids
    }

    /// The way from one of the jobs up through its parents to `target`, if there is one.
    private func cycle(from starts: [JobID], to target: JobID) -> [JobID]? {
        var seen: Set<JobID> = []
        var stack = starts.map { [$0] }
        while let path = stack.popLast() {
            guard let job = path.last, seen.insert(job).inserted else { continue }
            if job == target { return path }
            for parent in (parentsOf[job] ?? [:]).keys.sorted() { stack.append(path + [parent]) }
        }
        return nil
    }

    private mutating func rewire(_ job: Job, parents: [JobID], hadParents: Bool) {
        guard hadParents || !parents.isEmpty else { return }
        let old = parentsOf[job.id] ?? [:]
        for parent in old.keys where !parents.contains(parent) { unlink(parent: parent, child: job.id) }
        // A parent that stays keeps what it has done already.
        let edges = parents.map { Edge(parent: $0, child: job.id, isSatisfied: old[$0] ?? false) }
        for edge in edges { link(edge) }
        changes.replacedEdges.removeAll { $0.child == job.id }
        changes.replacedEdges.append((child: job.id, edges: edges))
        if parents.isEmpty {
            dependents[job.id] = nil
            parentsOf[job.id] = nil
        } else {
            dependents[job.id] = job
        }
    }

    private mutating func setEdge(parent: JobID, child: JobID, satisfied: Bool) {
        guard let now = parentsOf[child]?[parent], now != satisfied else { return }
        parentsOf[child]?[parent] = satisfied
        if let index = changes.replacedEdges.firstIndex(where: { $0.child == child }) {
            for edge in changes.replacedEdges[index].edges.indices
            where changes.replacedEdges[index].edges[edge].parent == parent {
                changes.replacedEdges[index].edges[edge].isSatisfied = satisfied
            }
        } else {
            dirtyEdges[Edge(parent: parent, child: child, isSatisfied: false)] = satisfied
        }
    }

    /// A run of the job begins, whatever its cause: what its parents did before counts no more (chronos.md §3.8).
    mutating func resetEdges(of child: JobID) {
        for parent in (parentsOf[child] ?? [:]).keys.sorted() {
            setEdge(parent: parent, child: child, satisfied: false)
        }
    }

    /// A run of the job has succeeded. Children whose parents have now all succeeded since they began are launched.
    mutating func satisfyChildren(of parent: JobID, by run: RunID, now: Moment) {
        for child in (childrenOf[parent] ?? []).sorted() {
            setEdge(parent: parent, child: child, satisfied: true)
            guard let job = dependents[child], job.isEnabled,
                (parentsOf[child] ?? [:]).values.allSatisfy({ $0 })
            else { continue }
            let mine = runsOfJob[child] ?? []
            guard mine.count < Limits.activePerJob else { continue }
            resetEdges(of: child)
            // A run that has not started yet will see this success as well.
            if job.definition.overlap != .allow, mine.contains(where: { runs[$0]?.run.state == .queued }) { continue }
            begin(
                Run(
                    id: identifiers.run(), job: job.reference, jobName: job.definition.name,
                    cause: .parents(key: run.rawValue), due: uniqueDue(child, now: now),
                    isHighPriority: job.definition.highPriority),
                definition: job.definition)
        }
    }

    // MARK: Removing

    /// Runs that a worker has are ended; children keep all their fields and their other parents; those without any left
    /// become jobs without schedule (the table of issue "The whole Chronos API").
    private mutating func deleteJob(_ job: Job, now: Moment) throws(DomainError) {
        closeEra(of: job, reason: "the job was deleted before it was decided", now: now)
        _ = kill(job.id, includingQueued: true, reason: "the job was deleted", now: now)
        for child in (childrenOf[job.id] ?? []).sorted() {
            guard var orphan = dependents[child], case .parents(let names) = orphan.definition.trigger else { continue }
            let left = names.filter { $0 != job.definition.name }
            orphan.version += 1
            orphan.modified = now.wall
            orphan.definition.trigger = left.isEmpty ? .manual : .parents(left)
            let edges = (parentsOf[child] ?? [:]).filter { $0.key != job.id }
            changes.putJobs.removeAll { $0.id == child }
            changes.putJobs.append(orphan)
            rewire(orphan, parents: edges.keys.sorted(), hadParents: true)
            if left.isEmpty {
                effects.append(.notice("job '\(orphan.definition.name)' lost its last parent and runs only by request"))
            }
        }
        for parent in (parentsOf[job.id] ?? [:]).keys.sorted() { unlink(parent: parent, child: job.id) }
        parentsOf[job.id] = nil
        childrenOf[job.id] = nil
        dependents[job.id] = nil
        changes.putJobs.removeAll { $0.id == job.id }
        changes.deletedJobs.append(job.id)
    }

    // MARK: Completion by a client

    private mutating func complete(_ text: String, _ statusCode: Int, _ facts: [String: Job], now: Moment) -> Bool {
        guard let task = TaskID(text), let job = facts[task.jobName] else { return false }
        for id in runsOfJob[job.id] ?? [] {
            guard let active = runs[id], active.run.state == .started, active.definition.reportsCompletion,
                active.run.attempt == task.attempt, active.run.due.milliseconds == task.dueMilliseconds
            else { continue }
            conclude(
                id,
                record: AttemptRecord(
                    attempt: active.run.attemptID, worker: active.run.worker, startedAt: active.run.startedAt,
                    finishedAt: now.wall, state: statusCode == 0 ? .succeeded : .failed, exitCode: statusCode,
                    reason: statusCode == 0 ? "" : "it reported status \(statusCode)"),
                now: now)
            return true
        }
        return false
    }
}

/// Chronos' task id, taken apart: `ct:<millis>:<attempt>:<name>[:<arguments>]`.
public struct TaskID: Hashable, Sendable {
    public let dueMilliseconds: Int64
    public let attempt: Int
    public let jobName: String

    public init?(_ text: String) {
        let parts = text.split(separator: ":", maxSplits: 4, omittingEmptySubsequences: false)
        guard parts.count >= 4, parts[0] == "ct", let due = Int64(parts[1]), let attempt = Int(parts[2]) else {
            return nil
        }
        dueMilliseconds = due
        self.attempt = attempt
        jobName = String(parts[3])
    }
}
