import Domain
import Timetable

/// One simulated cluster from its start to the last check.
///
///     0 s   nodes, workers and clients start
///     4 s   faults begin
///    26 s   everything is healed
///    39 s   there must be a leader, and from here on everything due is started in time
///    45 s   all jobs are switched off; their runs end
///     end   what the store holds is compared with what was promised
struct Scenario {
    static let faultsBegin = Duration.seconds(4)
    static let healed = Duration.seconds(26)
    /// leadership.md §1: T, and an open transaction, and the bump, and a poll; electors that found no database rest
    /// for up to 2.5 s more.
    static let settled = healed + .milliseconds(13_000)
    static let disabled = settled + .seconds(6)
    /// For the last runs to end: retries and their delays, and a lost worker's 12 s.
    static let longest = disabled + .seconds(40)

    let options: World.Options

    init(_ options: World.Options) { self.options = options }

    func run() -> Outcome {
        let world = World(options)
        let engine = world.engine
        let faults = FaultPlan(options)
        let workload = Workload(world: world)
        world.nodeHosts.forEach(world.startNode)
        world.workerHosts.forEach(world.startWorker)
        faults.begin(world)
        world.client.start("workload") {
            await workload.run(until: Self.disabled.nanoseconds)
            guard engine.now >= Self.disabled.nanoseconds else { return }
            await workload.disableAll()
        }
        engine.after(Self.healed) { FaultPlan.heal(world) }
        for second in 0..<6 {
            engine.after(Self.settled + .seconds(second)) { world.checker.checkLeader() }
        }
        engine.after(Self.disabled - .milliseconds(1)) { world.checker.checkExhausted() }
        let store = world.database.store
        engine.run {
            if engine.now >= Self.longest.nanoseconds { return true }
            return workload.isDisabled && store.contents.tables.runs.isEmpty
        }
        if engine.violations.isEmpty { settle(world) }
        if engine.violations.isEmpty {
            FinalCheck(world: world, workload: workload).run()
        }
        let outcome = Outcome(world: world, faults: faults, workload: workload)
        if engine.violations.isEmpty { world.unwind() }
        defer { world.dissolve() }
        return outcome.with(engine.violations, trace: engine.trace)
    }

    /// Lets what is on its way arrive.
    private func settle(_ world: World) {
        let end = world.engine.now + Duration.seconds(2).nanoseconds
        world.engine.run { world.engine.now >= end }
    }
}

/// What came of one seed.
struct Outcome: Sendable {
    let options: World.Options
    let faults: [String]
    let virtualSeconds: Double
    let jobsRun: Int
    let commits: Int
    let offices: Int
    let starts: Int
    let acknowledged: Int
    private(set) var violations: [Engine.Violation] = []
    private(set) var trace: [String] = []
    private(set) var hash: UInt64 = 0

    init(world: World, faults: FaultPlan, workload: Workload) {
        options = world.options
        self.faults = faults.descriptions
        virtualSeconds = Double(world.engine.now) / 1e9
        jobsRun = world.engine.jobsRun
        commits = world.checker.commits
        offices = world.checker.offices
        starts = world.checker.starts.count
        acknowledged = workload.acknowledged
    }

    func with(_ violations: [Engine.Violation], trace: Trace) -> Outcome {
        var copy = self
        copy.violations = violations
        copy.trace = trace.lines
        copy.hash = trace.hash
        return copy
    }

    var summary: String {
        "seed \(options.seed): \(virtualSeconds) s, \(jobsRun) jobs, \(commits) commits, \(offices) offices, "
            + "\(starts) starts, \(acknowledged) acknowledged requests, \(faults.count) faults, trace "
            + String(hash, radix: 16)
    }

    /// The one command that shows it again.
    static func replay(_ seed: UInt64) -> String {
        "CARILLON_SIMULATION_SEED=\(seed) swift test --filter SimulationTests/seeds"
    }

    /// How it came about.
    var report: String {
        """
        \(violations.map(\.description).joined(separator: "\n"))
        replay: \(Self.replay(options.seed))
        \(summary)
        faults:
        \(faults.joined(separator: "\n"))
        the last \(trace.count) events:
        \(trace.joined(separator: "\n"))
        """
    }
}
