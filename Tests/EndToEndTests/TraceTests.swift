import Foundation
import JSON
import Testing

extension EndToEnd {
    /// What whoever looks for one run in all logs needs.
    @Suite("Logs and traces", .serialized)
    struct TraceTests {
        private static let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

        @Test("a request's trace reaches the task, by either dialect, through a follower and over a chain")
        func traces() async throws {
            try await Cluster.run(nodes: 2) { cluster in
                try cluster.put("traced", command: #"echo "trace=$TRACEPARENT""#)
                func output(_ count: Int) throws -> String {
                    let run = try cluster.waitForRun(of: "traced", "succeeded", count: count)
                    return run["attempts"]?.arrayValue?.last?["output_tail"]?.stringValue ?? ""
                }
                // A follower keeps the request, and the leader executes it as it was sent.
                let curl = try cluster.curl(
                    "curl -L -X PUT -H 'traceparent: \(Self.trace)' chronos-node:8080/v1/scheduler/job/traced",
                    at: try cluster.follower())
                #expect(curl.status == 204, "\(curl.body)")
                #expect(try output(1).contains("trace=\(Self.trace)\n"))

                let leader = try cluster.leaderNode().url
                let event = try cluster.request(
                    "POST", leader + "/api/app/run_event", body: #"{"title": "traced"}"#,
                    headers: ["traceparent": Self.trace])
                #expect(event.json?["code"] == 0, "\(event.text)")
                #expect(try output(2).contains("trace=\(Self.trace)\n"))

                // What is no trace is none: the request counts all the same.
                let wrong = try cluster.request(
                    "PUT", leader + "/v1/scheduler/job/traced", headers: ["traceparent": "00-0-0-00"])
                #expect(wrong.status == 204)
                #expect(try output(3).contains("trace=\n"))
            }
        }

        @Test("with --log-format json each line is an object, with epoch, and with run and job where it is about one")
        func logs() async throws {
            var options = Cluster.Options()
            options.nodeArguments = ["--log-format", "json"]
            options.workerArguments = ["--log-format", "json", "--log-level", "debug"]
            try await Cluster.run(options) { cluster in
                try cluster.put("logged-job")
                _ = try cluster.leaderRequest("PUT", "/v1/scheduler/job/logged-job")
                let run = try cluster.waitForRun(of: "logged-job", "succeeded")
                func lines(_ process: ClusterProcess) throws -> [JSONValue] {
                    try process.log.split(separator: "\n").map { try JSONValue(parsing: Array($0.utf8)) }
                }
                let node = try lines(try cluster.leaderNode())
                #expect(node.allSatisfy { $0["time"] != nil && $0["level"] != nil && $0["message"] != nil })
                #expect(node.contains { $0["epoch"]?.stringValue == "1" && $0["node"] == "node-1" })
                let about = try lines(cluster.workers[0]).filter { $0["run"] == run["id"] }
                #expect(about.contains { $0["message"] == "started" && $0["job"] == "logged-job" }, "\(about)")
                #expect(about.allSatisfy { $0["epoch"]?.stringValue == "1" && $0["worker"] == "worker-1" })
            }
        }
    }
}
