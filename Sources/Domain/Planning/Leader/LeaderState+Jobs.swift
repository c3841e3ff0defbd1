// Jobs: created, replaced, removed.

import Timetable

/// A job as a client wants it stored.
struct PutRequest {
    var definition: JobDefinition
    var isEnabled: Bool
    var counters: JobCounters?
    var mode: PutMode
    var options: PutOptions
}

extension LeaderState {
    // MARK: Creating and replacing

    mutating func putJob(_ request: PutRequest, now: Moment) throws(DomainError) -> Job {
        var existing = try replaced(by: request)
        let id = existing?.id ?? request.options.id ?? identifiers.job()
        let parents = try parentIDs(of: request.definition, id: id)
        if let found = existing { existing = withdraw(found, now: now) }
        // The database's are newer than those of the agenda's copy; what this turn counts is added to them.
        let kept = existing.flatMap { facts[.id($0.id)] ?? $0 }?.counters
        let counters = request.counters ?? (request.options.keepsCounters ? kept : nil)
        var job = Job(
            id: id, version: (existing?.version ?? 0) + 1, definition: request.definition,
            isEnabled: request.isEnabled, counters: counters ?? JobCounters(), created: existing?.created ?? now.wall,
            modified: now.wall)
        let cursor = wantedFrom(job, replacing: existing, options: request.options, now: now)
        try startSchedule(of: &job, continuing: existing, from: cursor, now: now)
        if let existing {
            closeEra(of: existing, cursor: cursor, reason: "the job was replaced before it was decided", now: now)
            if existing.definition.name != job.definition.name { rename(existing, to: job.definition.name, now: now) }
        }
        put(job)
        rewire(job, parents: parents, hadParents: existing.map { dependents[$0.id] != nil } ?? false)
        schedule(job)
        if let reason = request.options.abortReason { abortAll(of: id, reason: reason, now: now) }
        return job
    }

    private func replaced(by request: PutRequest) throws(DomainError) -> Job? {
        let name = request.definition.name
        let named = job(.name(name))
        var existing = named
        if let id = request.options.id {
            guard JobID.isPossible(id.rawValue) else {
                throw .invalid(
                    "'\(id)' cannot identify a job: use 1 to \(Limits.identifier) characters of a-z, 0-9 and '_'")
            }
            existing = job(.id(id))
            if let named, named.id != id {
                throw DomainError(.conflict, "job \(named.id) has the name '\(name)': choose another name")
            }
        }
        switch request.mode {
        case .createOnly where existing != nil:
            throw DomainError(.conflict, "job '\(request.options.id?.rawValue ?? name)' exists already")
        case .updateOnly where existing == nil:
            throw .notFound("Job '\(request.options.id?.rawValue ?? name)' not found")
        case .replace(let version) where existing?.version != version:
            throw DomainError(
                .conflict,
                existing.map { "job '\(name)' is at version \($0.version), not \(version)" }
                    ?? "job '\(name)' does not exist any more")
        default: return existing
        }
    }

    /// From which instant on occurrences are wanted, where that is not simply from now on (cronicle.md §2.6): a job
    /// with full catch-up keeps what it has not decided, whatever else is changed of it.
    private func wantedFrom(_ job: Job, replacing existing: Job?, options: PutOptions, now: Moment) -> Instant? {
        guard job.definition.catchUp == .all, case .schedule = job.definition.trigger else { return nil }
        if let cursor = options.cursor { return cursor }
        guard let existing, existing.definition.catchUp == .all, case .schedule = existing.definition.trigger else {
            return nil
        }
        var cursor = existing.next.flatMap { $0.due <= now.wall ? $0.due : nil }
        if options.abortReason != nil {
            for id in runsOfJob[existing.id] ?? [] {
                guard let active = runs[id], active.mayRunAgain, !active.definition.isDetached else { continue }
                cursor = min(cursor ?? active.run.due, active.run.due)
            }
        }
        return cursor
    }

    /// Takes back what was decided ahead for a job that is being replaced: when it is due, the new version counts.
    /// - Returns: the job as it stood before those decisions.
    private mutating func withdraw(_ job: Job, now: Moment) -> Job {
        var job = job
        for id in runsOfJob[job.id] ?? [] {
            guard let run = runs[id]?.run, Self.isAhead(run, now: now),
                case .schedule(version: job.version, let index) = run.cause
            else { continue }
            end(id, in: .aborted, reason: "the job was replaced before it was due", record: nil, now: now)
            if job.next.map({ index < $0.index }) ?? true { job.next = Occurrence(index: index, due: run.due) }
            job.decidedThrough = min(job.decidedThrough ?? index - 1, index - 1)
        }
        return job
    }

    /// Sets where the schedule of a new version stands, and opens its era.
    private mutating func startSchedule(
        of job: inout Job, continuing existing: Job?, from cursor: Instant?, now: Moment
    ) throws(DomainError) {
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
            if cursor == nil, let last = schedule.last(atOrBefore: now.wall), last.index > (job.decidedThrough ?? -1) {
                job.decidedThrough = last.index
            }
        }
        if let cursor {
            let before = Instant(microseconds: max(cursor.microseconds, .min + 1) - 1)
            job.decidedThrough =
                text.notation == .iso8601 ? schedule.last(atOrBefore: before)?.index : before.seconds
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

    /// Ends the era of a version. What is due by now and has no verdict gets one, unless the next era begins with it.
    private mutating func closeEra(of job: Job, cursor: Instant? = nil, reason: String, now: Moment) {
        agenda[job.id] = nil
        held.remove(job.id)
        // Where the version stood does not matter any more, and its row is gone when advances are written.
        advances[job.reference] = nil
        guard job.isEnabled, case .schedule(let text) = job.definition.trigger else { return }
        var end = now.wall
        if let cursor {
            // Up to here there are verdicts; what follows is the next era's from the cursor on.
            let decided = job.next.map { min(now.wall, $0.due.advanced(by: .microseconds(-1))) } ?? now.wall
            end = max(decided, min(now.wall, cursor.advanced(by: .microseconds(-1))))
        }
        changes.closedEras.append((job: job.reference, at: end))
        // A schedule that cannot be computed has disabled its job before.
        guard let next = job.next, next.due <= end, let schedule = try? text.schedule(zones: zones),
            let last = schedule.last(atOrBefore: end), last.index >= next.index
        else { return }
        changes.ledger.append(
            LedgerEntry(
                job: job.reference, jobName: job.definition.name, firstIndex: next.index, lastIndex: last.index,
                firstDue: next.due, lastDue: last.due, count: schedule.count(from: next.index, through: last.index),
                verdict: .skipped, reason: reason, run: nil, recorded: now.wall))
    }

    /// Children name their parents: they follow a new name.
    private mutating func rename(_ job: Job, to name: String, now: Moment) {
        for child in (childrenOf[job.id] ?? []).sorted() {
            guard var dependent = dependents[child], case .parents(let names) = dependent.definition.trigger else {
                continue
            }
            dependent.version += 1
            dependent.modified = now.wall
            dependent.definition.trigger = .parents(names.map { $0 == job.definition.name ? name : $0 })
            dependents[child] = dependent
            put(dependent)
        }
    }

    // MARK: Removing

    /// Runs that a worker has are ended; children keep all their fields and their other parents; those without any left
    /// become jobs without schedule that run by request.
    mutating func deleteJob(_ job: Job, onlyIfIdle: Bool, now: Moment) throws(DomainError) -> JobDeletion {
        if onlyIfIdle {
            // What waits in the job's queue goes with it.
            let active = (runsOfJob[job.id] ?? []).compactMap { runs[$0] }
                .count { !$0.run.waitsInQueue(of: $0.definition) }
            guard active == 0 else {
                throw DomainError(.conflict, "job '\(job.definition.name)' has \(active) runs that have not ended")
            }
        }
        closeEra(of: job, reason: "the job was deleted before it was decided", now: now)
        _ = kill(job.id, includingQueued: true, reason: "the job was deleted", now: now)
        var orphans: [String] = []
        for child in (childrenOf[job.id] ?? []).sorted() {
            guard var orphan = dependents[child], case .parents(let names) = orphan.definition.trigger else { continue }
            let left = names.filter { $0 != job.definition.name }
            orphan.version += 1
            orphan.modified = now.wall
            orphan.definition.trigger = left.isEmpty ? .manual : .parents(left)
            let edges = (parentsOf[child] ?? [:]).filter { $0.key != job.id }
            put(orphan)
            rewire(orphan, parents: edges.keys.sorted(), hadParents: true)
            if left.isEmpty {
                orphans.append(orphan.definition.name)
                effects.append(.notice("job '\(orphan.definition.name)' lost its last parent and runs only by request"))
            }
        }
        for parent in (parentsOf[job.id] ?? [:]).keys.sorted() { unlink(parent: parent, child: job.id) }
        parentsOf[job.id] = nil
        childrenOf[job.id] = nil
        dependents[job.id] = nil
        robins[job.id] = nil
        changes.putJobs.removeAll { $0.id == job.id }
        changes.deletedJobs.append(job.id)
        jobsOfTurn[job.id] = .some(nil)
        forgetChainTarget(job.id)
        tell(.jobDeleted, job: job.id, definition: job.definition, at: now.wall)
        return JobDeletion(id: job.id, name: job.definition.name, orphans: orphans.sorted())
    }
}
