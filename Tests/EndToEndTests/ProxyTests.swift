import Foundation
import JSON
import Testing

extension EndToEnd.Shared {
    /// A follower that forwards, for clients that follow no redirect.
    @Suite("A follower that forwards", .serialized)
    struct ProxyTests {
        @Test("each call works without following anything")
        func calls() async throws {
            try await onCluster { cluster in
                let proxy = try cluster.proxy()
                func call(_ method: String, _ path: String, _ body: String? = nil) throws -> TestHTTP.Answer {
                    try cluster.request(method, proxy.url + "/v1/scheduler/" + path, body: body)
                }
                #expect(
                    try call("POST", "iso8601", #"{"name": "proxied", "command": "true", "schedule": "R0//PT1H"}"#)
                        .status
                        == 204)
                #expect(
                    try call(
                        "POST", "dependency", #"{"name": "proxied-child", "command": "true", "parents": ["proxied"]}"#
                    )
                    .status == 204)
                let list = try call("GET", "jobs")
                #expect(list.status == 200)
                #expect(list.header("Content-Type") == "application/json")
                #expect(list.json?.arrayValue?.contains { $0["name"] == "proxied-child" } == true)
                #expect(try call("GET", "job/proxied").json?["name"] == "proxied")
                #expect(try call("PUT", "job/proxied?arguments=-debug").status == 204)
                try cluster.waitForRun(of: "proxied", "succeeded")
                #expect(try call("DELETE", "task/kill/proxied").status == 204)
                #expect(try call("DELETE", "job/proxied-child").status == 204)
                #expect(try cluster.job("proxied-child") == nil)
            }
        }

        @Test("bodies of errors come through, which Chronos' own proxy loses")
        func errors() async throws {
            try await onCluster { cluster in
                let proxy = try cluster.proxy()
                let bad = #"{"name": "proxied-bad", "schedule": "R/x/PT1S"}"#
                let leader = try cluster.leaderRequest("POST", "/v1/scheduler/iso8601", body: bad)
                let forwarded = try cluster.request("POST", proxy.url + "/v1/scheduler/iso8601", body: bad)
                #expect(forwarded.status == 400)
                #expect(forwarded.json == leader.json)
                #expect(forwarded.json?["message"]?.stringValue?.isEmpty == false)
                let unknown = try cluster.request("DELETE", proxy.url + "/v1/scheduler/job/nobody-knows-it")
                #expect(unknown.status == 400)
                #expect(unknown.json?["message"]?.stringValue?.contains("not found") == true)
                let challenge = try TestHTTP.request("GET", proxy.url + "/v1/scheduler/jobs")
                #expect(challenge.status == 401)
                #expect(challenge.header("WWW-Authenticate")?.hasPrefix("Basic") == true)
            }
        }

        @Test("HTTP Basic is forwarded, and curl needs no -L")
        func basic() async throws {
            try await onCluster { cluster in
                let answer = try cluster.curl(
                    #"curl -u "anyone:$KEY" chronos-node:8080/v1/scheduler/jobs"#, at: try cluster.proxy(),
                    withKey: false)
                #expect(answer.status == 200)
                #expect(answer.redirects == 0)
                #expect(answer.json?.arrayValue != nil)
            }
        }
    }
}
