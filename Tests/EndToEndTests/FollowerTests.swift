import Foundation
import JSON
import Testing

extension EndToEnd.Shared {
    /// What clients send to a node that does not lead, once, as their users wrote it.
    @Suite("Followers", .serialized)
    struct FollowerTests {
        private static let job =
            #"{"name": "NAME", "command": "true", "schedule": "R0//PT1H", "owner": "bob@airbnb.com"}"#

        // MARK: The documented examples of curl

        @Test(
            "curl -L -X POST -d makes the job",
            arguments: ["/v1/scheduler", "/scheduler"])
        func post(tree: String) async throws {
            try await onCluster { cluster in
                let name = "follower-post" + tree.replacingOccurrences(of: "/", with: "-")
                let answer = try cluster.curl(
                    """
                    curl -L -H 'Content-Type: application/json' -X POST \
                    -d '\(Self.job.replacingOccurrences(of: "NAME", with: name))' chronos-node:8080\(tree)/iso8601
                    """, at: try cluster.follower())
                #expect(answer.status == 204, "\(answer.body)")
                #expect(answer.redirects == 1)
                #expect(answer.body.isEmpty)
                #expect(try cluster.job(name)?["owner"] == "bob@airbnb.com")
            }
        }

        @Test("curl -L -X POST -d makes a dependent job")
        func dependency() async throws {
            try await onCluster { cluster in
                try cluster.put("follower-parent")
                let answer = try cluster.curl(
                    """
                    curl -L -X POST -H 'Content-Type: application/json' \
                    -d '{"name": "follower-child", "command": "true", "parents": ["follower-parent"]}' \
                    chronos-node:8080/v1/scheduler/dependency
                    """, at: try cluster.follower())
                #expect(answer.status == 204, "\(answer.body)")
                #expect(try cluster.job("follower-child")?["parents"] == ["follower-parent"])
            }
        }

        @Test("curl -L -X GET lists and searches jobs")
        func reading() async throws {
            try await onCluster { cluster in
                try cluster.put("request_event_counter_hourly")
                let follower = try cluster.follower()
                let list = try cluster.curl("curl -L -X GET chronos-node:8080/v1/scheduler/jobs", at: follower)
                #expect(list.status == 200)
                #expect(list.json?.arrayValue?.contains { $0["name"] == "request_event_counter_hourly" } == true)
                let found = try cluster.curl(
                    "curl -L -X GET chronos-node:8080/v1/scheduler/jobs/search?name=request_event_counter_hourly",
                    at: follower)
                #expect(found.json?.arrayValue?.map { $0["name"] } == ["request_event_counter_hourly"])
            }
        }

        @Test("curl -L -X PUT runs the job once, with its arguments")
        func run() async throws {
            try await onCluster { cluster in
                let seen = cluster.folder + "/follower-run"
                try cluster.put("follower-run", command: "echo ran >> \(seen); : ")
                let follower = try cluster.follower()
                for (count, query) in [(1, ""), (2, "?arguments=-debug")] {
                    let answer = try cluster.curl(
                        "curl -L -X PUT chronos-node:8080/v1/scheduler/job/follower-run\(query)", at: follower)
                    #expect(answer.status == 204, "\(answer.body)")
                    try cluster.waitForRun(of: "follower-run", "succeeded", count: count)
                }
                #expect(try String(contentsOfFile: seen, encoding: .utf8) == "ran\nran\n")
            }
        }

        @Test("curl -L -X PUT marks the job as successful")
        func success() async throws {
            try await onCluster { cluster in
                try cluster.put("follower-mark")
                let answer = try cluster.curl(
                    "curl -L -X PUT chronos-node:8080/v1/scheduler/job/success/follower-mark",
                    at: try cluster.follower())
                #expect(answer.status == 200)
                #expect(answer.body == "true")
                #expect(try cluster.count("successCount", of: "follower-mark") == 1)
            }
        }

        @Test("curl -L -X DELETE kills the job's task, and then deletes the job")
        func delete() async throws {
            try await onCluster { cluster in
                try cluster.put("follower-delete", command: "sleep 60")
                try cluster.leaderRequest("PUT", "/v1/scheduler/job/follower-delete")
                try cluster.waitForRun(of: "follower-delete", "started")
                let follower = try cluster.follower()
                let killed = try cluster.curl(
                    "curl -L -X DELETE chronos-node:8080/v1/scheduler/task/kill/follower-delete", at: follower)
                #expect(killed.status == 204, "\(killed.body)")
                try cluster.waitForRun(of: "follower-delete", "aborted")
                let deleted = try cluster.curl(
                    "curl -L -X DELETE chronos-node:8080/v1/scheduler/job/follower-delete", at: follower)
                #expect(deleted.status == 204, "\(deleted.body)")
                #expect(try cluster.job("follower-delete") == nil)
            }
        }

        @Test("curl -L -X PUT -d reports the completion of an asynchronous task")
        func completion() async throws {
            try await onCluster { cluster in
                let seen = cluster.folder + "/follower-async"
                try cluster.put(
                    "follower-async", command: "echo $mesos_task_id > \(seen).new; mv \(seen).new \(seen)",
                    ["async": true])
                try cluster.leaderRequest("PUT", "/v1/scheduler/job/follower-async")
                try cluster.wait("the task has told its id") { FileManager.default.fileExists(atPath: seen) }
                let task = try String(contentsOfFile: seen, encoding: .utf8).trimmingCharacters(
                    in: .whitespacesAndNewlines)
                #expect(try cluster.count("successCount", of: "follower-async") == 0)
                let answer = try cluster.curl(
                    """
                    curl -L -X PUT -H "Content-Type: application/json" -d '{"statusCode": 0}' \
                    chronos-node:8080/v1/scheduler/task/\(Cluster.encoded(task))
                    """, at: try cluster.follower())
                #expect(answer.status == 204, "\(answer.body)")
                try cluster.waitForRun(of: "follower-async", "succeeded")
                #expect(try cluster.count("successCount", of: "follower-async") == 1)
            }
        }

        @Test("a refusal of the leader reaches the client as it is")
        func refusal() async throws {
            try await onCluster { cluster in
                let answer = try cluster.curl(
                    "curl -L -X POST -d '{\"name\": \"follower-refused\", \"schedule\": \"every hour\"}' "
                        + "chronos-node:8080/v1/scheduler/iso8601", at: try cluster.follower())
                #expect(answer.status == 400)
                #expect(answer.json?["status"] == "Bad Request")
                #expect(answer.json?["message"]?.stringValue?.contains("every hour") == true)
                #expect(try cluster.job("follower-refused") == nil)
            }
        }

        // MARK: Other clients

        static let hasRequests: Bool = {
            (try? Executable.shell("python3 -c 'import requests'").status) == 0
        }()

        @Test(
            "post, put and delete of Python's requests take effect, though it follows a 302 with GET",
            .enabled(if: FollowerTests.hasRequests, "Python's module requests is not installed"))
        func pythonRequests() async throws {
            try await onCluster { cluster in
                let script = """
                    import requests, sys
                    base, key = sys.argv[1:3]
                    session = requests.Session()
                    session.headers["X-API-Key"] = key
                    def check(answer, status):
                        assert answer.status_code == status, (answer.url, answer.status_code, answer.text)
                        assert len(answer.history) == 1, answer.history
                        return answer
                    job = {"name": "from-requests", "command": "true", "schedule": "R0//PT1H"}
                    check(session.post(base + "/v1/scheduler/iso8601", json=job), 204)
                    child = {"name": "child-requests", "command": "true", "parents": ["from-requests"]}
                    check(session.post(base + "/scheduler/dependency", json=child), 204)
                    names = [job["name"] for job in check(session.get(base + "/v1/scheduler/jobs"), 200).json()]
                    assert "from-requests" in names and "child-requests" in names, names
                    check(session.put(base + "/v1/scheduler/job/from-requests", params={"arguments": "-debug"}), 204)
                    check(session.delete(base + "/v1/scheduler/task/kill/child-requests"), 204)
                    check(session.delete(base + "/v1/scheduler/job/child-requests"), 204)
                    wrong = check(session.post(base + "/v1/scheduler/iso8601", json={"name": "a/b"}), 400)
                    assert wrong.json()["status"] == "Bad Request", wrong.text
                    # Basic is dropped by requests at a redirect to another port.
                    basic = requests.post(base + "/v1/scheduler/iso8601", json=dict(job, name="basic-requests"),
                                          auth=("anyone", key))
                    check(basic, 204)
                    """
                let result = try Executable.run(
                    "/usr/bin/env", ["python3", "-c", script, try cluster.follower().url, cluster.key])
                #expect(result.status == 0, "\(result.errors)")
                try cluster.waitForRun(of: "from-requests", "succeeded")
                #expect(try cluster.job("child-requests") == nil)
                #expect(try cluster.job("basic-requests") != nil)
            }
        }

        @Test(
            "a 302 has no body: chronos-python takes a redirect with one for success",
            arguments: [
                ("GET", "/v1/scheduler/jobs"), ("POST", "/v1/scheduler/iso8601"), ("POST", "/scheduler/dependency"),
                ("PUT", "/v1/scheduler/job/none"), ("DELETE", "/scheduler/job/none"),
                ("DELETE", "/v1/scheduler/task/kill/none"),
            ])
        func emptyRedirect(method: String, path: String) async throws {
            try await onCluster { cluster in
                let follower = try cluster.follower()
                let leader = try cluster.leaderNode()
                let answer = try cluster.request(method, follower.url + path, body: method == "POST" ? "{}" : nil)
                #expect(answer.status == 302)
                #expect(answer.header("Content-Length") == "0")
                #expect(answer.body.isEmpty)
                #expect(answer.header("Location")?.hasPrefix(leader.url + path) == true)
                #expect((answer.header("Location")?.contains("replay=") == true) == (method != "GET"))
                #expect(answer.header("Cache-Control") == "no-store")
            }
        }

        @Test("HTTP Basic works through a follower, though curl drops it at the redirect")
        func basic() async throws {
            try await onCluster { cluster in
                let follower = try cluster.follower()
                let posted = try cluster.curl(
                    """
                    curl -L -u "anyone:$KEY" -H 'Content-Type: application/json' -X POST \
                    -d '\(Self.job.replacingOccurrences(of: "NAME", with: "follower-basic"))' \
                    chronos-node:8080/v1/scheduler/iso8601
                    """, at: follower, withKey: false)
                #expect(posted.status == 204, "\(posted.body)")
                let read = try cluster.curl(
                    #"curl -L -u "anyone:$KEY" chronos-node:8080/v1/scheduler/job/follower-basic"#, at: follower,
                    withKey: false)
                #expect(read.status == 200, "\(read.body)")
                #expect(read.json?["name"] == "follower-basic")
                let bearer = try cluster.curl(
                    #"curl -L -H "Authorization: Bearer $KEY" chronos-node:8080/v1/scheduler/jobs"#, at: follower,
                    withKey: false)
                #expect(bearer.status == 200, "\(bearer.body)")
            }
        }

        // MARK: Leadership as seen by clients

        @Test("every node tells who leads, at the root and in both trees")
        func leader() async throws {
            try await onCluster { cluster in
                let leader = try cluster.leaderNode().url.replacingOccurrences(of: "http://", with: "")
                for node in cluster.nodes {
                    for path in ["/leader", "/v1/scheduler/leader", "/scheduler/leader"] {
                        let answer = try cluster.curl("curl -L chronos-node:8080\(path)", at: node)
                        #expect(answer.status == 200)
                        #expect(answer.redirects == 0)
                        #expect(answer.json == ["leader": .string(leader)], "\(node.name)\(path)")
                    }
                }
            }
        }

        @Test("every node answers probes without a key, and one of them says that it leads")
        func health() async throws {
            try await onCluster { cluster in
                let leader = try cluster.waitForLeader()
                for node in cluster.nodes {
                    let ping = try TestHTTP.request("GET", node.url + "/ping")
                    #expect(ping.status == 200)
                    #expect(ping.text == "pong\n")
                    let health = try TestHTTP.request("GET", node.url + "/health")
                    #expect(health.status == 200)
                    #expect(health.json?["role"] == .string(node.name == leader ? "leader" : "follower"))
                    #expect(health.json?["database"] == "ok")
                    #expect(health.json?["epoch"]?.int64Value ?? 0 > 0)
                    #expect((health.json?["lag_ms"] != nil) == (node.name == leader))
                    let isLeader = try TestHTTP.request("GET", node.url + "/health/leader")
                    #expect(isLeader.status == (node.name == leader ? 200 : 503))
                }
            }
        }
    }
}
