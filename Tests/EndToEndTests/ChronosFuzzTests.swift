import Foundation
import JSON
import Testing

extension EndToEnd {
    /// A client that was generated from the API's description says whatever that allows, and much that it does not.
    @Suite("A fuzzing client of the Chronos dialect", .serialized, .cluster(nodes: 1, workers: 1))
    struct ChronosFuzzTests {
        @Test(
            "finds no answer of 5xx and none that is not described",
            .enabled(if: SchemaFuzzer.isInstalled, "python3 cannot import schemathesis (from PyPI)"),
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
                let result = try SchemaFuzzer.run(
                    url, document: "/openapi/chronos.json", key: cluster.key, folder: cluster.folder,
                    // The same routes as below /v1/scheduler.
                    excluding: "^/scheduler/")
                #expect(result.status == 0, "\(result.output.suffix(8_000))\(result.errors)")
                let health = try cluster.request("GET", url + "/health/leader")
                #expect(health.status == 200, "\(health.text)")
            }
        }
    }
}
