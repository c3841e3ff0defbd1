import Foundation
import JSON
import TestSupport
import Testing

extension EndToEnd {
    /// deploy/haproxy.cfg and deploy/nginx.conf with the real programs, before three nodes that forward.
    @Suite("Load balancers", .serialized, .cluster(nodes: 3, workers: 1, "--follower", "proxy"))
    struct LoadBalancerTests {
        @Test(
            "HAProxy leads to the leader; when it is killed, clients that repeat lose no request",
            .enabled(if: Balancer.haproxy.isInstalled, "haproxy is not installed"))
        func haproxy() async throws {
            try await onCluster { cluster in
                let balancer = try Balancer.haproxy.started(cluster)
                defer { balancer.end() }
                try Self.requireLeader(cluster, balancer)
                for _ in 0..<2 {
                    try Self.requireNoLoss(cluster, balancer, bound: Self.killBound) { try $0.kill() }
                }
            }
        }

        @Test(
            "HAProxy takes requests away from a frozen leader",
            .enabled(if: Balancer.haproxy.isInstalled, "haproxy is not installed"))
        func haproxyFrozen() async throws {
            try await onCluster { cluster in
                let balancer = try Balancer.haproxy.started(cluster)
                defer { balancer.end() }
                try Self.requireLeader(cluster, balancer)
                // A look at the frozen node takes its second first.
                let bound = Cluster.worstElection + 2_000
                try Self.requireNoLoss(cluster, balancer, bound: bound) { try $0.freeze() }
            }
        }

        @Test(
            "nginx leads to the leader; when it is killed, clients that repeat lose no request",
            .enabled(if: Balancer.nginx.isInstalled, "nginx is not installed"))
        func nginx() async throws {
            try await onCluster { cluster in
                let balancer = try Balancer.nginx.started(cluster)
                defer { balancer.end() }
                try Self.requireLeader(cluster, balancer)
                for _ in 0..<2 {
                    try Self.requireNoLoss(cluster, balancer, bound: Self.killBound) { try $0.kill() }
                }
            }
        }

        @Test(
            "without a leader, both answer 503 and when to come again",
            .enabled(if: Balancer.haproxy.isInstalled && Balancer.nginx.isInstalled, "a balancer is not installed"))
        func noLeader() async throws {
            try await onCluster { cluster in
                try cluster.waitForLeader()
                let balancers = [try Balancer.haproxy.started(cluster), try Balancer.nginx.started(cluster)]
                defer { for balancer in balancers { balancer.end() } }
                for node in cluster.nodes { try node.freeze() }
                defer { for node in cluster.nodes { try? node.thaw() } }  // One may be dead: the test has failed then.
                for balancer in balancers {
                    try cluster.wait("\(balancer.kind.name) knows of no leader") {
                        // A request that went to a node which was frozen at that moment has no answer.
                        let answer = try? cluster.request("GET", balancer.url + "/v1/scheduler/jobs", timeout: 8)
                        return answer?.status == 503 && answer?.header("Retry-After") == "1"
                            && answer?.json?["message"]?.stringValue?.contains("no node leads") == true
                    }
                }
            }
        }

        // MARK: What must hold

        /// The election of a successor to a killed leader, and on top of it how long a balancer may believe in the dead
        /// one; a machine that is busy with other tests has as much again.
        static let killBound: Int64 = 5_000

        /// Through the balancer everything comes from the node that leads.
        private static func requireLeader(_ cluster: Cluster, _ balancer: Balancer.Running) throws {
            try cluster.waitForLeader()
            let leader = try cluster.waitForLeader()
            // Before its first look at each node HAProxy believes that all of them are good.
            try cluster.wait("\(balancer.kind.name) sends everything to the leader") {
                try (0..<9).allSatisfy { _ in
                    try cluster.request("GET", balancer.url + "/health").json?["node"]?.stringValue == leader
                }
            }
            // What a client sent comes through, and so does what it is answered.
            let bad = try cluster.request(
                "POST", balancer.url + "/v1/scheduler/iso8601", body: #"{"name": "b", "schedule": "R/x/PT1S"}"#)
            #expect(bad.status == 400)
            #expect(bad.json?["message"]?.stringValue?.isEmpty == false)
            #expect(try TestHTTP.request("GET", balancer.url + "/v1/scheduler/jobs").status == 401)
        }

        /// Clients write all the time while the leader goes away and comes back.
        private static func requireNoLoss(
            _ cluster: Cluster, _ balancer: Balancer.Running, bound: Int64, _ fault: (ClusterProcess) throws -> Void
        ) throws {
            let round = Clock.now
            let clients = (1...3).map {
                SteadyClient(
                    "\(balancer.kind.name)-\(round)-\($0)", url: balancer.url, key: cluster.key,
                    repeating: ["502", "503"])
            }
            let outcomes: [SteadyClient.Outcome]
            do {
                try cluster.wait("the clients write") { clients.allSatisfy { $0.acknowledged >= 3 } }
                let leader = try cluster.leaderNode()
                let former = try cluster.epoch()
                try fault(leader)
                try cluster.waitForEpoch(after: former)
                let before = clients.map(\.acknowledged)
                try cluster.wait("the clients write again") {
                    zip(clients, before).allSatisfy { $0.acknowledged > $1 + 3 }
                }
                if leader.isRunning { try leader.thaw() } else { try leader.startAgain() }
                try cluster.wait("\(leader.name) is back") {
                    // It may not listen yet.
                    (try? cluster.request("GET", leader.url + "/health"))?.json?["role"] == "follower"
                }
                outcomes = clients.map { $0.stop() }
            } catch {
                for client in clients { _ = client.stop() }
                throw error
            }
            let longest = outcomes.map(\.longest).max() ?? 0
            print(
                "\(balancer.kind.name): the longest a client waited: \(longest) ms, repetitions: "
                    + "\(outcomes.map(\.repetitions).reduce(0, +)) of \(outcomes.map(\.acknowledged.count).reduce(0, +))"
            )
            #expect(longest <= bound)
            let names = Set(try cluster.jobNames())
            for outcome in outcomes {
                #expect(outcome.surprises == [])
                #expect(outcome.acknowledged.filter { !names.contains($0) } == [])
            }
        }
    }
}

/// A load balancer as an operator has it: the program from Debian, and the file from deploy/.
enum Balancer: Sendable {
    case haproxy, nginx

    final class Running {
        let kind: Balancer
        let url: String
        private let guardian: Guardian

        fileprivate init(_ kind: Balancer, url: String, _ guardian: Guardian) {
            self.kind = kind
            self.url = url
            self.guardian = guardian
        }

        func end() { guardian.end() }
    }

    var name: String { self == .haproxy ? "haproxy" : "nginx" }

    private var program: String { "/usr/sbin/" + name }

    var isInstalled: Bool { FileManager.default.isExecutableFile(atPath: program) }

    /// Starts it with the file's addresses replaced by those of the cluster.
    func started(_ cluster: Cluster) throws -> Running {
        let port = try FreePort.find()
        let folder = "\(cluster.folder)/\(name)-\(port)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let file = try Readme().root + (self == .haproxy ? "/deploy/haproxy.cfg" : "/deploy/nginx.conf")
        var text = try String(contentsOfFile: file, encoding: .utf8)
            .replacingOccurrences(of: "bind :8080", with: "bind 127.0.0.1:\(port)")
            .replacingOccurrences(of: "bind 127.0.0.1:8404", with: "bind 127.0.0.1:\(try FreePort.find())")
            .replacingOccurrences(of: "listen 8080;", with: "listen 127.0.0.1:\(port);")
        for node in cluster.nodes {
            text = text.replacingOccurrences(
                of: "\(node.name):8080", with: node.url.replacingOccurrences(of: "http://", with: ""))
        }
        let path = folder + "/balancer.conf"
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        let words: [String]
        switch self {
        case .haproxy:
            words = [program, "-db", "-f", path]
            try require([program, "-c", "-f", path])
        case .nginx:
            words = [program, "-p", folder, "-c", try nginxFile(folder, including: path)]
            try require(words + ["-t"])
        }
        let running = Running(
            self, url: "http://127.0.0.1:\(port)", try Guardian(words, log: "\(cluster.folder)/\(name).log"))
        do {
            try cluster.wait("\(name) listens") {
                (try? TestHTTP.request("GET", running.url + "/ping", timeout: 2)) != nil
            }
        } catch {
            running.end()
            throw error
        }
        return running
    }

    /// What Debian's /etc/nginx/nginx.conf is to the files of its folder conf.d.
    private func nginxFile(_ folder: String, including path: String) throws -> String {
        let text = """
            daemon off; master_process off; pid \(folder)/pid; error_log stderr warn;
            events { worker_connections 512; }
            http {
                access_log off;
                client_body_temp_path \(folder)/body; proxy_temp_path \(folder)/proxy;
                fastcgi_temp_path \(folder)/fastcgi; uwsgi_temp_path \(folder)/uwsgi; scgi_temp_path \(folder)/scgi;
                include \(path);
            }
            """
        try text.write(toFile: folder + "/nginx.conf", atomically: true, encoding: .utf8)
        return folder + "/nginx.conf"
    }

    /// The program's own check of its file.
    private func require(_ words: [String]) throws {
        let result = try Executable.run(words[0], Array(words.dropFirst()))
        try #require(result.status == 0, "\(words): \(result.errors)\(result.output)")
        // A file that works but that the program complains of is no example.
        #expect(!result.errors.contains("[WARNING]") && !result.errors.contains("[warn]"), "\(result.errors)")
    }
}
