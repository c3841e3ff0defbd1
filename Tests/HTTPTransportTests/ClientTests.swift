import Glibc
import HTTP
import HTTPTransport
import Runtime
import Synchronization
import Testing

@Suite("Client")
struct ClientTests {
    private static func url(_ harness: Harness, _ path: String = "/a") -> String {
        "http://127.0.0.1:\(harness.port)\(path)"
    }

    private func withClient(
        handler: @escaping HTTPHandler = { .text("\($0.method) \($0.target)") },
        _ body: @escaping @Sendable (Harness, HTTPClient) async throws -> Void
    ) async throws {
        try await withServer(handler: handler) { harness in
            let client = HTTPClient(loop: harness.loop)
            do {
                try await harness.onLoop { try await body(harness, client) }
            } catch {
                client.close()
                throw error
            }
            client.close()
        }
    }

    @Test("methods, headers and bodies go there and back")
    func echo() async throws {
        let handler: HTTPHandler = { request in
            HTTPResponse(
                status: 202, headers: ["X-Method": request.method.rawValue, "X-Type": request.headers["X-A"] ?? "-"],
                body: .bytes(request.body))
        }
        try await withClient(handler: handler) { harness, client in
            for method in [HTTPMethod.post, .put, .delete, .patch, HTTPMethod("PURGE")] {
                let body: [UInt8] = [0, 1, 2, 255]
                let response = try await client.execute(
                    HTTPClientRequest(method: method, url: Self.url(harness), headers: ["X-A": "b"], body: body))
                #expect(response.status == 202)
                #expect(response.headers["x-method"] == method.rawValue && response.headers["x-type"] == "b")
                #expect(response.body == body)
            }
            let empty = try await client.execute(HTTPClientRequest(method: .post, url: Self.url(harness)))
            #expect(empty.body.isEmpty)
            let head = try await client.execute(HTTPClientRequest(method: .head, url: Self.url(harness)))
            #expect(head.headers["X-Method"] == "HEAD" && head.body.isEmpty)
        }
    }

    @Test("connections are reused")
    func reuse() async throws {
        try await withClient { harness, client in
            for _ in 0..<20 { _ = try await client.execute(HTTPClientRequest(url: Self.url(harness))) }
            #expect(harness.server.openConnections == 1)
        }
    }

    @Test("two hundred requests at once are all answered, each with its own answer")
    func concurrent() async throws {
        try await withClient { harness, client in
            let answers = try await withThrowingTaskGroup(of: (Int, String).self) { group in
                for number in 0..<200 {
                    group.addTask {
                        let request = HTTPClientRequest(url: Self.url(harness, "/\(number)"))
                        return (number, String(decoding: try await client.execute(request).body, as: UTF8.self))
                    }
                }
                return try await group.reduce(into: [Int: String]()) { $0[$1.0] = $1.1 }
            }
            #expect(answers.count == 200)
            #expect(answers.allSatisfy { $0.value == "GET /\($0.key)" })
        }
    }

    @Test("an answer that does not come in time is an error")
    func timeout() async throws {
        let gate = Gate()
        try await withClient(handler: { _ in
            await gate.wait()
            return .empty(status: 204)
        }) { harness, client in
            let request = HTTPClientRequest(url: Self.url(harness), timeout: .milliseconds(50))
            await Self.expect(.timeout) { try await client.execute(request) }
            await gate.open()
        }
    }

    @Test("an answer that is too long is an error, with and without a length")
    func tooLarge() async throws {
        let handler: HTTPHandler = { request in
            if request.path == "/known" { return .text(String(repeating: "x", count: 5000)) }
            return HTTPResponse(
                status: 200,
                body: .stream(
                    HTTPBodyStream { for _ in 0..<50 { try await $0.write(.init(repeating: 1, count: 100)) } }))
        }
        try await withClient(handler: handler) { harness, client in
            for path in ["/known", "/unknown"] {
                var request = HTTPClientRequest(url: Self.url(harness, path), maximumResponseBytes: 4999)
                await Self.expect(.tooLarge) { [request] in try await client.execute(request) }
                request.maximumResponseBytes = 5000
                let answer = try await client.execute(request)
                #expect(answer.body.count == 5000)
            }
        }
    }

    @Test("a refused connection is told apart from other errors")
    func refused() async throws {
        try await withClient { harness, client in
            await Self.expect(.connect) {
                try await client.execute(HTTPClientRequest(url: "http://127.0.0.1:1/"))
            }
            await Self.expect(.connect) {
                try await client.execute(HTTPClientRequest(url: "http://no.such.host.invalid/"))
            }
            await Self.expect(.connect) {
                try await client.execute(
                    HTTPClientRequest(url: "http://localhost/", unixSocket: "/nonexistent/socket"))
            }
        }
    }

    @Test("requests that cannot be sent are refused with a reason")
    func malformed() async throws {
        try await withClient { harness, client in
            let good = HTTPClientRequest(url: Self.url(harness))
            var bad: [HTTPClientRequest] = []
            for url in ["ftp://127.0.0.1/", "file:///etc/passwd", "127.0.0.1", "http://a b/", "http://a/\r\nX: y"] {
                bad.append(HTTPClientRequest(url: url))
            }
            var split = good
            split.headers.add("X", "a\r\nY: b")
            bad.append(split)
            var name = good
            name.headers.add("X Y", "a")
            bad.append(name)
            bad.append(HTTPClientRequest(method: HTTPMethod("GET /x"), url: good.url))
            for request in bad {
                await Self.expect(.other) { try await client.execute(request) }
            }
        }
    }

    @Test("errors name the target without query and password")
    func redaction() async throws {
        try await withClient { _, client in
            do {
                _ = try await client.execute(HTTPClientRequest(url: "http://user:pw@127.0.0.1:1/p?key=secret"))
                Issue.record("nobody listens there")
            } catch {
                #expect("\(error)".contains("http://127.0.0.1:1/p"))
                #expect(!"\(error)".contains("secret") && !"\(error)".contains("pw@"))
            }
        }
    }

    @Test("cancelling the task aborts the transfer and closes its connection")
    func cancellation() async throws {
        let started = Gate()
        let never = Gate()
        try await withClient(handler: { _ in
            await started.open()
            await never.wait()
            return .empty(status: 204)
        }) { harness, client in
            let failed = Gate()
            let task = harness.loop.start("request") {
                do {
                    _ = try await client.execute(HTTPClientRequest(url: Self.url(harness)))
                } catch {
                    #expect(error is CancellationError)
                    await failed.open()
                }
            }
            await started.wait()
            task.cancel()
            await task.value
            await failed.wait()
            await never.open()
        }
    }

    @Test("a closed client fails what is under way and what comes later")
    func closing() async throws {
        let started = Gate()
        let never = Gate()
        try await withClient(handler: { _ in
            await started.open()
            await never.wait()
            return .empty(status: 204)
        }) { harness, client in
            async let pending: Void = Self.expect(.other) {
                try await client.execute(HTTPClientRequest(url: Self.url(harness)))
            }
            await started.wait()
            client.close()
            await pending
            await Self.expect(.other) { try await client.execute(HTTPClientRequest(url: Self.url(harness))) }
            await never.open()
        }
    }

    @Test("redirects are followed only when asked")
    func redirects() async throws {
        let handler: HTTPHandler = { request in
            guard request.path == "/a" else { return .text("there") }
            return HTTPResponse(status: 302, headers: ["Location": "/b"])
        }
        try await withClient(handler: handler) { harness, client in
            var request = HTTPClientRequest(url: Self.url(harness))
            let redirect = try await client.execute(request)
            #expect(redirect.status == 302)
            request.followRedirects = true
            let followed = try await client.execute(request)
            #expect(followed.status == 200 && followed.headers["Location"] == nil)
        }
    }

    @Test("a POST that is redirected becomes a GET, as browsers have it")
    func redirectedPost() async throws {
        let handler: HTTPHandler = { request in
            guard request.path == "/a" else { return .text("\(request.method) \(request.body.count)") }
            return HTTPResponse(status: 302, headers: ["Location": "/b"])
        }
        try await withClient(handler: handler) { harness, client in
            let request = HTTPClientRequest(
                method: .post, url: Self.url(harness), body: [1, 2, 3], followRedirects: true)
            let answer = try await client.execute(request)
            #expect(answer.body == Array("GET 0".utf8))
        }
    }

    @Test("the path and query are sent as they stand")
    func target() async throws {
        try await withClient(handler: { .text($0.target) }) { harness, client in
            for target in ["/a/../b/./c", "/a%20b?x=%2F&y", "//x", "/?"] {
                let answer = try await client.execute(HTTPClientRequest(url: Self.url(harness, target)))
                #expect(String(decoding: answer.body, as: UTF8.self) == target)
            }
        }
    }

    @Test("HEAD of something larger than the limit is no error")
    func largeHead() async throws {
        try await withClient(handler: { _ in .text(String(repeating: "x", count: 5000)) }) { harness, client in
            let request = HTTPClientRequest(method: .head, url: Self.url(harness), maximumResponseBytes: 10)
            let answer = try await client.execute(request)
            #expect(answer.status == 200 && answer.headers["Content-Length"] == "5000" && answer.body.isEmpty)
        }
    }

    @Test("a connection that the server has closed meanwhile is replaced")
    func staleConnection() async throws {
        let handler: HTTPHandler = { request in
            HTTPResponse(status: 200, headers: request.path == "/last" ? ["Connection": "close"] : [:])
        }
        try await withClient(handler: handler) { harness, client in
            for path in ["/a", "/last", "/a", "/last", "/a"] {
                let answer = try await client.execute(HTTPClientRequest(url: Self.url(harness, path)))
                #expect(answer.status == 200)
            }
        }
    }

    @Test("a unix socket takes the place of host and port")
    func unixSocket() async throws {
        let path = "/tmp/carillon-test-\(getpid()).sock"
        let listener = try UnixListener(path: path)
        try await withClient { harness, client in
            async let request = harness.blocking {
                try listener.answerOnce("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            }
            let answer = try await client.execute(
                HTTPClientRequest(url: "http://worker/info?x=1", unixSocket: path))
            #expect(answer.body == Array("ok".utf8))
            #expect(try await request.hasPrefix("GET /info?x=1 HTTP/1.1\r\nHost: worker\r\n"))
        }
    }

    @Test("addresses can be refused, after the name was resolved")
    func addresses() async throws {
        try await withClient { harness, client in
            let asked = Mutex<[String]>([])
            var request = HTTPClientRequest(url: "http://localhost:\(harness.port)/")
            request.permitsAddress = { address in
                asked.withLock { $0.append(address) }
                return false
            }
            await Self.expect(.addressRefused) { [request] in try await client.execute(request) }
            #expect(asked.withLock { $0.allSatisfy { $0 == "127.0.0.1" || $0 == "::1" } && !$0.isEmpty })
            request.permitsAddress = { _ in true }
            let answer = try await client.execute(request)
            #expect(answer.status == 200)
        }
    }

    private static func expect(
        _ code: HTTPClientError.Code, sourceLocation: SourceLocation = #_sourceLocation,
        _ body: @Sendable () async throws -> HTTPClientResponse
    ) async {
        do {
            _ = try await body()
            Issue.record("no error was thrown", sourceLocation: sourceLocation)
        } catch {
            #expect((error as? HTTPClientError)?.code == code, "\(error)", sourceLocation: sourceLocation)
        }
    }
}
