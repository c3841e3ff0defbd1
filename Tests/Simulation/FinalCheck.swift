import Coordination
import Domain
import Storage
import Timetable

/// After healing and quiet: what the store holds, compared with what was promised.
struct FinalCheck {
    let world: World
    let workload: Workload
    private let contents: MemoryContents

    init(world: World, workload: Workload) {
        self.world = world
        self.workload = workload
        contents = world.database.store.contents
    }

    func run() {
        stuckRuns()
        verdicts()
        launchedRuns()
        startsAndRecords()
        acknowledgedWrites()
        exhaustedJobs()
        timeliness()
        // The leader is asked, which takes a moment of the simulation.
        if world.engine.violations.isEmpty { capacity() }
    }

    private func violation(_ rule: String, _ text: String) { world.engine.violation(rule, text) }

    private func stuckRuns() {
        if !workload.isDisabled { violation("liveness", "the jobs could not be switched off") }
        for run in contents.tables.runs.values.map(\.run).sorted(by: { $0.id < $1.id }) {
            violation("stuck", "run \(run.id) of \(run.jobName) is still \(run.state): \(run.reason)")
        }
    }

    /// I5: each due occurrence has exactly one verdict.
    private func verdicts() {
        var entries: [JobVersion: [LedgerEntry]] = [:]
        for entry in contents.ledger { entries[entry.job, default: []].append(entry) }
        let through = world.engine.wall.advanced(by: .seconds(-3))
        for era in contents.tables.eras.values.sorted(by: {
            ($0.job.job, $0.job.version) < ($1.job.job, $1.job.version)
        }) {
            do {
                var audit = try LedgerAudit(era, from: .distantPast, through: through, zones: OnlyUTC())
                for entry in (entries[era.job] ?? []).sorted(by: { $0.firstIndex < $1.firstIndex }) {
                    audit.take(entry)
                }
                for hole in audit.finish().holes {
                    violation(
                        "I5",
                        "\(hole.finding): \(hole.jobName) version \(hole.job.version), \(hole.count) from "
                            + "\(hole.first.due.iso8601)")
                }
            } catch { violation("I5", "the schedule of \(era.jobName) cannot be computed: \(error)") }
        }
    }

    /// A launched occurrence has its run; no occurrence has two.
    private func launchedRuns() {
        var runs: [RunID: Run] = [:]
        var causes: [String: RunID] = [:]
        for run in contents.history + contents.tables.runs.values.map(\.run) {
            if runs.updateValue(run, forKey: run.id) != nil { violation("once", "run \(run.id) has ended twice") }
            let cause = "\(run.job.job) \(run.cause.text) \(run.lane)"
            if let other = causes.updateValue(run.id, forKey: cause) {
                violation("once", "runs \(other) and \(run.id) of \(run.jobName) have the cause \(run.cause.text)")
            }
        }
        for entry in contents.ledger where entry.verdict == .launched {
            guard let id = entry.run, let run = runs[id] else {
                violation("launched", "\(entry.jobName) due \(entry.firstDue.iso8601) was launched, but no run exists")
                continue
            }
            if run.due != entry.firstDue {
                violation("launched", "run \(id) is due at another instant than its verdict")
            }
        }
        for id in workload.acknowledgedRuns where runs[id] == nil {
            violation("I10", "run \(id) was acknowledged and does not exist")
        }
        for run in contents.history where run.state == .missed && run.attempt == 0 {
            if world.checker.starts[run.attemptID] != nil { violation("I5", "run \(run.id) is missed and was started") }
        }
        for run in contents.history where run.state == .succeeded {
            if world.checker.starts[run.attemptID] == nil {
                violation("truth", "run \(run.id) succeeded without a start")
            }
        }
    }

    /// Whatever was started has an end in the books.
    private func startsAndRecords() {
        let recorded = Set(contents.attempts.map(\.attempt))
        var workers: [AttemptID: String] = [:]
        for record in contents.attempts {
            let former = workers.updateValue(record.worker, forKey: record.attempt) ?? record.worker
            if former != record.worker {
                violation("once", "\(former) and \(record.worker) have both reported on \(record.attempt)")
            }
        }
        for attempt in world.checker.starts.keys.sorted() where !recorded.contains(attempt) {
            violation("lost", "\(attempt) was started, and nothing is recorded of it")
        }
    }

    /// I10.
    private func acknowledgedWrites() {
        let jobs = Dictionary(
            contents.tables.jobs.values.map { ($0.definition.name, $0) }, uniquingKeysWith: { a, _ in a })
        for name in workload.names {
            guard let expectation = workload.expectations[name] else { continue }
            let actual = jobs[name].map { Workload.State.version($0.definition.description) } ?? .absent
            if !expectation.allows(actual) {
                violation("I10", "\(name) is \(actual), but \(expectation.acknowledged) was acknowledged")
            }
        }
    }

    private func exhaustedJobs() {
        for job in contents.tables.jobs.values.sorted(by: { $0.id < $1.id }) where job.isEnabled {
            violation("exhausted", "\(job.definition.name) is enabled still, next \(String(describing: job.next))")
        }
    }

    /// I7: what became due in the quiet time was decided in time, and started in time where nothing of the job's own
    /// stood in the way.
    private func timeliness() {
        let from = Engine.epoch.advanced(by: Scenario.settled)
        let to = Engine.epoch.advanced(by: Scenario.disabled)
        for entry in contents.ledger where entry.firstDue >= from && entry.lastDue < to {
            // What was due before there was such a schedule could not be in time.
            guard let begun = world.checker.eras[entry.job], entry.firstDue >= begun else { continue }
            let definition = contents.tables.definitions[entry.job]
            // One that catches up on all is decided when the earlier run has made way for it.
            let mayBeHeld = definition?.catchUp == .all && definition?.overlap != .allow
            if !mayBeHeld, entry.recorded > entry.lastDue.advanced(by: .milliseconds(500)) {
                violation(
                    "I7", "\(entry.jobName) due \(entry.lastDue.iso8601) was decided at \(entry.recorded.iso8601)")
            }
            // Runs of others may wait for an earlier one.
            guard definition?.overlap == .allow else { continue }
            if entry.verdict == .missed {
                violation("I7", "\(entry.jobName) due \(entry.firstDue.iso8601) was missed: \(entry.reason)")
            }
            guard entry.verdict == .launched, let id = entry.run,
                let start = world.checker.starts[AttemptID(run: id, number: 0)]
            else { continue }
            if start.at > entry.firstDue.advanced(by: .seconds(1)) {
                violation(
                    "I7", "\(start.offer.attempt) due \(entry.firstDue.iso8601) was started at \(start.at.iso8601)")
            }
        }
    }

    /// What the leader believes to be in use is what the store says is: nothing.
    private func capacity() {
        guard let leader = world.checker.leader() else { return violation("I7", "nobody leads at the end") }
        let seen = Seen()
        leader.executor.start("overview") { seen.overview = await leader.leader.workers() }
        let end = world.engine.now + 1_000_000
        world.engine.run { world.engine.now >= end }
        guard let overview = seen.overview else { return violation("capacity", "the leader does not answer") }
        for worker in overview where worker.runs != 0 || worker.used.cpus > 1e-6 {
            violation(
                "capacity", "\(worker.worker.description.name) is said to hold \(worker.runs) runs, \(worker.used)")
        }
        if overview.count != world.workerHosts.count { violation("capacity", "\(overview.count) workers are known") }
    }

    /// `@unchecked Sendable`: touched by the simulation's thread alone.
    private final class Seen: @unchecked Sendable { var overview: [WorkerOverview]? }
}
