import Foundation
import JSON
import Testing

extension EndToEnd.Shared {
    /// The token by which a leader finds the write that a follower stored.
    @Suite("Stored writes", .serialized)
    struct ReplayTests {
        /// Where a follower sends a POST of a new job.
        private static func redirect(_ cluster: Cluster, _ name: String) throws -> String {
            let answer = try cluster.request(
                "POST", try cluster.follower().url + "/v1/scheduler/iso8601",
                body: #"{"name": "\#(name)", "command": "true", "schedule": "R0//PT1H"}"#)
            try #require(answer.status == 302)
            return try #require(answer.header("Location"))
        }

        private static func requireRefusal(_ answer: TestHTTP.Answer) {
            #expect(answer.status == 400)
            #expect(answer.json?["status"] == "Bad Request")
            #expect(answer.json?["message"]?.stringValue?.contains("send the original request again") == true)
        }

        @Test("a token is good for one request, whatever its method")
        func once() async throws {
            try await onCluster { cluster in
                let location = try Self.redirect(cluster, "replay-once")
                #expect(try cluster.job("replay-once") == nil)
                #expect(try cluster.request("GET", location).status == 204)
                #expect(try cluster.job("replay-once") != nil)
                for method in ["GET", "POST"] { Self.requireRefusal(try cluster.request(method, location)) }
            }
        }

        @Test("a token is bound to the key of the request, also to one that may do more")
        func otherKey() async throws {
            try await onCluster { cluster in
                let other = try cluster.carillon([
                    "key", "create", "--database-url", cluster.databaseURL, "--title", "other", "--privilege", "admin",
                ]).trimmingCharacters(in: .whitespacesAndNewlines)
                let location = try Self.redirect(cluster, "replay-key")
                Self.requireRefusal(try cluster.request("GET", location, headers: ["X-API-Key": other]))
                #expect(try cluster.job("replay-key") == nil)
                // The attempt has not taken it away from its owner.
                #expect(try cluster.request("GET", location).status == 204)
                #expect(try cluster.job("replay-key") != nil)
            }
        }

        @Test("a token runs out")
        func expired() async throws {
            try await onCluster { cluster in
                let location = try Self.redirect(cluster, "replay-expired")
                try cluster.query("UPDATE carillon.replays SET expires = now() - interval '1 second'")
                Self.requireRefusal(try cluster.request("GET", location))
                #expect(try cluster.job("replay-expired") == nil)
            }
        }

        @Test("a token that nobody gave out is refused")
        func unknown() async throws {
            try await onCluster { cluster in
                let leader = try cluster.leaderNode()
                let token = String(repeating: "A", count: 43)
                Self.requireRefusal(
                    try cluster.request("GET", leader.url + "/v1/scheduler/jobs?replay=\(token)"))
            }
        }

        @Test("a token that comes to a follower again leads to the leader and still works")
        func throughFollower() async throws {
            try await onCluster { cluster in
                let location = try Self.redirect(cluster, "replay-again")
                let leader = try cluster.leaderNode()
                let follower = try cluster.follower()
                let again = try cluster.request(
                    "GET", location.replacingOccurrences(of: leader.url, with: follower.url))
                #expect(again.status == 302)
                #expect(again.header("Location") == location)
                #expect(try cluster.request("GET", location).status == 204)
                #expect(try cluster.job("replay-again") != nil)
            }
        }

        @Test("a stored request tells no key, wherever it was, and is executed as its sender's", arguments: 0..<5)
        func keyIsNotStored(place: Int) async throws {
            try await onCluster { cluster in
                let key = cluster.key
                let name = "replay-secret-\(place)"
                var body = #"{"name": "\#(name)", "command": "true", "schedule": "R0//PT1H"}"#
                let basic = Data("me:\(key)".utf8).base64EncodedString()
                var headers: [String: String] = [:]
                var path = "/v1/scheduler/iso8601"
                switch place {
                case 0: headers["X-API-Key"] = key
                case 1: headers["Authorization"] = "Bearer \(key)"
                case 2: headers["Authorization"] = "Basic \(basic)"
                case 3: path += "?a=1&api_key=\(key)"
                default: body = body.dropLast() + #", "api_key": "\#(key)"}"#
                }
                try cluster.query("DELETE FROM carillon.replays")
                let answer = try TestHTTP.request(
                    "POST", try cluster.follower().url + path, headers: headers, body: body)
                try #require(answer.status == 302)
                let rows = try cluster.query(
                    "SELECT target || headers::text || convert_from(body, 'UTF8') FROM carillon.replays")
                let text = try #require(rows.first?.first ?? nil)
                #expect(text.contains(name))
                #expect(!text.contains(key) && !text.contains(basic))
                // The client has dropped everything: the token alone brings it back, with its sender's privileges.
                let location = try #require(answer.header("Location"))
                #expect(try TestHTTP.request("GET", location).status == 204)
                #expect(try cluster.job(name) != nil)
            }
        }

        @Test("nothing of a request without a valid key is stored")
        func withoutKey() async throws {
            try await onCluster { cluster in
                try cluster.query("DELETE FROM carillon.replays")
                let follower = try cluster.follower()
                for key in ["", "wrong", String(repeating: "x", count: 43)] {
                    let answer = try TestHTTP.request(
                        "POST", follower.url + "/v1/scheduler/iso8601", headers: ["X-API-Key": key],
                        body: #"{"name": "replay-nobody"}"#)
                    #expect(answer.status == 401)
                }
                #expect(try cluster.query("SELECT count(*) FROM carillon.replays") == [["0"]])
            }
        }
    }
}
