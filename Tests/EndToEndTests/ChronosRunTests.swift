import Foundation
import JSON
import Testing

extension EndToEnd.Shared {
    /// What the Chronos dialect tells of runs, and what Carillon adds to it, with real tasks.
    @Suite("Runs of the Chronos dialect", .serialized)
    struct ChronosRunTests {
        private static func get(_ cluster: Cluster, _ path: String) throws -> JSONValue {
            try #require(try cluster.leaderRequest("GET", "/v1/scheduler/" + path).json)
        }

        private static func run(_ cluster: Cluster, _ job: String, _ state: String, count: Int = 1) throws {
            #expect(try cluster.leaderRequest("PUT", "/v1/scheduler/job/" + job).status == 204)
            try cluster.waitForRun(of: job, state, count: count)
        }

        @Test("history tells of each run its worker, exit status, times, tries and log")
        func history() async throws {
            try await onCluster { cluster in
                try cluster.put("chronicle", command: "echo out; exit $CHRONOS_JOB_RUN_ATTEMPT", ["retries": 0])
                try Self.run(cluster, "chronicle", "succeeded")
                try cluster.put("chronicle", command: "echo out; exit 3", ["retries": 1, "retryDelay": 0.1])
                try Self.run(cluster, "chronicle", "failed", count: 2)
                let page = try Self.get(cluster, "job/chronicle/history")
                let runs = try #require(page["runs"]?.arrayValue)
                #expect(runs.map { $0["state"] } == ["failed", "succeeded"])
                #expect(runs.map { $0["exitStatus"] } == [3, 0])
                #expect(runs[0]["attempts"]?.arrayValue?.map { $0["exitStatus"] } == [3, 3])
                #expect(runs[0]["worker"]?.stringValue?.hasPrefix("worker-") == true)
                for key in ["due", "started", "finished"] { #expect(runs[0][key]?.stringValue?.count == 24) }
                let log = try #require(runs[0]["log"]?.stringValue)
                let text = try cluster.leaderRequest("GET", log)
                #expect(text.status == 200)
                #expect(text.text.contains("out"))
                let statistics = try Self.get(cluster, "job/stat/chronicle")
                #expect(statistics["histogram"]?["count"] == 1)
                let tasks = try #require(statistics["taskStatHistory"]?.arrayValue)
                #expect(tasks.map { $0["status"] } == ["Fail", "Fail", "Success"])
                let summary = try Self.get(cluster, "jobs/summary")["jobs"]?.arrayValue
                let line = try #require(summary?.first { $0["name"] == "chronicle" })
                #expect(line["status"] == "failure" && line["state"] == "idle")
                try cluster.leaderRequest("DELETE", "/v1/scheduler/job/chronicle")
                #expect(try cluster.leaderRequest("GET", "/v1/scheduler/job/chronicle/history").status == 400)
            }
        }

        @Test("an asynchronous run that nobody reports is shown as that, and its timeout ends it")
        func unreported() async throws {
            try await onCluster { cluster in
                try cluster.put("silent", command: "true", ["async": true, "timeout": 2, "retries": 0])
                #expect(try cluster.job("silent")?["timeout"] == 2)
                #expect(try cluster.leaderRequest("PUT", "/v1/scheduler/job/silent").status == 204)
                var reason = ""
                try cluster.wait("it waits for its report") {
                    let run = try Self.get(cluster, "job/silent/history")["runs"]?.arrayValue?.first
                    reason = run?["reason"]?.stringValue ?? ""
                    return run?["state"] == "started" && reason.contains("not been reported")
                }
                try cluster.waitForRun(of: "silent", "failed")
                let run = try #require(try Self.get(cluster, "job/silent/history")["runs"]?.arrayValue?.first)
                #expect(run["reason"]?.stringValue?.contains("timeout") == true, "\(run.text)")
                #expect(try cluster.count("errorCount", of: "silent") == 1)
                try cluster.leaderRequest("DELETE", "/v1/scheduler/job/silent")
            }
        }

        @Test("an asynchronous task may report itself before it has ended")
        func early() async throws {
            try await onCluster { cluster in
                let url = try cluster.leaderNode().url
                let report = """
                    id=$(printf %s "$mesos_task_id" | sed 's/:/%3A/g'); curl -sS -X PUT -H 'X-API-Key: \(cluster.key)' \
                    -d '{"statusCode": 0}' \(url)/v1/scheduler/task/$id
                    """
                try cluster.put(
                    "early", command: report,
                    ["async": true, "environmentVariables": [["name": "PATH", "value": "/usr/bin:/bin"]]])
                for count in 1...3 { try Self.run(cluster, "early", "succeeded", count: count) }
                #expect(try cluster.count("successCount", of: "early") == 3)
                try cluster.leaderRequest("DELETE", "/v1/scheduler/job/early")
            }
        }

        @Test("an answer is compressed for those who ask for it, and readable by pages of any origin")
        func compression() async throws {
            try await onCluster { cluster in
                for number in 1...10 { try cluster.put("gzip-\(number)") }
                let url = try cluster.leaderNode().url + "/v1/scheduler/jobs"
                let plain = try cluster.request("GET", url)
                let packed = try cluster.request("GET", url, headers: ["Accept-Encoding": "gzip"])
                #expect(plain.header("Content-Encoding") == nil)
                #expect(packed.header("Content-Encoding") == "gzip")
                #expect(packed.body.count < plain.body.count / 2)
                #expect(plain.header("Access-Control-Allow-Origin") == "*")
                #expect(plain.header("Content-Type") == "application/json")
                #expect(!plain.text.contains("\n"))
                for number in 1...10 { try cluster.leaderRequest("DELETE", "/v1/scheduler/job/gzip-\(number)") }
            }
        }

        @Test("a change under a condition is refused with 412 when somebody else was faster, also through a follower")
        func conditions() async throws {
            try await onCluster { cluster in
                let job = #"{"name": "guarded", "command": "true", "schedule": "R0//PT1H"}"#
                func post(_ condition: String, through node: ClusterProcess) throws -> CurlAnswer {
                    try cluster.curl(
                        "curl -L -H '\(condition)' -d '\(job)' chronos-node:8080/v1/scheduler/iso8601", at: node)
                }
                let (leader, follower) = (try cluster.leaderNode(), try cluster.follower())
                #expect(try post("If-Match: *", through: leader).status == 412)
                #expect(try post("If-None-Match: *", through: follower).status == 204)
                #expect(try post("If-None-Match: *", through: leader).status == 412)
                let tag = try #require(try cluster.leaderRequest("GET", "/v1/scheduler/job/guarded").header("ETag"))
                #expect(try post("If-Match: \(tag)", through: follower).status == 204)
                let late = try post("If-Match: \(tag)", through: follower)
                #expect(late.status == 412)
                #expect(late.json?["status"] == "Precondition Failed")
                try cluster.leaderRequest("DELETE", "/v1/scheduler/job/guarded")
            }
        }

        @Test("counters are kept where they are asked to be, while runs go on")
        func counters() async throws {
            try await onCluster { cluster in
                try cluster.put("kept")
                try Self.run(cluster, "kept", "succeeded")
                let body = #"{"name": "kept", "command": "true", "schedule": "R0//PT1H"}"#
                try cluster.leaderRequest("POST", "/v1/scheduler/iso8601?keepCounters=true", body: body)
                #expect(try cluster.count("successCount", of: "kept") == 1)
                try cluster.leaderRequest("POST", "/v1/scheduler/iso8601", body: body)
                #expect(try cluster.count("successCount", of: "kept") == 0)
                try cluster.leaderRequest("DELETE", "/v1/scheduler/job/kept")
            }
        }
    }
}
