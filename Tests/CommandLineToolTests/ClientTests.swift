import HTTP
import HTTPTransport
import JSON
import Runtime
import Synchronization
import Testing

@testable import CommandLineTool

@Suite("The API client")
struct ClientTests {
    /// What a server of the test has been asked.
    final class Seen: Sendable {
        struct Request: Equatable {
            var method: String
            var target: String
            var body: String
            var key: String?
        }
        private let requests = Mutex<[Request]>([])

        func add(_ request: HTTPRequest) {
            let seen = Request(
                method: request.method.rawValue, target: request.target,
                body: String(decoding: request.body, as: UTF8.self), key: request.headers["X-API-Key"])
            requests.withLock { $0.append(seen) }
        }

        var all: [Request] { requests.withLock { $0 } }
    }

    /// Runs a body with a server and a client of it on one loop.
    static func withServer<T: Sendable>(
        patience: Duration = .seconds(5), _ handler: @escaping @Sendable (HTTPRequest) async -> HTTPResponse,
        _ body: @escaping @Sendable (APIClient) async throws -> T
    ) throws -> T {
        let loop = try EventLoop()
        return try loop.runUntilComplete {
            var configuration = HTTPServerConfiguration()
            configuration.host = "127.0.0.1"
            configuration.port = 0
            let server = HTTPServer(configuration, loop: loop, log: Log("test"), handler: handler)
            let port = try await server.start()
            let http = HTTPClient(loop: loop)
            var client = APIClient(url: "http://127.0.0.1:\(port)/", key: "secret", http: http, timekeeper: loop)
            client.patience = patience
            let result = try await body(client)
            http.close()
            await server.drain(deadline: .seconds(1))
            return result
        }
    }

    // MARK: Health

    @Test("health asks the port that a server listens on, whatever its address is called")
    func healthURL() throws {
        let cases = [
            ("0.0.0.0:8080", "127.0.0.1:8080"), ("*:1", "127.0.0.1:1"), (":80", "127.0.0.1:80"),
            ("127.0.0.5:8080", "127.0.0.5:8080"), ("[::]:8080", "[::1]:8080"), ("[fd00::2]:9", "[fd00::2]:9"),
            ("node-1:8080", "node-1:8080"),
        ]
        for (listen, reached) in cases {
            #expect(try HealthCommand.ownURL(listen) == "http://\(reached)/ping")
        }
        #expect(try HealthCommand.ownURL("0.0.0.0:1", advertised: "https://n:1") == "https://n:1/ping")
        #expect(try HealthCommand.ownURL("0.0.0.0:1", advertised: "http://n:1") == "http://127.0.0.1:1/ping")
        #expect(throws: UsageError.self) { try HealthCommand.ownURL(nil) }
        #expect(throws: UsageError.self) { try HealthCommand.ownURL("8080") }
    }

    @Test("a redirect repeats method, body and key at the leader")
    func redirect() throws {
        let seen = Seen()
        let answer = try Self.withServer { request in
            seen.add(request)
            if request.path.hasPrefix("/v1/") {
                let host = request.headers["Host"] ?? ""
                var response = HTTPResponse.empty(status: 302)
                response.headers["Location"] = "http://\(host)/leader\(request.target)?replay=x"
                return response
            }
            return .json(["ok": true])
        } _: { client in
            try await client.json(.put, "/v1/job/a%20b", body: Array("{}".utf8))
        }
        #expect(answer["ok"] == true)
        #expect(
            seen.all == [
                .init(method: "PUT", target: "/v1/job/a%20b", body: "{}", key: "secret"),
                .init(method: "PUT", target: "/leader/v1/job/a%20b?replay=x", body: "{}", key: "secret"),
            ])
    }

    @Test("redirects in a circle end with an error")
    func circle() throws {
        let seen = Seen()
        #expect(throws: APIClient.Failure.self) {
            try Self.withServer { request in
                seen.add(request)
                var response = HTTPResponse.empty(status: 302)
                response.headers["Location"] = "http://\(request.headers["Host"] ?? "")/"
                return response
            } _: { client in
                try await client.send(.get, "/")
            }
        }
        #expect(seen.all.count == APIClient.mostRedirects + 1)
    }

    @Test("while nobody leads the request is repeated")
    func noLeader() throws {
        let seen = Seen()
        let answer = try Self.withServer { request in
            seen.add(request)
            guard seen.all.count < 3 else { return .json(["leader": "a:1"]) }
            var response = HTTPResponse.empty(status: 503)
            response.headers["Retry-After"] = "0"
            return response
        } _: { client in
            try await client.json(.get, "/leader")
        }
        #expect(answer["leader"] == "a:1")
        #expect(seen.all.count == 3)
    }

    @Test("a cluster that stays without a leader is an error, and so is any other refusal")
    func failures() throws {
        func failure(_ status: Int, _ text: String, retryAfter: String? = nil) -> APIClient.Failure? {
            #expect(throws: APIClient.Failure.self) {
                try Self.withServer(patience: .zero) { _ in
                    var response = HTTPResponse.text(text, status: status)
                    if let retryAfter { response.headers["Retry-After"] = retryAfter }
                    return response
                } _: { client in
                    try await client.send(.delete, "/v1/scheduler/job/x?a=b")
                }
            }
        }
        let path = "DELETE /v1/scheduler/job/x"
        #expect(failure(503, "", retryAfter: "1")?.message.hasPrefix("\(path): status 503: the cluster has no") == true)
        #expect(
            failure(400, "{\"message\":\"no such job\",\"status\":\"Bad Request\"}")?.message
                == "\(path): status 400: no such job")
        #expect(failure(500, "plain\u{1b}[2J")?.message == "\(path): status 500: plain\\u{1b}[2J")
        #expect(failure(401, "")?.message == "\(path): status 401: A key is given by --key or CARILLON_API_KEY")
        #expect(failure(404, "")?.status == 404)
    }

    @Test("nobody listening is an error that says where it looked")
    func nobody() throws {
        let error = #expect(throws: APIClient.Failure.self) {
            let loop = try EventLoop()
            try loop.runUntilComplete {
                let http = HTTPClient(loop: loop)
                defer { http.close() }
                let client = APIClient(url: "http://127.0.0.1:1", key: nil, http: http, timekeeper: loop)
                _ = try await client.send(.get, "/")
            }
        }
        #expect(error?.status == nil)
        #expect(error?.message.contains("Is a node running there?") == true)
    }

    @Test("another node is asked when one is gone, and what may have been executed is repeated only where it is safe")
    func otherNodes() throws {
        let seen = Seen()
        try Self.withServer { request in
            seen.add(request)
            return .json(["ok": true])
        } _: { client in
            var several = APIClient(
                url: "http://127.0.0.1:1, \(client.urls[0])", key: nil, http: client.http,
                timekeeper: client.timekeeper)
            several.patience = .seconds(5)
            // Never sent to the first one: any request may go to the next.
            _ = try await several.send(.post, "/a", body: [])
        }
        #expect(seen.all.map(\.method) == ["POST"])

        // A follower leads to a leader that is gone: it is asked again until it knows of the next one.
        let moved = Seen()
        try Self.withServer { request in
            moved.add(request)
            guard moved.all.count < 3 else { return .json(["ok": true]) }
            var response = HTTPResponse.empty(status: 302)
            response.headers["Location"] = "http://127.0.0.1:1/"
            return response
        } _: { client in
            _ = try await client.send(.post, "/b", body: [])
        }
        #expect(moved.all.count == 3)
    }

    @Test("an answer that is not JSON is an error where JSON is wanted")
    func notJSON() throws {
        #expect(throws: APIClient.Failure.self) {
            try Self.withServer { _ in
                .text("<html>", status: 200)
            } _: {
                try await $0.json(.get, "/")
            }
        }
    }

    @Test("names are encoded in targets")
    func targets() {
        #expect(ManagementRoute.worker("a/b c", "drain") == "/carillon/v1/workers/a%2Fb%20c/drain")
        #expect(ManagementRoute.runs(job: nil, limit: 5) == "/carillon/v1/runs?limit=5")
        #expect(ManagementRoute.runs(job: "a&b", limit: 5) == "/carillon/v1/runs?limit=5&job=a%26b")
        #expect(ManagementRoute.ledger(from: nil, to: nil, job: nil) == "/carillon/v1/ledger")
        #expect(ManagementRoute.ledger(from: "x", to: nil, job: "j") == "/carillon/v1/ledger?from=x&job=j")
    }

    @Test("a file of jobs is one job or a list of jobs, and anything else is refused")
    func definitions() throws {
        #expect(try JobCommands.definitions(text: "{\"name\":\"a\"}", path: "f").count == 1)
        #expect(try JobCommands.definitions(text: "[{\"name\":\"a\"},{\"name\":\"b\"}]", path: "f").count == 2)
        for text in ["", "[]", "1", "{\"nome\":\"a\"}", "[{\"name\":\"a\"},1]", "{\"name\":1}"] {
            #expect(throws: UsageError.self) { try JobCommands.definitions(text: text, path: "f") }
        }
        #expect(throws: UsageError.self) { try JobCommands.definitions(in: "/nonexistent/file") }
    }

    @Test("every command can be asked for help, and names are unique")
    func commands() throws {
        let program = CarillonProgram.program
        #expect(Set(program.commands.map(\.name)).count == program.commands.count)
        for command in program.commands {
            let invocation = try program.parse(command.path + ["--help"], environment: [:]) { _ in "" }
            guard case .show(let text) = invocation else {
                Issue.record("no help for \(command.name)")
                continue
            }
            #expect(text.hasPrefix("usage: carillon \(command.name)"))
        }
    }
}

@Suite("Tables")
struct TableTests {
    @Test("columns are as wide as their widest cell, without blanks at the end")
    func alignment() {
        var table = Table(["NAME", "N", "NOTE"], rightAligned: [1])
        table.add(["long-name", "5", ""])
        table.add(["é", "12", "x"])
        #expect(table.text == "NAME        N  NOTE\nlong-name   5\né          12  x")
    }

    @Test("control characters and marks of direction cannot reach the terminal")
    func controls() {
        var table = Table([], rightAligned: [])
        table.add(["a\u{1b}[31m\nb", "\u{202e}x\u{9b}"])
        #expect(table.text == "a\\u{1b}[31m\\nb  \\u{202e}x\\u{9b}")
    }

    @Test("jobs are listed by name, with their last outcome and what they wait for")
    func jobs() throws {
        let jobs = try JSONValue(
            parsing: Array(
                """
                [{"name":"b","lastSuccess":"2026-01-02T00:00:00.000Z","lastError":"2026-01-01T00:00:00.000Z",
                "successCount":12,"errorCount":1,"disabled":true,"schedule":"R/2026/P1D"},
                {"name":"a","lastSuccess":"","lastError":"2026-01-01T00:00:00.000Z","parents":["y","x"]},
                {"name":"c"}]
                """.utf8))
        #expect(
            JobCommands.table(jobs).text == """
                NAME  LAST     SUCCEEDED  FAILED  ENABLED  WHEN
                a     failure          -       -  yes      after x, y
                b     success         12       1  no       R/2026/P1D
                c     fresh            -       -  yes      -
                """)
    }

    @Test("shapes with missing values are shown with dashes")
    func missing() throws {
        let workers = ManagementTable.workers([
            "workers": [["name": "w", "cpus": 4.0, "used_cpus": 0.30000000000000004, "running": 2]]
        ])
        #expect(workers.text.hasSuffix("w     -            2  0.3/4        -/-  -         -    -"))
        let run = try JSONValue(
            parsing: Array(
                """
                {"id":"r1","job":"j","state":"failed","attempts":[{"number":0,"state":"failed","worker":"w",
                "exit_code":3,"signal":null,"reason":"exit 3","output_tail":"one\\n\\u001btwo\\n"},
                {"number":1,"state":"succeeded","worker":"w","reason":"","output_tail":"","log_bytes":512,"survivors":2,
                "cpu":{"min":1,"max":90.04,"total":200,"count":4,"current":2},
                "mem":{"min":1,"max":3145728,"total":4194304,"count":2,"current":2}}]}
                """.utf8))
        #expect(
            ManagementTable.run(run).contains(
                "\ntry 0: failed on w, exit status 3: exit 3\n  | one\n  | \\u{1b}two"))
        #expect(
            ManagementTable.run(run).hasSuffix(
                "  cpu 50 %, at most 90 %; memory 2 MB, at most 3 MB; log 512 bytes;"
                    + " 2 processes were still alive after KILL"))
        #expect(ManagementTable.runs(["runs": []]).isEmpty)
        #expect(ManagementTable.ledger(["entries": [["job": "j", "count": 3]]]).text.contains("j    -            3"))
    }
}
