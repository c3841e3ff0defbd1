import Foundation
import JSON
import Testing

extension EndToEnd.Shared {
    /// The Cronicle dialect at nodes that do not lead, and beside the other one.
    @Suite("Cronicle", .serialized)
    struct CronicleTests {
        private static let event =
            ##"{"id": "ID", "title": "T ID", "enabled": 0, "category": "general", "target": "allgrp","##
            + ##" "plugin": "shellplug", "params": {"script": "#!/bin/sh\necho hi\n"}}"##

        private func json(_ answer: TestHTTP.Answer) throws -> JSONValue {
            try JSONValue(parsing: answer.body)
        }

        @Test("a follower answers 302 with the dialect's body, before it looks at anything else")
        func redirect() async throws {
            try await onCluster { cluster in
                let follower = try cluster.follower()
                for body in ["{}", Self.event] {
                    let answer = try TestHTTP.request(
                        "POST", follower.url + "/api/app/create_event/v1",
                        headers: ["Content-Type": "application/json"], body: body)
                    #expect(answer.status == 302)
                    #expect(answer.header("location")?.hasPrefix(try cluster.leaderNode().url) == true)
                    #expect(try json(answer)["code"] == "master")
                }
                let ping = try TestHTTP.request("GET", follower.url + "/api/app/ping")
                #expect(ping.status == 200)
                #expect(try json(ping)["code"] == 0)
            }
        }

        @Test("curl -L with a body makes the event through a follower, wherever the key is")
        func replay() async throws {
            try await onCluster { cluster in
                let follower = try cluster.follower()
                let body = Self.event.replacingOccurrences(of: "ID", with: "viafollower")
                let made = try cluster.curl(
                    """
                    curl -L -H 'Content-Type: application/json' -d '\(body)' chronos-node:8080/api/app/create_event/v1
                    """, at: follower)
                #expect(made.json?["code"] == 0, "\(made.body)")
                let withKey = body.replacingOccurrences(of: "viafollower", with: "keyinbody")
                    .replacingOccurrences(of: "{\"id\"", with: "{\"api_key\": \"\(cluster.key)\", \"id\"")
                let other = try cluster.curl(
                    """
                    curl -L -H 'Content-Type: application/json' -d '\(withKey)' chronos-node:8080/api/app/create_event
                    """, at: follower, withKey: false)
                #expect(other.json?["code"] == 0, "\(other.body)")
                let kept = try cluster.query("SELECT definition::text FROM carillon.jobs WHERE id = 'keyinbody'")
                #expect(kept.first?[0]?.contains(cluster.key) == false)
            }
        }

        @Test("what one dialect cannot express is untouched by an update through it")
        func untouched() async throws {
            try await onCluster { cluster in
                func call(_ path: String, _ body: JSONValue) throws -> JSONValue {
                    let answer = try TestHTTP.request(
                        "POST", try cluster.leaderNode().url + "/api/app/" + path,
                        headers: ["Content-Type": "application/json", "X-API-Key": cluster.key], body: body.text)
                    return try json(answer)
                }
                try cluster.put(
                    "two-faced", command: "echo 1",
                    [
                        "schedule": "R/2030-01-01T00:00:00Z/P1M", "owner": "a@example.org", "softError": true,
                        "epsilon": "PT5M", "cpus": 0.5, "constraints": [["rack", "EQUALS", "r1"]],
                        "environmentVariables": [["name": "A", "value": "b"]], "retries": 4,
                    ])
                let before = try #require(try cluster.job("two-faced")?.objectValue)
                let event = try call("get_event", ["title": "two-faced"])["event"]
                let id = try #require(event?["id"])
                #expect(try call("update_event", ["id": id, "notes": "changed", "web_hook": ""])["code"] == 0)
                // What was read is sent back.
                var whole = try #require(try call("get_event", ["id": id])["event"]?.objectValue)
                for key in ["api_key", "username"] { whole[key] = nil }
                #expect(try call("update_event", .object(whole))["code"] == 0)
                let after = try #require(try cluster.job("two-faced")?.objectValue)
                for (key, value) in before where key != "description" {
                    #expect(after[key] == value, "\(key)")
                }
                #expect(after["description"] == "changed")

                #expect(
                    try call(
                        "create_event",
                        [
                            "id": "faced", "title": "Faced", "enabled": 1, "category": "general", "target": "allgrp",
                            "plugin": "shellplug", "params": ["script": "#!/bin/sh\n"], "algo": "prefer_last",
                            "multiplex": 1, "stagger": 3, "queue": 1, "queue_max": 9, "max_children": 2,
                            "chain": "cronicleside", "memory_limit": 7, "timing": ["years": [2199], "hours": [1]],
                            "timezone": "Europe/Vienna", "web_hook": "http://example.org/", "x_more": "kept",
                        ])["code"] == 0)
                let shown = try #require(try call("get_event", ["id": "faced"])["event"]?.objectValue)
                var job = try #require(try cluster.job("Faced")?.objectValue)
                job["owner"] = "new@example.org"
                #expect(
                    try cluster.leaderRequest("POST", "/v1/scheduler/iso8601", body: JSONValue.object(job).text).status
                        == 204)
                #expect(try cluster.job("Faced")?["owner"] == "new@example.org")
                let now = try #require(try call("get_event", ["id": "faced"])["event"]?.objectValue)
                for (key, value) in shown where key != "modified" { #expect(now[key] == value, "\(key)") }
                // Its zone outlives the time in which it has no timing.
                #expect(try call("update_event", ["id": "faced", "timing": false])["code"] == 0)
                #expect(try call("update_event", ["id": "faced", "timing": ["hours": [2], "days": []]])["code"] == 0)
                let again = try call("get_event", ["id": "faced"])["event"]
                #expect(again?["timezone"] == "Europe/Vienna" && again?["timing"] == ["hours": [2], "days": []])
                #expect(try call("delete_event", ["id": "faced"])["code"] == 0)
            }
        }

        @Test("the other nodes are servers that calls know, and neither remove nor end")
        func servers() async throws {
            try await onCluster { cluster in
                let name = try cluster.follower().name
                func call(_ path: String) throws -> JSONValue {
                    let answer = try TestHTTP.request(
                        "POST", try cluster.leaderNode().url + "/api/app/" + path,
                        headers: ["Content-Type": "application/json", "X-API-Key": cluster.key],
                        body: JSONValue.object(["hostname": .string(name)]).text)
                    return try json(answer)
                }
                #expect(try call("get_servers")["servers"]?[name]?["master"] == 0)
                let added = try call("add_server")
                #expect(added["code"] == "server")
                #expect(added["description"] == .string("Server is already in cluster: \(name)"))
                let removed = try call("remove_server")
                #expect(removed["code"] == "server")
                #expect(removed["description"]?.stringValue?.contains("is running: stop it") == true, "\(removed)")
                for deed in ["restart_server", "shutdown_server"] {
                    let answer = try call(deed)
                    #expect(answer["code"] == 1 && answer["description"]?.stringValue?.contains(name) == true)
                }
                #expect(try call("get_servers")["servers"]?[name] != nil)
            }
        }

        @Test("a Chronos job is an event, and an event is a job there")
        func both() async throws {
            try await onCluster { cluster in
                try cluster.put("chronos-side", command: "true")
                func call(_ path: String, _ body: String = "{}") throws -> JSONValue {
                    let answer = try TestHTTP.request(
                        "POST", try cluster.leaderNode().url + "/api/app/" + path,
                        headers: ["Content-Type": "application/json", "X-API-Key": cluster.key], body: body)
                    return try json(answer)
                }
                let event = try call("get_event", #"{"title": "chronos-side"}"#)["event"]
                #expect(event?["params"]?["script"]?.stringValue?.contains("true") == true)
                let id = try #require(event?["id"]?.stringValue)
                #expect(try call("update_event", "{\"id\": \"\(id)\", \"notes\": \"seen\"}")["code"] == 0)
                #expect(try cluster.job("chronos-side")?["command"] == "true")
                let made = try call("create_event", Self.event.replacingOccurrences(of: "ID", with: "cronicleside"))
                #expect(made["code"] == 0)
                #expect(try cluster.job("T cronicleside") != nil)
            }
        }
    }
}

extension EndToEnd {
    /// What the dialect tells the world outside.
    @Suite("Cronicle's letters and hooks", .serialized, .enabled(if: Sink.isPossible, "needs openssl and aiosmtpd"))
    struct CronicleNoticeTests {
        @Test("hooks get the job as Cronicle shows it, and a forgotten password is set anew by a letter")
        func notices() async throws {
            let process = try Sink()
            defer { process.end() }
            let (sink, arguments, hook) = (process.letters, process.nodeArguments, process.url + "/hook-later")
            try await Cluster.run(nodeArguments: arguments) { cluster in
                let base = try cluster.leaderNode().url
                func call(_ path: String, _ body: JSONValue) throws -> JSONValue {
                    let answer = try TestHTTP.request(
                        "POST", base + "/api/" + path,
                        headers: ["Content-Type": "application/json", "X-API-Key": cluster.key], body: body.text)
                    return try #require(answer.json, "\(answer.text)")
                }
                #expect(
                    try call(
                        "app/create_event",
                        [
                            "id": "hooked", "title": "Hooked", "enabled": 0, "category": "general",
                            "target": "allgrp", "plugin": "shellplug", "web_hook": .string(hook), "notes": "n",
                            "notify_fail": "ops@now.example", "params": ["script": "#!/bin/sh\nexit 4\n"],
                        ])["code"] == 0)
                #expect(try call("app/run_event", ["id": "hooked"])["code"] == 0)
                // Others are told too, and whoever did not take it is told again.
                try cluster.wait("both posts are there", within: 60) {
                    let actions = Set(try sink.posts().compactMap { $0.json?["action"]?.stringValue })
                    return actions.isSuperset(of: ["job_start", "job_complete"])
                }
                let posts = try sink.posts().compactMap(\.json)
                let start = try #require(posts.first { $0["action"] == "job_start" })
                let end = try #require(posts.first { $0["action"] == "job_complete" })
                for (key, value) in [
                    "event": "hooked", "event_title": "Hooked", "category": "general", "category_title": "General",
                    "plugin": "shellplug", "plugin_title": "Shell Script", "nice_target": "All Servers", "notes": "n",
                    "target": "allgrp", "timezone": "UTC", "source": "API Key (test)",
                ] as JSONObject {
                    #expect(start[key] == value && end[key] == value, "\(key): \(start.text) \(end.text)")
                }
                #expect(start["id"] == end["id"] && start["complete"] == nil && start["pending"] == nil)
                #expect(end["code"] == 4 && end["complete"] == 1 && end["time_end"]?.doubleValue != nil)
                #expect(end["description"] == "Script exited with code: 4")
                #expect(end["title"] == nil && end["timing"] == nil && end["api_key"] == nil)
                try cluster.wait("the letter is there") { try sink.mails().contains { $0.to == ["ops@now.example"] } }

                try cluster.makeUser("kim", password: "old word")
                #expect(
                    try call("user/forgot_password", ["username": "kim", "email": "kim@localhost"])["code"] == 0)
                try cluster.wait("the letter with the key is there") {
                    try sink.mails().contains { $0.to == ["kim@localhost"] }
                }
                let letter = try #require(try sink.mails().first { $0.to == ["kim@localhost"] })
                let key = try #require(
                    letter.text.components(separatedBy: CharacterSet.alphanumerics.inverted).first { $0.count == 64 })
                let reset: JSONValue = ["username": "kim", "new_password": "new word", "key": .string(key)]
                #expect(try call("user/reset_password", reset)["code"] == 0)
                #expect(try call("user/reset_password", reset)["code"] == "login")
                #expect(try call("user/login", ["username": "kim", "password": "old word"])["code"] == "login")
                #expect(try call("user/login", ["username": "kim", "password": "new word"])["code"] == 0)
            }
        }

        @Test("an occurrence that is refused is told by mail, hook and activity, and what follows a failure follows it")
        func refusals() async throws {
            let process = try Sink()
            defer { process.end() }
            let (sink, hook) = (process.letters, process.url + "/refused")
            try await Cluster.run(nodeArguments: process.nodeArguments) { cluster in
                let base = try cluster.leaderNode().url
                func call(_ path: String, _ body: JSONValue) throws -> JSONValue {
                    let answer = try TestHTTP.request(
                        "POST", base + "/api/app/" + path,
                        headers: ["Content-Type": "application/json", "X-API-Key": cluster.key], body: body.text)
                    return try #require(answer.json, "\(answer.text)")
                }
                func create(_ id: String, script: String, _ more: JSONObject = [:]) throws {
                    var event: JSONObject = [
                        "id": .string(id), "title": .string(id), "enabled": 1, "category": "general",
                        "target": "allgrp", "plugin": "shellplug", "params": ["script": .string(script)],
                    ]
                    for (key, value) in more { event[key] = value }
                    #expect(try call("create_event", .object(event))["code"] == 0)
                }
                try create("cleaner", script: "#!/bin/sh\nexit 0\n")
                try create(
                    "busy", script: "#!/bin/sh\nsleep 600\n",
                    [
                        "max_children": 1, "chain_error": "cleaner", "web_hook": .string(hook),
                        "notify_fail": "ops@now.example",
                    ])
                #expect(try call("run_event", ["id": "busy"])["code"] == 0)
                // A schedule of seconds, which the other dialect can say.
                var job = try #require(try cluster.job("busy")?.objectValue)
                job["schedule"] = "R/2020-01-01T00:00:00Z/PT5S"
                #expect(
                    try cluster.leaderRequest("POST", "/v1/scheduler/iso8601", body: JSONValue.object(job).text).status
                        == 204)
                let shown = try call("get_event", ["id": "busy"])["event"]
                #expect(shown?["schedule"] == "R/2020-01-01T00:00:00Z/PT5S" && shown?["max_children"] == 1)
                try cluster.wait("the hook is told", within: 60) {
                    try sink.posts().contains { $0.json?["action"] == "job_launch_failure" }
                }
                let told = try #require(try sink.posts().compactMap(\.json).first { $0["action"] != "job_start" })
                let reason = "Maximum of 1 job already running for event: busy"
                #expect(told["id"] == "busy" && told["code"] == 1 && told["title"] == "busy")
                #expect(told["description"]?.stringValue == reason)
                #expect(told["text"]?.stringValue?.hasPrefix("Failed to launch scheduled event: busy: ") == true)
                try cluster.wait("the letter is there") { try sink.mails().contains { $0.to == ["ops@now.example"] } }
                try cluster.wait("what follows has run") {
                    try call("get_event_history", ["id": "cleaner"])["list"]?["length"] != 0
                }
                try cluster.wait("the activity tells of it") {
                    try call("get_activity", [:])["rows"]?.arrayValue?.contains {
                        $0["action"] == "warning"
                            && $0["description"]?.stringValue == "Failed to launch scheduled event: busy: \(reason)"
                    } == true
                }
            }
        }
    }
}
