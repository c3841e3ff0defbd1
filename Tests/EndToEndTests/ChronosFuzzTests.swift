import Foundation
import JSON
import Testing

extension EndToEnd {
    /// A client that was generated from the API's description says whatever that allows, and much that it does not.
    @Suite("A fuzzing client of the Chronos dialect", .serialized, .cluster(nodes: 1, workers: 1))
    struct ChronosFuzzTests {
        // Without Python at all there is no package either; the trait shows the reason.
        static let isInstalled = (try? Executable.shell("python3 -c 'import schemathesis'"))?.status == 0

        /// What each answer must satisfy.
        private static let checks = [
            "not_a_server_error", "status_code_conformance", "content_type_conformance",
            "response_headers_conformance", "response_schema_conformance",
        ]

        @Test(
            "finds no answer of 5xx and none that is not described",
            .enabled(if: isInstalled, "python3 cannot import schemathesis (from PyPI)"),
            .enabled(
                if: ProcessInfo.processInfo.environment["CARILLON_KNOWN_FAILURES"] != nil,
                "fails: an error inside the newest schemathesis"),
            .timeLimit(.minutes(6)))
        func fuzz() async throws {
            try await onCluster { cluster in
                for (name, command) in [("succeeds", "true"), ("fails", "exit 3")] {
                    try cluster.put(name, command: command, ["retries": 0])
                    try cluster.leaderRequest("PUT", "/v1/scheduler/job/" + name)
                    try cluster.waitForRun(of: name, name == "fails" ? "failed" : "succeeded")
                }
                // Nobody executes what a fuzzer takes for a command.
                for worker in cluster.workers { try worker.kill() }
                let url = try cluster.leaderNode().url
                let result = try Executable.run(
                    "/usr/bin/env",
                    [
                        "python3", "-m", "schemathesis.cli", "run", url + "/openapi/chronos.json", "--url", url,
                        "--header", "X-API-Key: " + cluster.key, "--checks", Self.checks.joined(separator: ","),
                        "--phases", "examples,coverage,fuzzing", "--seed", "1", "--max-examples", "10", "--workers",
                        "2",
                        "--generation-database", "none", "--no-shrink", "--no-color", "--request-timeout", "10",
                        // The same routes as below /v1/scheduler.
                        "--exclude-path-regex", "^/scheduler/", "--suppress-health-check", "all",
                    ],
                    environment: ["HOME": cluster.folder, "TMPDIR": cluster.folder], timeout: 300)
                #expect(result.status == 0, "\(result.output.suffix(8_000))\(result.errors)")
                let health = try cluster.request("GET", url + "/health/leader")
                #expect(health.status == 200, "\(health.text)")
            }
        }
    }
}
