import Foundation
import JSON
import Testing

extension EndToEnd.Shared {
    /// Who may do what, by which key, wherever it is put.
    @Suite("API keys", .serialized)
    struct KeyTests {
        private static let jobs = "/v1/scheduler/jobs"

        private static func newKey(_ cluster: Cluster, _ title: String, _ privileges: String...) throws -> String {
            try cluster.carillon(
                ["key", "create", "--database-url", cluster.databaseURL, "--title", title]
                    + privileges.flatMap { ["--privilege", $0] }
            ).trimmingCharacters(in: .whitespacesAndNewlines)
        }

        // MARK: Places

        @Test("a key counts as header, in the query, as Bearer and as the password of HTTP Basic")
        func places() async throws {
            try await onCluster { cluster in
                let key = cluster.key
                let basic = Data("whoever:\(key)".utf8).base64EncodedString()
                // At every node; a follower may only redirect whom it knows.
                for node in cluster.nodes {
                    let isLeader = try node.name == cluster.waitForLeader()
                    func answer(_ path: String, _ headers: [String: String]) throws -> Int {
                        let answer = try TestHTTP.request("GET", node.url + path, headers: headers)
                        #expect(isLeader || node.name == "proxy" || answer.status != 200)
                        return answer.status == 302 ? 200 : answer.status
                    }
                    #expect(try answer(Self.jobs, ["X-API-Key": key]) == 200)
                    #expect(try answer(Self.jobs + "?api_key=\(key)", [:]) == 200)
                    #expect(try answer(Self.jobs, ["Authorization": "Bearer \(key)"]) == 200)
                    #expect(try answer(Self.jobs, ["Authorization": "Basic \(basic)"]) == 200)
                    #expect(try answer(Self.jobs, ["Authorization": "Basic \(basic.dropLast(6))"]) == 401)
                    #expect(try answer(Self.jobs, ["Authorization": "Bearer \(key.dropLast())x"]) == 401)
                    #expect(try answer(Self.jobs + "?api_key=none", [:]) == 401)
                }
            }
        }

        @Test("a key counts as property api_key of the body, and is not kept with the job")
        func property() async throws {
            try await onCluster { cluster in
                let body = #"{"name": "key-property", "command": "true", "schedule": "R0//PT1H", "api_key": "KEY"}"#
                let posted = try cluster.curl(
                    """
                    curl -L -X POST -H 'Content-Type: application/json' \
                    -d '\(body.replacingOccurrences(of: "KEY", with: cluster.key))' \
                    chronos-node:8080/v1/scheduler/iso8601
                    """, at: try cluster.follower(), withKey: false)
                #expect(posted.status == 204, "\(posted.body)")
                #expect(try cluster.job("key-property")?.text.contains(cluster.key) == false)
                let wrong = try TestHTTP.request(
                    "POST", try cluster.leaderNode().url + "/v1/scheduler/iso8601",
                    body: body.replacingOccurrences(of: "KEY", with: "nobody's"))
                #expect(wrong.status == 401)
            }
        }

        @Test("a key in the query survives the redirect of a follower")
        func queryThroughFollower() async throws {
            try await onCluster { cluster in
                let answer = try cluster.curl(
                    #"curl -L "chronos-node:8080/v1/scheduler/jobs/search?name=a&api_key=$KEY""#,
                    at: try cluster.follower(), withKey: false)
                #expect(answer.status == 200)
                #expect(answer.redirects == 1)
            }
        }

        // MARK: Refusals

        @Test("without a valid key the answer is 401 with a Basic challenge, on every node and path")
        func challenge() async throws {
            try await onCluster { cluster in
                let paths = [
                    "/leader", Self.jobs, "/scheduler/job/x", "/carillon/v1/workers", "/carillon/v1/runs",
                    "/carillon/v1/nowhere", "/v1/scheduler/nowhere",
                ]
                for node in cluster.nodes {
                    for path in paths {
                        for key in [nil, "", "nonsense", String(cluster.key.dropLast()) + "!"] {
                            let answer = try TestHTTP.request(
                                "GET", node.url + path, headers: key.map { ["X-API-Key": $0] } ?? [:])
                            #expect(answer.status == 401, "\(node.name) \(path) \(key ?? "without")")
                            #expect(answer.header("WWW-Authenticate")?.hasPrefix("Basic realm=") == true)
                            #expect(answer.json?["status"] == "Unauthorized")
                            #expect(answer.json?["message"]?.stringValue?.contains("API key") == true)
                        }
                    }
                }
            }
        }

        // MARK: Privileges

        private static let needs: [(what: String, privilege: String?)] = [
            ("read", nil), ("create", "create_events"), ("edit", "edit_events"), ("run", "run_events"),
            ("mark", "run_events"), ("kill", "abort_events"), ("drain", "admin"), ("delete", "delete_events"),
        ]

        @Test(
            "a key may do what its privilege says, and nothing else",
            arguments: [
                "admin", "create_events", "edit_events", "delete_events", "run_events", "abort_events", "state_update",
                "",
            ])
        func privilege(_ privilege: String) async throws {
            try await onCluster { cluster in
                let key =
                    privilege.isEmpty
                    ? try Self.newKey(cluster, "reader") : try Self.newKey(cluster, privilege, privilege)
                let job = "privilege-\(privilege)"
                let made = "made-by-\(privilege)"
                try cluster.put(job)
                let leader = try cluster.leaderNode()
                func post(_ name: String) -> (String, String, String?) {
                    (
                        "POST", "/v1/scheduler/iso8601",
                        #"{"name": "\#(name)", "command": "false", "schedule": "R0//PT1H"}"#
                    )
                }
                for (what, needed) in Self.needs {
                    let (method, path, body): (String, String, String?) =
                        switch what {
                        case "read": ("GET", Self.jobs, nil)
                        case "create": post(made)
                        case "edit": post(job)
                        case "run": ("PUT", "/v1/scheduler/job/\(job)", nil)
                        case "mark": ("PUT", "/v1/scheduler/job/success/\(job)", nil)
                        case "kill": ("DELETE", "/v1/scheduler/task/kill/\(job)", nil)
                        case "drain": ("POST", "/carillon/v1/workers/worker-2/drain", nil)
                        default: ("DELETE", "/v1/scheduler/job/\(job)", nil)
                        }
                    let answer = try cluster.request(method, leader.url + path, body: body, headers: ["X-API-Key": key])
                    let isAllowed = needed == nil || needed == privilege || privilege == "admin"
                    let comment: Comment = "\(what) with '\(privilege)': \(answer.status) \(answer.text)"
                    if isAllowed {
                        #expect(answer.status == 204 || answer.status == 200, comment)
                    } else {
                        #expect(answer.status == 403, comment)
                        #expect(answer.json?["status"] == "Forbidden", comment)
                        #expect(answer.json?["message"]?.stringValue?.contains(needed ?? "") == true, comment)
                    }
                }
                let may = { $0 == privilege || privilege == "admin" }
                #expect(try (cluster.job(made) != nil) == may("create_events"))
                #expect(try (cluster.job(job) == nil) == may("delete_events"))
                if privilege != "admin" && privilege != "delete_events" {
                    #expect(try cluster.job(job)?["command"] == .string(may("edit_events") ? "false" : "true"))
                    #expect(try cluster.count("successCount", of: job) >= (may("run_events") ? 1 : 0))
                    #expect(try cluster.runs(of: job).count == (may("run_events") ? 1 : 0))
                }
                let drained = try cluster.workerStates()["worker-2"]
                #expect(drained == (privilege == "admin" ? "draining" : "up"))
                try cluster.leaderRequest("POST", "/carillon/v1/workers/worker-2/resume")
            }
        }

        // MARK: At rest

        @Test("the database has hashes of keys, and nothing from which a key could be had")
        func hashes() async throws {
            try await onCluster { cluster in
                let rows = try cluster.query("SELECT prefix, encode(hash, 'hex'), t::text FROM carillon.api_keys t")
                #expect(!rows.isEmpty)
                let own = try #require(rows.first { $0[0] == String(cluster.key.prefix(8)) })
                let digest = try Executable.run("/usr/bin/sha256sum", [], input: cluster.key).output.prefix(64)
                #expect(own[1]?.count == 64)
                #expect(own[1] == String(digest))
                #expect(rows.allSatisfy { $0[2]?.contains(cluster.key) == false })
            }
        }

        @Test("a key that was disabled in the table stops working within seconds")
        func disabled() async throws {
            try await onCluster { cluster in
                let key = try Self.newKey(cluster, "to be disabled", "admin")
                let url = try cluster.leaderNode().url + Self.jobs
                #expect(try cluster.request("GET", url, headers: ["X-API-Key": key]).status == 200)
                try cluster.query("UPDATE carillon.api_keys SET active = false WHERE prefix = '\(key.prefix(8))'")
                try cluster.wait("the key is refused", within: 10) {
                    try cluster.request("GET", url, headers: ["X-API-Key": key]).status == 401
                }
            }
        }
    }
}

extension EndToEnd {
    @Suite(
        "Without a key", .serialized,
        .cluster(nodes: 1, workers: 0, "--anonymous", "read", "--anonymous", "create_events"))
    struct AnonymousTests {
        @Test("--anonymous opens what it names and nothing else")
        func anonymous() async throws {
            try await onCluster { cluster in
                let url = try cluster.leaderNode().url + "/v1/scheduler/"
                func answer(_ method: String, _ path: String, _ body: String? = nil) throws -> Int {
                    try TestHTTP.request(method, url + path, body: body).status
                }
                let job = #"{"name": "open", "command": "true", "schedule": "R0//PT1H"}"#
                #expect(try answer("GET", "jobs") == 200)
                #expect(try answer("POST", "iso8601", job) == 204)
                #expect(try answer("POST", "iso8601", job) == 403)
                #expect(try answer("PUT", "job/open") == 403)
                #expect(try answer("DELETE", "task/kill/open") == 403)
                #expect(try answer("DELETE", "job/open") == 403)
                #expect(try cluster.job("open") != nil)
                // A wrong key is no anonymous request: its sender believes in a privilege.
                #expect(try TestHTTP.request("GET", url + "jobs", headers: ["X-API-Key": "wrong"]).status == 401)
                #expect(try cluster.request("PUT", url + "job/open").status == 204)
            }
        }
    }
}
