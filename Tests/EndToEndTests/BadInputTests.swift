import Foundation
import JSON
import Testing

extension EndToEnd.Shared {
    /// What is wrong is refused with a message that says what would be right, and leaves no trace.
    @Suite("Bad input", .serialized)
    struct BadInputTests {
        struct Case: CustomTestStringConvertible, Sendable {
            var testDescription: String
            var path = "iso8601"
            var body: String
            /// What the message must name: what is wrong, and a word of what would be right.
            var mentions: [String]

            init(_ description: String, to path: String = "iso8601", _ body: String, _ mentions: String...) {
                testDescription = description
                self.path = path
                self.body = body
                self.mentions = mentions
            }
        }

        private static func scheduled(_ members: String) -> String {
            #"{"name": "bad", "command": "true", \#(members)}"#
        }

        private static func withSchedule(_ members: String) -> String {
            scheduled(#""schedule": "R/2030-01-01T00:00:00Z/PT1H", \#(members)"#)
        }

        static let cases: [Case] = [
            Case("malformed JSON", #"{"name": "bad", "command": "#, "JSON", "line 1", "column"),
            Case("no body", "", "body", "JSON object"),
            Case("an array", #"[{"name": "bad"}]"#, "JSON object"),
            Case("two values", #"{"name": "bad"} {}"#, "JSON"),
            Case("no name", #"{"command": "true"}"#, "name"),
            Case("an empty name", #"{"name": "", "command": "true"}"#, "name"),
            Case("a name with a slash", #"{"name": "a/b", "command": "true"}"#, "a/b", "letters"),
            Case("a name with a letter beyond ASCII", #"{"name": "büro", "command": "true"}"#, "büro", "letters"),
            Case(
                "a name that is too long", #"{"name": "\#(String(repeating: "n", count: 256))", "command": "true"}"#,
                "255"),
            Case("a schedule in words", scheduled(#""schedule": "every hour""#), "every hour", "R"),
            Case("a schedule of two parts", scheduled(#""schedule": "R/PT1H""#), "R/PT1H"),
            Case("a start that is no day", scheduled(#""schedule": "R/2026-02-30T00:00:00Z/PT1H""#), "2026-02-30"),
            Case("an interval in lower case", scheduled(#""schedule": "R//pt1h""#), "pt1h"),
            Case("no interval", scheduled(#""schedule": "R//PT0S""#), "PT0S", "second"),
            Case("an interval below a second", scheduled(#""schedule": "R//PT0.5S""#), "second"),
            Case("a negative interval", scheduled(#""schedule": "R//P-1D""#), "P-1D"),
            Case("a start before 1970", scheduled(#""schedule": "R/1969-01-01T00:00:00Z/PT1H""#), "1969-01-01", "1970"),
            Case(
                "an unknown zone", withSchedule(#""scheduleTimeZone": "Mars/Olympus""#), "Mars/Olympus", "zone"),
            Case("schedule and parents", withSchedule(#""parents": ["other"]"#), "schedule", "parents"),
            Case("an epsilon that is no duration", withSchedule(#""epsilon": "15 minutes""#), "epsilon", "PT15M"),
            Case(
                "an unknown operator", withSchedule(#""constraints": [["rack", "MATCHES", "a"]]"#), "MATCHES", "EQUALS",
                "LIKE", "UNLIKE"),
            Case(
                "an invalid regular expression", withSchedule(#""constraints": [["rack", "LIKE", "rack-["]]"#), "rack-["
            ),
            Case("a constraint of two", withSchedule(#""constraints": [["rack", "EQUALS"]]"#), "constraints", "three"),
            Case(
                "variables as an object", withSchedule(#""environmentVariables": {"A": "b"}"#), "environmentVariables",
                "array"),
            Case(
                "a variable without a value", withSchedule(#""environmentVariables": [{"name": "A"}]"#),
                "environmentVariables[0].value"),
            Case("a command that is a list", #"{"name": "bad", "command": ["true"]}"#, "command", "text"),
            Case("an executable that is missing", #"{"name": "bad", "command": "", "shell": false}"#, "executable"),
            Case("retries beyond reason", withSchedule(#""retries": 1000001"#), "retries", "1000"),
            Case("a NUL", #"{"name": "bad", "command": "a\u0000b"}"#, "NUL"),
            Case(
                "an option of docker that cannot be had",
                withSchedule(#""container": {"image": "ubuntu", "parameters": [{"key": "rm", "value": "true"}]}"#),
                "'rm'", "removes the container"),
            Case("a download from nowhere", withSchedule(#""fetch": [{"uri": "s3://bucket/x"}]"#), "s3://", "https://"),
            Case("an executor", withSchedule(#""executor": "/bin/executor""#), "executor"),
            Case(
                "no parents", to: "dependency", #"{"name": "bad", "command": "true", "parents": []}"#, "parents",
                "at least one"),
            Case(
                "a parent that does not exist", to: "dependency",
                #"{"name": "bad", "command": "true", "parents": ["bad-first", "bad-nobody"]}"#, "bad-nobody"),
            Case(
                "a job that is its own parent", to: "dependency",
                #"{"name": "bad", "command": "true", "parents": ["bad"]}"#,
                "own parent"),
            Case(
                "a cycle", to: "dependency", #"{"name": "bad-first", "command": "true", "parents": ["bad-third"]}"#,
                "bad-first"),
            Case(
                "a schedule for a dependent job", to: "dependency", withSchedule(#""parents": []"#), "iso8601"),
        ]

        /// A chain, for cycles: first, second, third.
        private static func prepare(_ cluster: Cluster) throws {
            guard try cluster.job("bad-third") == nil else { return }
            try cluster.put("bad-first")
            try cluster.put("bad-second", command: "true", ["parents": ["bad-first"]])
            try cluster.put("bad-third", command: "true", ["parents": ["bad-second"]])
        }

        @Test("a bad job is refused with 400, what would be right, and nothing stored", arguments: cases)
        func badJob(_ bad: Case) async throws {
            try await onCluster { cluster in
                try Self.prepare(cluster)
                let before = try cluster.leaderRequest("GET", "/v1/scheduler/jobs").text
                for tree in ["/v1/scheduler/", "/scheduler/"] {
                    let answer = try cluster.leaderRequest("POST", tree + bad.path, body: bad.body)
                    #expect(answer.status == 400, "\(answer.text)")
                    #expect(answer.header("Content-Type") == "application/json")
                    let error = try #require(answer.json?.objectValue, "\(answer.text)")
                    #expect(error.map { $0.0 } == ["message", "status"])
                    #expect(error["status"] == "Bad Request")
                    let message = try #require(error["message"]?.stringValue)
                    for word in bad.mentions { #expect(message.contains(word), "\(message)") }
                    #expect(!message.contains("Swift") && !message.contains("Error("), "\(message)")
                }
                #expect(try cluster.leaderRequest("GET", "/v1/scheduler/jobs").text == before)
            }
        }

        @Test("a body over the limit is refused with 413, and nothing stored")
        func tooLarge() async throws {
            try await onCluster { cluster in
                let filler = String(repeating: "x", count: 1 << 20)
                let body = #"{"name": "too-large", "command": "true", "description": "\#(filler)"}"#
                for node in cluster.nodes.prefix(2) {
                    let answer = try cluster.request("POST", node.url + "/v1/scheduler/iso8601", body: body)
                    #expect(answer.status == 413)
                    // Refused before anything of the request is looked at, so in the server's own words.
                    #expect(answer.json?["message"]?.stringValue?.contains("1048576 bytes") == true, "\(answer.text)")
                }
                #expect(try cluster.job("too-large") == nil)
            }
        }

        @Test(
            "an unknown job is 400 with 'not found', as Chronos' clients expect",
            arguments: [
                ("GET", "job/nobody"), ("PUT", "job/nobody"), ("DELETE", "job/nobody"), ("DELETE", "task/kill/nobody"),
            ])
        func unknownJob(method: String, path: String) async throws {
            try await onCluster { cluster in
                let answer = try cluster.leaderRequest(method, "/v1/scheduler/" + path)
                #expect(answer.status == 400)
                #expect(answer.json?["message"]?.stringValue?.contains("not found") == true)
            }
        }

        @Test("an unknown path is 404 and a wrong method 405, both as JSON")
        func unknownPath() async throws {
            try await onCluster { cluster in
                let nowhere = try cluster.leaderRequest("GET", "/v1/scheduler/nowhere")
                #expect(nowhere.status == 404)
                #expect(nowhere.json?["message"]?.stringValue?.contains("nowhere") == true)
                let method = try cluster.leaderRequest("POST", "/v1/scheduler/jobs")
                #expect(method.status == 405)
                #expect(method.header("Allow")?.contains("GET") == true)
                #expect(method.json?["message"] != nil)
            }
        }

        // MARK: Strangers that speak the internal protocol

        @Test("a worker's message without a good signature is refused with 401 and changes nothing")
        func forgedWorker() async throws {
            try await onCluster { cluster in
                try cluster.put("internal", command: "sleep 60")
                try cluster.leaderRequest("PUT", "/v1/scheduler/job/internal")
                let run = try cluster.waitForRun(of: "internal", "started")
                let id = try #require(run["id"]?.stringValue)
                let before = try Self.picture(cluster)
                let worker = try #require(run["worker"]?.stringValue)
                let bodies = [
                    "register": #"{"name": "evil", "url": "http://127.0.0.1:1", "boot": "b", "cpus": 64}"#,
                    "heartbeat": #"{"worker": "\#(worker)", "boot": "x", "running": []}"#,
                    "claim": #"{"worker": "evil", "attempts": [{"run": "\#(id)", "number": 0}]}"#,
                    "report": #"{"reports": [{"run": "\#(id)", "number": 0, "worker": "\#(worker)", "code": 0}]}"#,
                ]
                let forged = [
                    "X-Carillon-Version": "1", "X-Carillon-Sender": worker, "X-Carillon-Receiver": "*",
                    "X-Carillon-Time": String(Clock.now), "X-Carillon-Nonce": String(repeating: "0a", count: 16),
                    "X-Carillon-Key": "0", "X-Carillon-Signature": String(repeating: "ab", count: 32),
                ]
                for (path, body) in bodies {
                    for headers in [[:], forged, ["X-API-Key": cluster.key]] {
                        let answer = try TestHTTP.request(
                            "POST", try cluster.leaderNode().url + "/internal/v1/" + path, headers: headers, body: body)
                        #expect(answer.status == 401, "\(path): \(answer.text)")
                    }
                }
                #expect(try Self.picture(cluster) == before)
                try cluster.leaderRequest("DELETE", "/v1/scheduler/task/kill/internal")
                try cluster.waitForRun(of: "internal", "aborted")
            }
        }

        @Test("a worker takes no orders from whoever knows its port")
        func forgedLeader() async throws {
            try await onCluster { cluster in
                let seen = cluster.folder + "/evil"
                for worker in cluster.workers {
                    for (path, body) in [
                        (
                            "offer",
                            #"{"term": {"timeline": 9, "epoch": 99}, "offers": [{"command": "touch \#(seen)"}]}"#
                        ),
                        ("kill", #"{"term": {"timeline": 9, "epoch": 99}, "attempts": []}"#),
                    ] {
                        let answer = try cluster.request("POST", worker.url + "/internal/v1/" + path, body: body)
                        #expect(answer.status == 401, "\(answer.text)")
                    }
                }
                // Both workers still obey their leader.
                try cluster.put("obeys", command: "true")
                try cluster.leaderRequest("PUT", "/v1/scheduler/job/obeys")
                try cluster.waitForRun(of: "obeys", "succeeded")
                #expect(!FileManager.default.fileExists(atPath: seen))
            }
        }

        /// Workers and the forged run, as the database has them.
        private static func picture(_ cluster: Cluster) throws -> [[String?]] {
            try cluster.query("SELECT name, url, boot, cpus::text FROM carillon.workers ORDER BY name")
                + cluster.query(
                    "SELECT id, state, worker, attempt::text FROM carillon.runs WHERE job_name = 'internal'")
        }
    }
}
