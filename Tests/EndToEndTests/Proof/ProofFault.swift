import Foundation
import JSON
import Testing

/// What is done to the cluster, and undone again.
enum ProofFault: String, CaseIterable, CustomStringConvertible {
    case killedLeader = "the leader killed (kill -9)"
    case frozenLeader = "the leader frozen for a while (SIGSTOP)"
    case endedSession = "the leader's lock session ended by the server"
    case killedDatabase = "PostgreSQL killed and started again"
    case noConnections = "no database connections to be had"
    case slowDatabase = "a slow database (about 200 ms a statement)"
    case killedWorker = "a worker killed"
    case frozenWorker = "a worker frozen for a while"
    case killedNodeInRun = "a node killed during a run"
    case leaderWithoutDatabase = "the leader cut off from the database"
    case leaderWithoutWorkers = "the leader cut off from the workers"
    case leaderAlone = "the leader cut off from everything"
    case workerAlone = "a worker cut off from everything"
    case halves = "the network in halves"

    var description: String { rawValue }

    var needsNetwork: Bool {
        switch self {
        case .leaderWithoutDatabase, .leaderWithoutWorkers, .leaderAlone, .workerAlone, .halves: true
        default: false
        }
    }

    /// Brings the fault about, lets it last, and mends it.
    func perform(_ cluster: Cluster, _ starts: Starts, number: Int, _ chance: inout ProofChance) throws {
        switch self {
        case .killedLeader, .frozenLeader, .endedSession, .killedNodeInRun:
            try performOnNodes(cluster, number: number, &chance)
        case .killedDatabase, .noConnections, .slowDatabase: try performOnDatabase(cluster, &chance)
        case .killedWorker, .frozenWorker:
            let worker = chance.pick(cluster.workers)
            if self == .killedWorker {
                try worker.kill()
                Self.hold(chance.milliseconds(0...3_000))
                try worker.startAgain()
            } else {
                // Within its lease and beyond it.
                try Self.freeze(worker, for: chance.milliseconds(1_000...15_000))
            }
        default: try performOnNetwork(cluster, &chance)
        }
    }

    private func performOnNodes(_ cluster: Cluster, number: Int, _ chance: inout ProofChance) throws {
        switch self {
        case .killedLeader:
            let leader = try cluster.leaderNode()
            try leader.kill()
            try cluster.waitForLeader(otherThan: leader.name)
            try leader.startAgain()
        case .frozenLeader: try Self.freeze(try cluster.leaderNode(), for: chance.milliseconds(500...9_000))
        case .endedSession:
            let epoch = try cluster.epoch()
            try cluster.query("SELECT pg_terminate_backend(backend_pid) FROM carillon.leadership")
            try cluster.waitForEpoch(after: epoch)
        default:
            let job = "during-\(number)"
            try cluster.put(job, command: "sleep 2", ["retries": 0])
            try cluster.leaderRequest("PUT", "/v1/scheduler/job/" + job)
            try cluster.waitForRun(of: job, "started", "succeeded")
            let victim = chance.pick(cluster.nodes)
            try victim.kill()
            let run = try cluster.waitForRun(of: job, "succeeded", within: 60)
            #expect(run["attempts"]?.arrayValue?.count == 1, "\(run.text)")
            try victim.startAgain()
        }
    }

    private func performOnDatabase(_ cluster: Cluster, _ chance: inout ProofChance) throws {
        let time = chance.milliseconds(500...5_000)
        switch self {
        case .killedDatabase:
            try cluster.postgres.kill()
            Self.hold(time / 2)
            try cluster.postgres.startAgain()
        case .noConnections:
            let role = cluster.options.role ?? ""
            try cluster.query("ALTER ROLE \(role) CONNECTION LIMIT 0")
            defer { _ = try? cluster.query("ALTER ROLE \(role) CONNECTION LIMIT -1") }  // What fails shows afterwards.
            try cluster.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '\(role)'")
            Self.hold(time)
        default:
            // Its processes are stopped most of the time, for 200 ms each.
            let end = Clock.now + time + 3_000
            while Clock.now < end {
                try cluster.postgres.freeze()
                Self.hold(200)
                try cluster.postgres.thaw()
                Self.hold(20)
            }
        }
    }

    private func performOnNetwork(_ cluster: Cluster, _ chance: inout ProofChance) throws {
        let network = try #require(cluster.options.network)
        let leader = try cluster.leaderNode().name
        let workers = cluster.workers.map(\.name)
        switch self {
        case .leaderWithoutDatabase: try network.cut([leader], from: [Cluster.databaseHost])
        case .leaderWithoutWorkers: try network.cut([leader], from: workers)
        case .leaderAlone: try network.isolate(leader)
        case .workerAlone: try network.isolate(chance.pick(workers))
        default:
            // The leader may or may not be with the database; there is a node and a worker on each side.
            let others = cluster.nodes.map(\.name).filter { $0 != leader }
            let near = [leader, workers[0]]
            let far = others + Array(workers.dropFirst())
            let isWithDatabase = chance.below(2) == 0
            try network.cut(
                near + (isWithDatabase ? [Cluster.databaseHost] : []),
                from: far + (isWithDatabase ? [] : [Cluster.databaseHost]))
        }
        Self.hold(chance.milliseconds(1_000...9_000))
        try network.heal()
    }

    private static func freeze(_ process: ClusterProcess, for milliseconds: Int64) throws {
        try process.freeze()
        defer { try? process.thaw() }  // It may be dead: what is waited for afterwards never comes then.
        hold(milliseconds)
    }

    /// Lets a fault last.
    private static func hold(_ milliseconds: Int64) { usleep(UInt32(milliseconds) * 1_000) }
}

/// All kinds of faults, shuffled again and again: each comes up as often as any other.
struct FaultDeck {
    var chance: ProofChance
    private let kinds: [ProofFault]
    private var left: [ProofFault] = []

    init(seed: UInt64, hasNetwork: Bool) {
        chance = ProofChance(seed: seed)
        kinds = ProofFault.allCases.filter { hasNetwork || !$0.needsNetwork }
    }

    mutating func draw() -> ProofFault {
        if left.isEmpty { left = kinds }
        return left.remove(at: chance.below(left.count))
    }
}

/// Chance that a seed decides (SplitMix64).
struct ProofChance {
    private var state: UInt64

    init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 }

    mutating func below(_ count: Int) -> Int {
        state &+= 0x9E37_79B9_7F4A_7C15
        var bits = state
        bits = (bits ^ bits >> 30) &* 0xBF58_476D_1CE4_E5B9
        bits = (bits ^ bits >> 27) &* 0x94D0_49BB_1331_11EB
        return Int((bits ^ bits >> 31) % UInt64(count))
    }

    mutating func pick<Element>(_ elements: [Element]) -> Element { elements[below(elements.count)] }

    mutating func milliseconds(_ range: ClosedRange<Int64>) -> Int64 {
        range.lowerBound + Int64(below(Int(range.upperBound - range.lowerBound) + 1))
    }
}
