import Foundation
import JSON
import Testing

extension EndToEnd {
    @Suite("A backlog", .serialized, .cluster(BacklogCluster.options))
    struct BacklogTests {
        private static let jobs: Int64 = 20
        /// 10,000 runs.
        private static let runsOfEach =
            ProcessInfo.processInfo.environment["CARILLON_BACKLOG"].flatMap { Int64($0) } ?? 500
        private static var runs: Int { Int(jobs * runsOfEach) }

        @Test(
            "many runs are queued when the leader dies: its successor starts each once, and all end")
        func queuedRuns() async throws {
            try await onCluster { cluster in
                let begin = Clock.now / 1_000 * 1_000 - Self.runsOfEach * 1_000
                let file = cluster.folder + "/started"
                for index in 0..<Self.jobs {
                    try cluster.put(
                        "backlog-\(index)", command: "echo $mesos_task_id >> \(file)",
                        [
                            "schedule": .string("R\(Self.runsOfEach)/\(Clock.iso8601(begin + index))/PT1S"),
                            "epsilon": "PT2H", "concurrent": true, "retries": 0, "cpus": 0.01, "mem": 1, "disk": 1,
                        ])
                }
                func count(_ table: String) throws -> Int {
                    try cluster.query("SELECT count(*)::text FROM carillon.\(table)").first?.first?
                        .flatMap { Int($0) } ?? -1
                }
                try cluster.wait("all runs are queued", within: 90) { try count("runs") == Self.runs }

                let leader = try cluster.leaderNode()
                let epoch = try cluster.epoch()
                try leader.kill()
                let killed = Clock.now
                try cluster.waitForEpoch(after: epoch)
                try cluster.waitForLeader(otherThan: leader.name)
                print("\(Self.runs) runs are queued: the successor leads after \(Clock.now - killed) ms")
                #expect(Clock.now - killed <= Cluster.worstElection)

                for name in ["worker-1", "worker-2"] {
                    try cluster.addWorker(name, arguments: ["--cpus", "2", "--memory", "4096", "--disk", "4096"])
                }
                let begun = Clock.now
                try cluster.wait("all runs have ended", within: 600) { try count("runs") == 0 }
                print("\(Self.runs) runs took \(Clock.now - begun) ms")
                let started = try String(contentsOfFile: file, encoding: .utf8).split(separator: "\n")
                #expect(started.count == Self.runs)
                #expect(Set(started).count == Self.runs)
                let states = try cluster.query("SELECT state, count(*)::text FROM carillon.run_history GROUP BY 1")
                let reasons = try cluster.query(
                    "SELECT state, worker, reason, count(*)::text FROM carillon.run_history GROUP BY 1, 2, 3")
                #expect(states == [["succeeded", String(Self.runs)]], "\(reasons)")
                let report = try cluster.verify(from: begin, to: Clock.now)
                #expect(report["expected"]?.int64Value == Int64(Self.runs))
                #expect(report["verdicts"] == ["launched": .integer(Int64(Self.runs))])
            }
        }
    }
}

private enum BacklogCluster {
    static func options() -> Cluster.Options {
        var options = Cluster.Options()
        options.nodes = 2
        // They come when the leader is dead.
        options.workers = 0
        return options
    }
}
