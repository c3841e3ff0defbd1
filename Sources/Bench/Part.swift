import Runtime

/// What can be measured by itself.
enum Part: String, CaseIterable, Sendable {
    case limits, lateness, burst
    case runNow = "run-now"
    case throughput, execution, failover, api, cronicle, memory, million
    case costRate = "cost-rate"
    case costJobs = "cost-jobs"
    case costHistory = "cost-history"
    case costSnapshot = "cost-snapshot"

    var isLong: Bool {
        switch self {
        case .million, .costRate, .costJobs, .costHistory, .costSnapshot: true
        default: false
        }
    }

    var usage: String {
        let name = rawValue.padding(to: 14)
        return "  \(name)\(isLong ? "(long) " : "")\(summary)"
    }

    private var summary: String {
        switch self {
        case .limits: "what the machine can do: processes, commits"
        case .lateness: "due instant to process start, one job a second"
        case .burst: "50 and 1,000 jobs due at the same instant"
        case .runNow: "a run ordered over the API, until its process starts"
        case .throughput: "runs of /bin/true until their ends are durable"
        case .execution: "one run's overhead, much output, limits, many sleeping runs"
        case .failover: "leader killed, leader frozen, worker killed"
        case .api: "answers a second"
        case .cronicle: "the Cronicle dialect: jobs, and answers with 1,000 and 100,000 events"
        case .memory: "idle node, idle worker"
        case .million: "a million scheduled jobs of which none is due"
        case .costRate: "lateness and CPU with 1, 10, 100 and 1,000 due a second"
        case .costJobs: "a tick with 1,000, 100,000 and 1,000,000 jobs"
        case .costHistory: "a tick with 0 and 10,000,000 runs of history"
        case .costSnapshot: "a tick while an old snapshot is held for ten minutes"
        }
    }

    func measure(_ options: BenchOptions, limits: PhysicalLimits, loop: EventLoop) async throws -> [Figure] {
        let bench = PartBench(options: options, limits: limits, loop: loop)
        switch self {
        case .limits: return limits.figures
        case .lateness: return try await bench.lateness()
        case .burst: return try await bench.bursts()
        case .runNow: return try await bench.runNow()
        case .throughput: return try await bench.throughput()
        case .execution: return try await bench.execution()
        case .failover: return try await bench.failover()
        case .api: return try await bench.api()
        case .cronicle: return try await bench.cronicle()
        case .memory: return try await bench.memory()
        case .million: return try await bench.million()
        case .costRate: return try await bench.costOfRate()
        case .costJobs: return try await bench.costOfJobs()
        case .costHistory: return try await bench.costOfHistory()
        case .costSnapshot: return try await bench.costOfSnapshot()
        }
    }
}

/// What the measurements share. Each is an extension in a file of its own.
struct PartBench: Sendable {
    let options: BenchOptions
    let limits: PhysicalLimits
    let loop: EventLoop

    /// Starts a cluster for the body and ends it afterwards, whatever happens.
    func withCluster<T: Sendable>(
        nodes: Int? = nil, workers: Int? = nil, _ body: (Cluster) async throws -> T
    ) async throws -> T {
        var options = options
        options.nodes = nodes ?? options.nodes
        options.workers = workers ?? options.workers
        let cluster = try await Cluster.start(options, loop: loop)
        do {
            let result = try await body(cluster)
            await cluster.stop()
            return result
        } catch {
            Output.note(cluster.lastMessages)
            await cluster.stop()
            throw error
        }
    }
}
