import Foundation
import JSON
import Synchronization
import TestSupport
import Testing

extension EndToEnd {
    /// Hosts that are cut off from each other while jobs are due every second. Each cut loses what is sent without a
    /// word, as a switch does that is taken away: nobody is told that a connection has ended.
    @Suite(
        "Partitions", .serialized, .cluster(PartitionCluster.options),
        .enabled(if: TestNetwork.obstacle == nil, "\(TestNetwork.obstacle ?? "")"))
    struct PartitionTests {
        /// Runs a fault while the schedule ticks, mends the network whatever comes of it, and checks the ledger.
        private static func underLoad(
            _ body: @escaping @Sendable (Cluster, TestNetwork, Starts) throws -> Void
        ) async throws {
            try await onCluster { cluster in
                let network = try #require(cluster.options.network)
                // What cannot be mended shows in the next test.
                defer { try? network.heal() }
                try cluster.underLoad { starts in
                    try body(cluster, network, starts)
                    try network.heal()
                    try waitUntilWhole(cluster)
                }
            }
        }

        /// All nodes name one leader, and all workers are up.
        private static func waitUntilWhole(_ cluster: Cluster) throws {
            try cluster.wait("all nodes agree on the leader") {
                let named = try cluster.nodes.map { node in
                    try cluster.request("GET", node.url + "/health").json?["leader"]?.stringValue
                }
                return named[0] != nil && Set(named).count == 1
            }
            try cluster.wait("all workers are up") {
                try cluster.workerStates().values.allSatisfy { $0 == "up" }
            }
        }

        /// The leader loses its place within the stated time, steps down, and follows once it can.
        private static func leaderIsReplaced(
            _ what: String, _ cut: @escaping @Sendable (TestNetwork, _ leader: String) throws -> Void
        ) async throws {
            try await underLoad { cluster, network, starts in
                let leader = try cluster.leaderNode()
                let epoch = try cluster.epoch()
                let elected = try cluster.waitForSuccessor(starts) { try cut(network, leader.name) }
                print("the leader is cut off from \(what): a successor after \(elected) ms")
                #expect(elected <= Cluster.worstElection)
                #expect(try cluster.request("GET", leader.url + "/health/leader").status == 503)
                #expect(try cluster.request("GET", leader.url + "/health").json?["role"] == "follower")
                try network.heal()
                try waitUntilWhole(cluster)
                #expect(try cluster.epoch() == epoch + 1)
            }
        }

        @Test("the leader cut off from the database has a successor within the bound, and follows once it is back")
        func leaderWithoutDatabase() async throws {
            try await Self.leaderIsReplaced("the database") { network, leader in
                try network.cut([leader], from: [Cluster.databaseHost])
            }
        }

        @Test("the leader cut off from everything has a successor within the bound, and follows once it is back")
        func leaderAlone() async throws {
            try await Self.leaderIsReplaced("everything") { network, leader in try network.isolate(leader) }
        }

        @Test("the leader that is heard by the database and does not hear it has a successor within the bound")
        func deafLeader() async throws {
            try await Self.leaderIsReplaced("what the database says") { network, leader in
                try network.mute(Cluster.databaseHost, toward: leader)
            }
        }

        @Test("the leader cut off from all workers makes way for a node that reaches them")
        func leaderWithoutWorkers() async throws {
            try await Self.underLoad { cluster, network, starts in
                let leader = try cluster.leaderNode()
                let elected = try cluster.waitForSuccessor(starts) {
                    try network.cut([leader.name], from: cluster.workers.map(\.name))
                }
                print("the leader is cut off from the workers: a successor after \(elected) ms")
                #expect(try cluster.waitForLeader() != leader.name)
                try cluster.waitUntilAllTick(starts)
            }
        }

        @Test(
            "a worker cut off during a run: the run is lost and repeated elsewhere; healed, the worker ends the first")
        func workerAlone() async throws {
            try await Self.underLoad { cluster, network, starts in
                try cluster.put(
                    "cut-off", command: starts.command + "; [ $CHRONOS_JOB_RUN_ATTEMPT = 1 ] || exec sleep 300",
                    ["retries": 1])
                try cluster.leaderRequest("PUT", "/v1/scheduler/job/cut-off")
                let started = try cluster.waitForRun(of: "cut-off", "started")
                let victim = try #require(started["worker"]?.stringValue)
                try network.isolate(victim)
                let run = try cluster.waitForRun(of: "cut-off", "succeeded", within: 45)
                #expect(run["attempts"]?.arrayValue?.map { $0["state"]?.stringValue } == ["lost", "succeeded"])
                #expect(try cluster.workerStates()[victim] == "silent")
                try network.heal()
                try cluster.wait("\(victim) holds nothing any more") {
                    let answer = try cluster.leaderRequest("GET", "/carillon/v1/workers").json
                    let worker = answer?["workers"]?.arrayValue?.first { $0["name"]?.stringValue == victim }
                    guard worker?["state"] == "up" else { return false }
                    return try Executable.shell("pgrep -f '^sleep 300$' || true").output.isEmpty
                }
                #expect(try cluster.count("successCount", of: "cut-off") == 1)
                #expect(try cluster.count("errorCount", of: "cut-off") == 0)
            }
        }

        @Test("halves: the one with the database and a worker goes on, whether the leader is in it or not")
        func halves() async throws {
            try await Self.underLoad { cluster, network, starts in
                let leader = try cluster.leaderNode().name
                let others = cluster.nodes.map(\.name).filter { $0 != leader }
                let (near, far) = (cluster.workers[0].name, cluster.workers[1].name)
                let epoch = try cluster.epoch()
                try network.cut([leader, near, Cluster.databaseHost], from: others + [far])
                try cluster.waitUntilAllTick(starts)
                // Long enough for the other half to have tried everything that it could.
                let end = Clock.now + Cluster.worstElection / 2
                try cluster.wait("the other half has had time for an election") { Clock.now > end }
                #expect(try cluster.epoch() == epoch)
                try network.heal()
                try Self.waitUntilWhole(cluster)

                let elected = try cluster.waitForSuccessor(starts) {
                    try network.cut([leader, near], from: others + [far, Cluster.databaseHost])
                }
                print("halves, the leader's without the database: a successor after \(elected) ms")
                #expect(elected <= Cluster.worstElection)
                try cluster.waitUntilAllTick(starts)
            }
        }
    }
}

/// Three nodes, two workers and a database on hosts of their own.
private enum PartitionCluster {
    static func options() throws -> Cluster.Options {
        let nodes = ["node-1", "node-2", "node-3"]
        let network = try TestNetwork(hosts: [Cluster.databaseHost, "worker-1", "worker-2"] + nodes)
        var options = Cluster.Options()
        options.nodes = nodes.count
        options.workers = 2
        options.nodeArguments = ["--retry-delay", "1"]
        options.workerArguments = ["--kill-grace", "2"]
        options.network = network
        options.postgres = try TestPostgres.start(
            settings: ["synchronous_commit = on"], wrapper: network.wrapper(Cluster.databaseHost),
            trusted: TestNetwork.range)
        return options
    }
}
