// Time: what is due, and which waits have ended.

public import Timetable

extension LeaderState {
    /// Decides everything that is due at this moment.
    public mutating func advance(to now: Moment) {
        uptime = now.uptime
        endDoomed(now: now)
        while advanceOne(to: now) != nil {}
    }

    /// What one timer was about, for whoever must isolate the one that the database refuses.
    public enum TimerSubject: Sendable { case job(JobVersion), other }

    /// Decides the one thing that has been due for longest; nil where nothing is.
    public mutating func advanceOne(to now: Moment) -> TimerSubject? {
        uptime = now.uptime
        if let (at, timer) = wallTimers.first, at <= now.wall {
            wallTimers.removeFirst()
            fire(timer, now: now)
            if case .due(let version) = timer { return .job(version) }
            return .other
        }
        if let (at, timer) = steadyTimers.first, at <= now.uptime {
            steadyTimers.removeFirst()
            fire(timer, now: now)
            return .other
        }
        return nil
    }

    /// Decided ahead and not due yet: the run can be taken back as long as nobody has claimed it, and nobody does so
    /// before it is due.
    static func isAhead(_ run: Run, now: Moment) -> Bool {
        guard case .schedule = run.cause else { return false }
        return run.due > now.wall && run.attempt == 0 && (run.state == .queued || run.state == .offered)
    }

    /// When the next turn is needed even if nothing arrives. A timer whose reason has gone costs one empty turn.
    public var nextWall: Instant? { wallTimers.first?.key }
    public var nextUptime: Duration? { doomed.isEmpty ? steadyTimers.first?.key : .zero }

    /// Takes jobs that the store found due before `through`. Jobs that are here already are newer than the store's.
    public mutating func extendAgenda(_ jobs: [Job], through: Instant) {
        agendaThrough = max(agendaThrough, through)
        for job in jobs where agenda[job.id] == nil { schedule(job) }
    }

    /// Puts a job on the agenda, if it is due within it. A schedule that cannot be computed any more (a zone that has
    /// gone from the system's tables) disables the job; the others go on.
    mutating func schedule(_ job: Job) {
        agenda[job.id] = nil
        guard job.isEnabled, let stored = job.next, case .schedule(let text) = job.definition.trigger else { return }
        guard stored.due < agendaThrough else { return }
        do {
            let schedule = try text.schedule(zones: zones)
            held.remove(job.id)
            // Computed with the zones of today (calendar.md rule 5): the stored instant may come from older ones.
            guard let next = schedule.next(afterIndex: job.decidedThrough ?? (stored.index - 1)) else {
                exhausted(job.reference, definition: job.definition, at: stored.due)
                return
            }
            guard next.due < agendaThrough else { return }
            var job = job
            job.next = next
            agenda[job.id] = AgendaEntry(job: job, schedule: schedule)
            wallTimers.insert(.due(job.reference), at: next.due.advanced(by: .zero - policy.lead))
        } catch {
            let reason = "its schedule cannot be computed: \(error.message)"
            disable(job.reference, reason: reason, undecidedFrom: stored.due)
            tell(.jobDisabled, job: job.id, definition: job.definition, reason: reason, at: stored.due)
        }
    }

    private mutating func fire(_ timer: WallTimer, now: Moment) {
        switch timer {
        case .due(let version): decide(version, now: now)
        case .startDeadline(let id): closeWindow(id, now: now)
        case .completion(let attempt): completionOverdue(attempt, now: now)
        }
    }

    private mutating func fire(_ timer: SteadyTimer, now: Moment) {
        switch timer {
        case .retry(let attempt): retry(attempt, now: now)
        case .stagger(let id): takeTurn(id)
        case .offerTimeout(let attempt): offerUnanswered(attempt, now: now)
        case .workerSilence(let name): checkSilence(of: name, now: now)
        case .absence(let name): checkAbsence(of: name, now: now)
        case .requeue(let attempt):
            guard let active = runs[attempt.run], active.run.attempt == attempt.number, active.run.state == .queued
            else { return }
            queue(attempt.run)
        case .reconsider: break
        }
    }

    private mutating func decide(_ version: JobVersion, now: Moment) {
        let known = refusing.removeValue(forKey: version)
        defer { if let known { leaveChains(of: known) } }
        guard let entry = agenda[version.job], entry.job.version == version.version, let next = entry.job.next else {
            return
        }
        let mine = runsOfJob[version.job] ?? []
        if next.due > now.wall {
            guard next.due <= now.wall.advanced(by: policy.lead) else { return }  // a timer that was left over
            // What it would be decided by, the runs that are active when it is due, must be known already.
            guard mine.isEmpty || entry.job.definition.overlap == .allow else {
                wallTimers.insert(.due(version), at: next.due)
                return
            }
        }
        // As many of those that are queued as may be active at once do not wait for another one.
        let queued = mine.reduce(0) { $0 + (runs[$1]?.run.state == .queued ? 1 : 0) }
        let waiting = min(queued, max(0, mine.count - max(1, entry.job.definition.maximumActive)))
        let situation = LaunchPlanner.Situation(
            schedule: entry.schedule, definition: entry.job.definition, next: next, now: max(now.wall, next.due),
            active: mine.count, waiting: waiting, suspension: suspension(of: entry.job.definition), policy: policy)
        guard let decision = LaunchPlanner.decide(situation) else {
            return  // A timer that was left over: the one for what is next stands already.
        }
        if next.due > now.wall, decision.isHeld || decision.findings.contains(where: { $0.verdict != .launched }) {
            wallTimers.insert(.due(version), at: next.due)
            return
        }
        if let refused = decision.refused, isToldOf(refused, version, now: now) {
            guard knowsChains(of: entry.job.definition) else {
                // The next turn knows.
                useChains(of: entry.job.definition)
                refusing[version] = entry.job.definition
                postponed[version] = next.due
                return
            }
            refuse(refused, of: entry.job, now: now)
        }
        if decision.isHeld { held.insert(version.job) } else { held.remove(version.job) }
        guard !decision.findings.isEmpty else { return }
        record(decision, of: entry, now: now)
    }

    private mutating func record(_ decision: LaunchPlanner.Decision, of entry: AgendaEntry, now: Moment) {
        var entry = entry
        let version = entry.job.reference
        var launched: RunID?
        let firstEntry = changes.ledger.count
        for finding in decision.findings {
            var run: RunID?
            if finding.verdict == .launched {
                let isLast = decision.next == nil && finding.last.index == decision.decidedThrough
                run = launchScheduled(entry.job, finding: finding, isLast: isLast, now: now).first
                launched = run
            }
            changes.ledger.append(
                LedgerEntry(
                    job: version, jobName: entry.job.definition.name, firstIndex: finding.first.index,
                    lastIndex: finding.last.index, firstDue: finding.first.due, lastDue: finding.last.due,
                    count: finding.count, verdict: finding.verdict, reason: finding.reason, run: run,
                    recorded: now.wall))
        }
        if let launched {
            for index in firstEntry..<changes.ledger.count where changes.ledger[index].verdict == .coalesced {
                changes.ledger[index].run = launched
            }
        }
        entry.job.decidedThrough = decision.decidedThrough
        entry.job.next = decision.next
        advances[version] = Advance(job: version, decidedThrough: decision.decidedThrough, next: decision.next)
        guard let next = decision.next else {
            agenda[version.job] = nil
            exhausted(version, definition: entry.job.definition, at: now.wall)
            return
        }
        if next.due < agendaThrough {
            agenda[version.job] = entry
            if held.contains(version.job) {
                // `releaseHeld` goes on with it.
            } else if next.due <= now.wall {
                postponed[version] = next.due
            } else {
                wallTimers.insert(.due(version), at: next.due.advanced(by: .zero - policy.lead))
            }
        } else {
            agenda[version.job] = nil
        }
    }

    /// What kept occurrences for later may have gone, for one job or for all.
    mutating func releaseHeld(_ job: JobID? = nil) {
        guard !held.isEmpty else { return }
        for id in job.map({ [$0] }) ?? held.sorted() {
            guard held.remove(id) != nil, let entry = agenda[id], let next = entry.job.next else { continue }
            wallTimers.insert(.due(entry.job.reference), at: next.due)
        }
    }

    /// The schedule has no further occurrence: the job is switched off when its last run has ended, or now if none is
    /// active (chronos.md §3.4; the job is kept).
    private mutating func exhausted(_ version: JobVersion, definition: JobDefinition, at: Instant) {
        let mine = (runsOfJob[version.job] ?? []).filter { runs[$0]?.run.job == version }
        guard let last = mine.last else {
            disable(version, reason: "")
            tell(.jobDisabled, job: version.job, definition: definition, at: at)
            return
        }
        if runs[last]?.run.isLast == false {
            runs[last]?.run.isLast = true
            dirtyRuns.insert(last)
        }
    }

    /// Switches a job off; the others go on.
    public mutating func disable(_ version: JobVersion, reason: String) {
        let entry = agenda[version.job].flatMap { $0.job.version == version.version ? $0 : nil }
        disable(version, reason: reason, undecidedFrom: entry?.job.next?.due)
    }

    /// The era ends before the first occurrence without a verdict: none of those that follow is wanted.
    private mutating func disable(_ version: JobVersion, reason: String, undecidedFrom: Instant?) {
        if agenda[version.job]?.job.version == version.version { agenda[version.job] = nil }
        if let undecidedFrom {
            changes.closedEras.append((job: version, at: undecidedFrom.advanced(by: .microseconds(-1))))
        }
        if dependents[version.job]?.version == version.version { dependents[version.job]?.isEnabled = false }
        changes.disabled.append((job: version, reason: reason))
        if !reason.isEmpty {
            effects.append(.notice("job \(version.job) was disabled: \(reason). Correct the job and enable it again."))
        }
    }
}
