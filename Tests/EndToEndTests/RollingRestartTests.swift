import Foundation
import JSON
import Testing

extension EndToEnd {
    /// An upgrade, as operators-guide.md tells it, while the schedule ticks and clients write.
    @Suite("Rolling restart", .serialized, .cluster(nodes: 3, workers: 2, "--follower", "proxy"))
    struct RollingRestartTests {
        @Test("nodes and workers are restarted one after the other: nothing is lost, doubled, aborted or late for good")
        func rolling() async throws {
            try await onCluster { cluster in
                // Runs that last, so that at each moment a worker holds some.
                let begin = (Clock.now / 1_000 + 2) * 1_000
                let long = Ticking(name: "lasting", start: begin, interval: 1_000)
                let writers = cluster.nodes.map {
                    SteadyClient("by-\($0.name)", url: $0.url, key: cluster.key, repeating: ["502", "503"])
                }
                var outcomes: [SteadyClient.Outcome] = []
                let account: Cluster.Account
                do {
                    account = try cluster.underLoad { starts in
                        try cluster.put(
                            long.name, command: starts.command + "; sleep 1.5",
                            [
                                "schedule": .string(long.schedule), "epsilon": "PT60S", "concurrent": true,
                                "retries": 0, "cpus": 0.01, "mem": 1, "disk": 1,
                            ])
                        for node in cluster.nodes { try Self.restart(node, cluster) }
                        for worker in cluster.workers { try Self.restart(worker: worker, cluster, starts) }
                        outcomes = writers.map { $0.stop() }
                        try Self.requireComplete(long, cluster, starts)
                    }
                } catch {
                    for writer in writers { _ = writer.stop() }
                    throw error
                }
                print("rolling restart: \(account.verdicts), \(account.states), \(account.starts) starts")
                // Not one run ended otherwise than by itself, and no occurrence was skipped.
                #expect(account.verdicts.keys.sorted() == ["launched"])
                #expect(account.states.keys.sorted() == ["succeeded"])
                let names = Set(try cluster.jobNames())
                for outcome in outcomes {
                    #expect(outcome.surprises == [])
                    #expect(outcome.acknowledged.count > 0)
                    #expect(outcome.acknowledged.filter { !names.contains($0) } == [])
                }
            }
        }

        /// - Parameter executable: nil: the one that it was.
        static func restart(_ node: ClusterProcess, _ cluster: Cluster, executable: String? = nil) throws {
            try node.stop()
            try node.startAgain(executable: executable)
            try cluster.wait("\(node.name) is ready") {
                // It may not listen yet.
                (try? cluster.request("GET", node.url + "/health"))?.json?["database"] == "ok"
            }
            try cluster.waitForLeader()
        }

        /// Takes nothing new, finishes what it holds, is restarted, and takes part again.
        static func restart(
            worker: ClusterProcess, _ cluster: Cluster, _ starts: Starts, executable: String? = nil
        ) throws {
            #expect(
                try cluster.leaderRequest("POST", "/carillon/v1/workers/\(worker.name)/drain").status == 200)
            try cluster.wait("\(worker.name) holds nothing") {
                try TestHTTP.request("GET", worker.url + "/health").json?["held"]?.int64Value == 0
            }
            try worker.stop()
            try worker.startAgain(executable: executable)
            try cluster.wait("\(worker.name) is back, and still drained") {
                try cluster.workerStates()[worker.name] == "draining"
            }
            #expect(
                try cluster.leaderRequest("POST", "/carillon/v1/workers/\(worker.name)/resume").status == 200)
            try cluster.wait("\(worker.name) is up") { try cluster.workerStates()[worker.name] == "up" }
            try cluster.waitUntilAllTick(starts)
        }

        private static func requireComplete(_ job: Ticking, _ cluster: Cluster, _ starts: Starts) throws {
            let account = try cluster.requireCompleteLedger([job], through: Clock.now - 1_000, starts)
            #expect(account.states.keys.sorted() == ["succeeded"])
            #expect(account.verdicts.keys.sorted() == ["launched"])
        }
    }
}
