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
