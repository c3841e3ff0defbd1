import Foundation
import JSON
import TestSupport
import Testing

private let authority = Result { try TestAuthority(name: "Cluster CA") }

@Sendable private func secured() throws -> Cluster.Options {
    var options = Cluster.Options()
    options.nodes = 3
    options.workers = 2
    options.authority = try authority.get()
    options.workerArguments = ["--kill-grace", "2"]
    return options
}

extension EndToEnd {
    /// Everything by HTTPS, nodes and workers with certificates that they show each other.
    @Suite("A cluster with mutual TLS", .serialized, .cluster(secured))
    struct TLSTests {
        @Test("jobs run, the leader is killed, runs go on, and nothing is lost or doubled")
        func killedLeader() async throws {
            try await onCluster { cluster in
                try cluster.underLoad { starts in
                    let leader = try cluster.leaderNode()
                    try cluster.waitForSuccessor(starts) { try leader.kill() }
                    try leader.startAgain()
                }
                try cluster.wait("both workers are up") {
                    try cluster.workerStates().values.filter { $0 == "up" }.count == 2
                }
                let handedOut = cluster.nodes.map(\.log).joined() + cluster.workers.map(\.log).joined()
                #expect(handedOut.contains("the internal protocol asks for certificates"))
            }
        }

        @Test("a follower redirects to https, and one that forwards does so by https")
        func followers() async throws {
            try await onCluster { cluster in
                let answer = try cluster.request("GET", try cluster.follower().url + "/v1/scheduler/jobs")
                #expect(answer.status == 302)
                let leader = try cluster.leaderNode()
                #expect(answer.header("Location") == leader.url + "/v1/scheduler/jobs")
                #expect(leader.url.hasPrefix("https://"))
                let name = "secured-proxied"
                let job = #"{"name": "\#(name)", "command": "echo ran", "schedule": "R0//PT1H"}"#
                let proxy = try cluster.proxy()
                #expect(try cluster.request("POST", proxy.url + "/v1/scheduler/iso8601", body: job).status == 204)
                #expect(try cluster.request("PUT", proxy.url + "/v1/scheduler/job/\(name)").status == 204)
                let run = try cluster.waitForRun(of: name, "succeeded")
                // The log comes from the worker by the internal protocol, or out of the database.
                let id = try #require(run["id"]?.stringValue)
                let log = try cluster.leaderRequest("GET", "/carillon/v1/runs/\(id)/log")
                #expect(log.text.contains("ran"), "\(log.text)")
            }
        }

        @Test("a message of the internal protocol without a certificate is refused before its signature is looked at")
        func withoutCertificate() async throws {
            try await onCluster { cluster in
                for member in [try cluster.leaderNode(), try #require(cluster.workers.first)] {
                    let path = cluster.nodes.contains { $0.name == member.name } ? "register" : "offer"
                    let answer = try cluster.request("POST", member.url + "/internal/v1/\(path)", body: "{}")
                    #expect(answer.status == 403)
                    #expect(answer.text.contains("certificate"), "\(answer.text)")
                }
                // API clients need none.
                #expect(try cluster.leaderRequest("GET", "/v1/scheduler/jobs").status == 200)
            }
        }

        @Test("a worker with a certificate of another authority never gets work, and both sides say why")
        func strangerAsWorker() async throws {
            try await onCluster { cluster in
                let stranger = try TestAuthority(name: "Somebody Else")
                // It trusts the cluster; the cluster does not trust it.
                let own = try stranger.issue("worker-9")
                let worker = try cluster.addWorker(
                    "worker-9", arguments: try Cluster.certificateWords(own, try authority.get()))
                defer { worker.end() }
                try cluster.wait("nodes refuse its handshake") {
                    cluster.nodes.contains { $0.log.contains("the TLS handshake with") }
                }
                try cluster.wait("it says that it reaches no node") { worker.log.contains("alert") }
                #expect(try cluster.workerStates()["worker-9"] == nil)
            }
        }

        @Test("the command-line client verifies the cluster, and says what is wrong where it cannot")
        func commandLine() async throws {
            try await onCluster { cluster in
                let authority = try authority.get().certificate
                let words = ["leader", "--url", try cluster.follower().url, "--key", cluster.key]
                let leader = try cluster.carillon(words + ["--tls-ca", authority])
                #expect(leader.contains(try cluster.leaderNode().url.replacingOccurrences(of: "https://", with: "")))
                let listed = try cluster.carillon(
                    ["job", "list", "--url", try cluster.follower().url],
                    environment: ["CARILLON_TLS_CA": authority, "CARILLON_API_KEY": cluster.key])
                #expect(!listed.isEmpty)
                let blind = try Executable.run(words)
                #expect(blind.status == 1 && blind.errors.contains("certificate"), "\(blind.errors)")
                let missing = try Executable.run(words + ["--tls-ca", "/nonexistent.pem"])
                #expect(missing.status == 2 && missing.errors.contains("/nonexistent.pem"), "\(missing.errors)")
            }
        }

        @Test("SIGHUP brings in a renewed certificate without a lost request; a broken one changes nothing")
        func reload() async throws {
            try await onCluster { cluster in
                let node = try cluster.follower()
                let authority = try authority.get()
                let files = try certificate(of: node, in: authority)
                #expect(try shown(by: node, authority).contains("CN = \(node.name)"))

                let end = "carillon_certificate_expiry_timestamp_seconds"
                let days = try (cluster.nodes + cluster.workers).filter(\.isRunning).map { member in
                    let told = try cluster.request("GET", member.url + "/metrics/prometheus").text
                    return ((try Scrape(told)(end) ?? 0) - Date().timeIntervalSince1970) / 86_400
                }
                #expect(days.allSatisfy { (59...60).contains($0) }, "\(days)")

                let renewed = try authority.issue("renewed", days: 90)
                try replace(files.certificate, by: renewed.certificate)
                try replace(files.key, by: renewed.key)
                try node.send(SIGHUP)
                try cluster.wait("the renewed certificate is shown") {
                    try shown(by: node, authority).contains("CN = renewed")
                }
                #expect(try cluster.request("GET", node.url + "/health").status == 200)
                let told = try Scrape(try cluster.request("GET", node.url + "/metrics/prometheus").text)(end) ?? 0
                #expect(told > Date().timeIntervalSince1970 + 89 * 86_400)

                try Data("nonsense".utf8).write(to: URL(fileURLWithPath: files.certificate))
                try node.send(SIGHUP)
                try cluster.wait("it says what is wrong") { node.log.contains("The former ones stay in use") }
                #expect(node.log.contains("BEGIN CERTIFICATE"))
                #expect(try shown(by: node, authority).contains("CN = renewed"))
                // For whatever starts it again.
                try replace(files.certificate, by: renewed.certificate)
            }
        }

        private func certificate(
            of member: ClusterProcess, in authority: TestAuthority
        ) throws -> (certificate: String, key: String) {
            let names = try FileManager.default.contentsOfDirectory(atPath: authority.folder)
            let name = try #require(names.first { $0.hasSuffix("-\(member.name).pem") })
            let base = "\(authority.folder)/\(name.dropLast(4))"
            return (base + ".pem", base + ".key")
        }

        private func replace(_ path: String, by other: String) throws {
            try Data(contentsOf: URL(fileURLWithPath: other)).write(to: URL(fileURLWithPath: path), options: .atomic)
        }

        private func shown(by member: ClusterProcess, _ authority: TestAuthority) throws -> String {
            try TestTool.run([
                "openssl", "s_client", "-connect", member.url.replacingOccurrences(of: "https://", with: ""),
                "-CAfile", authority.certificate,
            ]).output
        }
    }

    /// What a user does first.
    @Suite("carillon dev --tls", .serialized)
    struct DevTLSTests {
        @Test("it makes its certificates, and curl and the client reach it by them")
        func dev() async throws {
            try await onLoop { _ in
                let folder = NSTemporaryDirectory() + "carillon-dev-tls-\(UUID().uuidString.prefix(8))"
                // What cannot be removed is in the system's folder for temporary files.
                defer { try? FileManager.default.removeItem(atPath: folder) }
                let port = try FreePort.find()
                try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
                let process = try ClusterProcess(
                    "dev", url: "https://localhost:\(port)", folder: folder,
                    words: ["dev", "--tls", "--data-dir", folder + "/data", "--port", "\(port)"])
                defer { process.end() }
                let end = Date().addingTimeInterval(90)
                while !process.log.contains("Carillon runs."), Date() < end { usleep(50_000) }
                try #require(process.log.contains("Carillon runs."), "\(process.log)")
                let words = [
                    "worker", "list", "--json", "--url", process.url, "--tls-ca", folder + "/data/tls/ca.pem", "--key",
                    try String(contentsOfFile: folder + "/data/admin.key", encoding: .utf8)
                        .trimmingCharacters(in: .whitespacesAndNewlines),
                ]
                var workers = ""
                while !workers.contains("worker-1"), Date() < end { workers = try Executable.run(words).output }
                #expect(workers.contains("worker-1"), "\(process.log)")
                try process.send(SIGINT)
                try process.waitForEnd(within: 60)
            }
        }
    }
}
