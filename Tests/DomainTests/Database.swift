import Domain
import Timetable

/// The rules of `ClusterStore.commit` (Ports/Changes.swift), as strict as they are documented.
struct Database {
    struct Refusal: Error, CustomStringConvertible {
        let description: String
        init(_ description: String) { self.description = description }
    }

    var jobs: [JobID: Job] = [:]
    var definitions: [JobVersion: JobDefinition] = [:]
    var eras: [JobVersion: ScheduleEra] = [:]
    var edges: [String: Edge] = [:]
    var runs: [RunID: Run] = [:]
    var history: [RunID: Run] = [:]
    var attempts: [AttemptRecord] = []
    var ledger: [LedgerEntry] = []
    var workers: [String: Worker] = [:]
    var causes: Set<String> = []
    var catalogue = Catalogue()
    var outbox: [OutboxMessage] = []

    mutating func apply(_ changes: Changes) throws {
        for job in changes.putJobs {
            if jobs.values.contains(where: { $0.id != job.id && $0.definition.name == job.definition.name }) {
                throw Refusal("two jobs named \(job.definition.name)")
            }
            jobs[job.id] = job
            definitions[job.reference] = job.definition
        }
        for era in changes.newEras {
            guard eras.updateValue(era, forKey: era.job) == nil else { throw Refusal("era twice") }
        }
        for (job, at) in changes.closedEras where eras[job]?.closed == nil { eras[job]?.closed = at }
        for id in changes.deletedJobs {
            jobs[id] = nil
            edges = edges.filter { $0.value.parent != id && $0.value.child != id }
        }
        for (child, list) in changes.replacedEdges {
            edges = edges.filter { $0.value.child != child }
            for edge in list {
                guard edges.updateValue(edge, forKey: Self.key(edge)) == nil else { throw Refusal("edge twice") }
            }
        }
        for edge in changes.edges {
            guard edges[Self.key(edge)] != nil else { throw Refusal("no edge \(edge)") }
            edges[Self.key(edge)] = edge
        }
        try applyRuns(changes)
        for tally in changes.tallies {
            if tally.isSuccess {
                jobs[tally.job]?.counters.successes += 1
            } else {
                jobs[tally.job]?.counters.errors += 1
            }
        }
        for (version, reason) in changes.disabled where jobs[version.job]?.version == version.version {
            jobs[version.job]?.isEnabled = false
            jobs[version.job]?.disabledReason = reason
        }
        for worker in changes.putWorkers { workers[worker.description.name] = worker }
        for (run, context) in changes.contexts { runs[run]?.context = context }
        outbox += changes.outbox
        for item in changes.putCatalogue { catalogue.put(item) }
        for key in changes.deletedCatalogue { catalogue.remove(key) }
        catalogue.isSchedulingEnabled = changes.isSchedulingEnabled ?? catalogue.isSchedulingEnabled
    }

    private mutating func applyRuns(_ changes: Changes) throws {
        for advance in changes.advances {
            guard let job = jobs[advance.job.job], job.version == advance.job.version,
                job.decidedThrough ?? .min < advance.decidedThrough
            else { throw Refusal("advance of \(advance.job) out of turn") }
            jobs[job.id]?.decidedThrough = advance.decidedThrough
            jobs[job.id]?.next = advance.next
        }
        for run in changes.newRuns {
            guard runs[run.id] == nil, history[run.id] == nil else { throw Refusal("run \(run.id) twice") }
            try note(run)
            runs[run.id] = run
        }
        for update in changes.runs {
            try check(update)
            guard !update.run.state.isTerminal else { throw Refusal("\(update.run.id) is terminal, yet goes on") }
            runs[update.run.id] = update.run
        }
        for update in changes.finishedRuns {
            guard update.run.state.isTerminal, update.run.finishedAt != nil, history[update.run.id] == nil else {
                throw Refusal("\(update.run.id) cannot be finished")
            }
            if update.expectedStates.isEmpty { try note(update.run) } else { try check(update) }
            runs[update.run.id] = nil
            history[update.run.id] = update.run
        }
        var keys = Set(attempts.map { "\($0.attempt)@\($0.finishedAt.microseconds)" })
        for record in changes.attempts {
            guard keys.insert("\(record.attempt)@\(record.finishedAt.microseconds)").inserted else {
                throw Refusal("try \(record.attempt) recorded twice")
            }
            attempts.append(record)
        }
        ledger += changes.ledger
        for revised in changes.revisedVerdicts {
            guard let index = ledger.firstIndex(where: { $0.run == revised.run && $0.verdict == .launched }) else {
                throw Refusal("no launched occurrence of \(revised.run)")
            }
            ledger[index].verdict = revised.verdict
            ledger[index].reason = revised.reason
        }
    }

    private mutating func note(_ run: Run) throws {
        guard causes.insert("\(run.job.job) \(run.cause.text) \(run.lane)").inserted else {
            throw Refusal("second run of \(run.job.job) for \(run.cause.text)")
        }
    }

    private func check(_ update: RunUpdate) throws {
        guard let run = runs[update.run.id] else { throw Refusal("no active run \(update.run.id)") }
        guard update.expectedStates.contains(run.state), update.expectedAttempt == run.attempt else {
            throw Refusal("run \(run.id) is \(run.state)/\(run.attempt), not \(update.expectedStates)")
        }
    }

    static func key(_ edge: Edge) -> String { "\(edge.parent)>\(edge.child)" }

    mutating func claim(_ attempt: AttemptID, by worker: String, at now: Instant) -> Bool {
        guard let run = runs[attempt.run], run.attempt == attempt.number, run.worker == worker, run.state == .offered,
            run.startDeadline.map({ $0 >= now }) ?? true
        else { return false }
        runs[run.id]?.state = .started
        runs[run.id]?.startedAt = now
        return true
    }

    var snapshot: OfficeSnapshot {
        OfficeSnapshot(
            runs: Array(runs.values), definitions: definitions,
            dependents: jobs.values.filter { if case .parents = $0.definition.trigger { true } else { false } },
            edges: Array(edges.values), workers: Array(workers.values),
            catalogue: catalogue)
    }

    func jobs(_ wanted: JobsWanted) -> JobFacts {
        JobFacts(
            jobs.values.filter { job in
                wanted.names.contains(job.definition.name) || wanted.ids.contains(job.id)
                    || wanted.usersOf.contains { job.definition.refers(to: $0) }
            })
    }

    func agenda(before: Instant) -> [Job] {
        jobs.values.filter { $0.isEnabled && ($0.next.map { $0.due < before } ?? false) }
            .sorted { ($0.next!.due, $0.id) < ($1.next!.due, $1.id) }
    }
}
