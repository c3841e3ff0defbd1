import Foundation
import JSON
import Synchronization
import TestSupport
import Testing

extension EndToEnd {
    /// Whatever breaks while jobs are due every second: afterwards each occurrence has one verdict, nothing was
    /// started twice, and no node needed help.
    @Suite("Faults", .serialized, .cluster(FaultCluster.options))
    struct FaultTests {
        private static func underLoad(_ body: @escaping @Sendable (Cluster, Starts) throws -> Void) async throws {
            try await onCluster { cluster in try cluster.underLoad { try body(cluster, $0) } }
        }

        /// Not ended: a process whose new parent has not asked for its status yet has.
        private static func runs(_ process: pid_t) -> Bool {
            guard let stat = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8),
                let name = stat.lastIndex(of: ")")
            else { return false }
            return stat[name...].dropFirst(2).first != "Z"
        }

        // MARK: Workers

        @Test("a worker killed during a run: the run is lost, repeated elsewhere, and both are recorded")
        func killedWorker() async throws {
            try await Self.underLoad { cluster, starts in
                let pid = cluster.folder + "/orphan"
                try cluster.put(
                    "interrupted",
                    command: starts.command
                        + "; [ $CHRONOS_JOB_RUN_ATTEMPT = 1 ] || { echo $$ > \(pid); exec sleep 300; }",
                    ["retries": 1])
                try cluster.leaderRequest("PUT", "/v1/scheduler/job/interrupted")
                let started = try cluster.waitForRun(of: "interrupted", "started")
                let victim = try cluster.worker(try #require(started["worker"]?.stringValue))
                try cluster.wait("the command runs") { try starts.entries().contains { $0.job == "interrupted" } }
                try victim.kill()

                let run = try cluster.waitForRun(of: "interrupted", "succeeded", within: 45)
                let attempts = run["attempts"]?.arrayValue ?? []
                #expect(attempts.map { $0["state"]?.stringValue } == ["lost", "succeeded"])
                #expect(attempts.map { $0["worker"]?.stringValue == victim.name } == [true, false])
                #expect(attempts.first?["reason"]?.stringValue?.isEmpty == false)
                #expect(try starts.entries().filter { $0.job == "interrupted" }.map(\.attempt) == [0, 1])
                #expect(try cluster.workerStates()[victim.name] == "silent")

                // What the dead worker left running ends when it is back, and changes nothing that is final.
                let orphan = try #require(
                    pid_t(
                        try String(contentsOfFile: pid, encoding: .utf8).trimmingCharacters(in: .whitespacesAndNewlines)
                    ))
                #expect(kill(orphan, 0) == 0)
                try victim.startAgain()
                try cluster.wait("\(victim.name) is up") { try cluster.workerStates()[victim.name] == "up" }
                try cluster.wait("the orphan is gone") { !Self.runs(orphan) }
                let final = try cluster.waitForRun(of: "interrupted", "succeeded")
                for key in ["state", "attempt", "worker", "started", "finished", "reason"] {
                    #expect(final[key] == run[key], "\(key)")
                }
                // What it says of its try is kept beside what was decided without it.
                let late = (final["attempts"]?.arrayValue ?? []).filter { !attempts.contains($0) }
                #expect(late.allSatisfy { $0["number"] == 0 && $0["worker"] == .string(victim.name) }, "\(late)")
                #expect(try cluster.count("successCount", of: "interrupted") == 1)
                #expect(try cluster.count("errorCount", of: "interrupted") == 0)
            }
        }

        @Test("a worker that comes back at once with another boot: its run is lost without waiting for its silence")
        func restartedWorker() async throws {
            try await Self.underLoad { cluster, starts in
                try cluster.put(
                    "restarted", command: starts.command + "; [ $CHRONOS_JOB_RUN_ATTEMPT = 1 ] || exec sleep 300",
                    ["retries": 1])
                try cluster.leaderRequest("PUT", "/v1/scheduler/job/restarted")
                let started = try cluster.waitForRun(of: "restarted", "started")
                let victim = try cluster.worker(try #require(started["worker"]?.stringValue))
                try victim.kill()
                try victim.startAgain()
                let run = try cluster.waitForRun(of: "restarted", "succeeded")
                #expect(run["attempts"]?.arrayValue?.map { $0["state"]?.stringValue } == ["lost", "succeeded"])
            }
        }

        @Test("a worker frozen beyond its lease: its late result changes nothing that is final")
        func frozenWorker() async throws {
            try await Self.underLoad { cluster, starts in
                let go = cluster.folder + "/go"
                try cluster.put(
                    "frozen",
                    command: starts.command
                        + "; [ $CHRONOS_JOB_RUN_ATTEMPT = 1 ] || { until [ -e \(go) ]; do sleep 0.1; done; exit 0; }",
                    ["retries": 1])
                try cluster.leaderRequest("PUT", "/v1/scheduler/job/frozen")
                let started = try cluster.waitForRun(of: "frozen", "started")
                let victim = try cluster.worker(try #require(started["worker"]?.stringValue))
                try victim.freeze()
                defer { try? victim.thaw() }  // It may be dead: the test has failed then.
                try cluster.waitForRun(of: "frozen", "succeeded", within: 45)
                let before = try cluster.runs(of: "frozen").map(\.text)
                // The first try ends well while nobody waits for it any more.
                try "".write(toFile: go, atomically: true, encoding: .utf8)
                try victim.thaw()
                try cluster.wait("\(victim.name) is up") { try cluster.workerStates()[victim.name] == "up" }
                try cluster.put("after-frozen")
                try cluster.leaderRequest("PUT", "/v1/scheduler/job/after-frozen")
                try cluster.waitForRun(of: "after-frozen", "succeeded")
                #expect(try cluster.runs(of: "frozen").map(\.text) == before)
                #expect(try cluster.count("successCount", of: "frozen") == 1)
                #expect(try cluster.count("errorCount", of: "frozen") == 0)
            }
        }

        // MARK: Leaders

        @Test(
            "the leader killed while clients ask followers: 302 to another node or 503 with Retry-After, nothing else")
        func killedLeader() async throws {
            try await Self.underLoad { cluster, _ in
                let leader = try cluster.leaderNode()
                let followers = try cluster.followers()
                try leader.kill()
                var served: Set<String> = []
                try cluster.wait("a follower leads and the others send to it") {
                    for node in followers {
                        let answer = try cluster.request("GET", node.url + "/v1/scheduler/jobs")
                        switch answer.status {
                        case 200: served.insert(node.name)
                        case 302:
                            let location = try #require(answer.header("Location"))
                            #expect(!location.hasPrefix(node.url), "a redirect to itself")
                            #expect(cluster.nodes.contains { location.hasPrefix($0.url + "/") })
                            if !location.hasPrefix(leader.url) { served.insert(node.name) }
                        case 503: #expect(answer.header("Retry-After") != nil)
                        default: Issue.record("\(node.name): \(answer.status) \(answer.text)")
                        }
                    }
                    return served.count == followers.count
                }
                try leader.startAgain()
            }
        }

        @Test("a frozen leader has a successor within seconds, and steps down when it wakes")
        func frozenLeader() async throws {
            try await Self.underLoad { cluster, starts in
                let leader = try cluster.leaderNode()
                let former = try cluster.epoch()
                try leader.freeze()
                let frozen = Clock.now
                defer { try? leader.thaw() }  // It may be dead: the test has failed then.
                try cluster.waitForEpoch(after: former)
                let elected = Clock.now - frozen
                try cluster.wait("the successor fires") {
                    try starts.entries().contains { $0.started > frozen + elected }
                }
                print("a frozen leader: a successor after \(elected) ms")
                #expect(elected <= Cluster.worstElection)
                let name = try cluster.waitForLeader(otherThan: leader.name)
                try leader.thaw()
                try cluster.wait("\(leader.name) follows") {
                    let health = try cluster.request("GET", leader.url + "/health").json
                    return try health?["role"] == "follower" && health?["leader"] == .string(cluster.node(name).url)
                }
                #expect(try cluster.epoch() == former + 1)
                #expect(try TestHTTP.request("GET", leader.url + "/health/leader").status == 503)
            }
        }

        @Test("the session that holds the lock is terminated: the leader steps down, and somebody leads at once")
        func terminatedSession() async throws {
            try await Self.underLoad { cluster, _ in
                for _ in 0..<3 {
                    let former = try cluster.epoch()
                    try cluster.query("SELECT pg_terminate_backend(backend_pid) FROM carillon.leadership")
                    try cluster.waitForEpoch(after: former)
                    try cluster.waitForLeader()
                }
            }
        }

        // MARK: The database

        @Test("PostgreSQL killed and started again: nodes answer 503 meanwhile and come back by themselves")
        func killedDatabase() async throws {
            try await Self.underLoad { cluster, _ in
                let postgres = try #require(FaultCluster.server.withLock { $0 })
                let pids = cluster.nodes.map(\.pid)
                try postgres.kill()
                // A request waits some seconds for the database before it is refused: one for each node will do.
                let requests = [("GET", "jobs"), ("POST", "iso8601"), ("GET", "leader")]
                for (node, (method, path)) in zip(cluster.nodes, requests) {
                    try cluster.wait("\(node.name) misses its database") {
                        try cluster.request("GET", node.url + "/health").json?["database"] == "unreachable"
                    }
                    let answer = try cluster.request(
                        method, node.url + "/v1/scheduler/" + path, body: method == "POST" ? #"{"name": "x"}"# : nil)
                    #expect(answer.status == 503, "\(node.name) \(path): \(answer.status) \(answer.text)")
                    #expect(answer.header("Retry-After") != nil)
                    #expect(answer.json?["message"]?.stringValue?.isEmpty == false)
                    #expect(try TestHTTP.request("GET", node.url + "/ping").status == 200)
                    #expect(try TestHTTP.request("GET", node.url + "/health/leader").status == 503)
                }
                try postgres.startAgain()
                try cluster.waitForLeader()
                #expect(cluster.nodes.map(\.pid) == pids)
            }
        }

        @Test("no connections are to be had: nobody leads, and all is well once there are some again")
        func exhaustedConnections() async throws {
            try await Self.underLoad { cluster, _ in
                let pids = cluster.nodes.map(\.pid)
                let former = try cluster.epoch()
                try cluster.query("ALTER ROLE \(FaultCluster.role) CONNECTION LIMIT 0")
                try cluster.query(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '\(FaultCluster.role)'")
                for node in cluster.nodes {
                    try cluster.wait("\(node.name) knows that it has no database") {
                        try cluster.request("GET", node.url + "/health").json?["database"] == "unreachable"
                    }
                }
                #expect(try cluster.request("GET", cluster.nodes[0].url + "/v1/scheduler/jobs").status == 503)
                #expect(try cluster.epoch() == former)
                try cluster.query("ALTER ROLE \(FaultCluster.role) CONNECTION LIMIT -1")
                try cluster.waitForEpoch(after: former)
                #expect(cluster.nodes.map(\.pid) == pids)
            }
        }

        // MARK: Everything

        @Test("all processes stopped and started again: jobs, counters and history are as they were")
        func restart() async throws {
            try await Self.underLoad { cluster, _ in
                try cluster.put("kept", command: "echo kept", ["description": "über alles", "retries": 0])
                try cluster.leaderRequest("PUT", "/v1/scheduler/job/kept")
                try cluster.waitForRun(of: "kept", "succeeded")
                let names = try cluster.jobNames()
                let job = try cluster.job("kept")
                let run = try cluster.waitForRun(of: "kept", "succeeded")
                for process in cluster.workers + cluster.nodes { try process.stop() }
                for process in cluster.nodes + cluster.workers { try process.startAgain() }
                try cluster.waitForLeader()
                #expect(try cluster.jobNames() == names)
                #expect(try cluster.job("kept") == job)
                #expect(try cluster.waitForRun(of: "kept", "succeeded") == run)
            }
        }
    }
}

/// Three nodes and two workers on a server of their own, which a test may kill.
private enum FaultCluster {
    /// An ordinary role: a superuser would get a connection where others get none.
    static let role = "carillon"
    static let server = Mutex<TestPostgres?>(nil)

    static func options() throws -> Cluster.Options {
        // A commit that a client has seen must outlive a kill; that nothing is synced only matters for the machine.
        let postgres = try TestPostgres.start(settings: ["synchronous_commit = on"])
        server.withLock { $0 = postgres }
        var options = Cluster.Options()
        options.nodes = 3
        options.workers = 2
        options.nodeArguments = ["--retry-delay", "1"]
        options.postgres = postgres
        options.role = role
        return options
    }
}
