import HTTP
import HTTPTransport
import Testing

@Suite("Server")
struct ServerTests {
    private static let get = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n"

    @Test("one connection serves several requests")
    func keepAlive() async throws {
        try await withServer { harness in
            let answers = try await harness.blocking {
                let client = try RawClient(port: harness.port)
                return try (0..<3).map { _ in
                    try client.send(Self.get)
                    return try client.receiveAnswer()
                }
            }
            #expect(answers.map(\.status) == [200, 200, 200])
            #expect(answers.allSatisfy { $0.body == "GET /a" && $0.headers["connection"] == nil })
            #expect(answers.allSatisfy { $0.headers["server"] == nil })
        }
    }

    @Test("pipelined requests are answered in order, also when the first is slow")
    func pipelining() async throws {
        let gate = Gate()
        let handler: HTTPHandler = { request in
            if request.path == "/slow" { await gate.wait() }
            if request.path == "/opens" { await gate.open() }
            return .text(request.path)
        }
        try await withServer(handler: handler) { harness in
            let bodies = try await harness.blocking {
                let client = try RawClient(port: harness.port)
                let paths = ["/slow", "/fast", "/c", "/d"]
                try client.send(paths.map { "GET \($0) HTTP/1.1\r\nHost: x\r\n\r\n" }.joined())
                // Another connection lets the slow one go on: the loop is not held up by it.
                let other = try RawClient(port: harness.port)
                try other.send("GET /opens HTTP/1.1\r\nHost: x\r\n\r\n")
                _ = try other.receiveAnswer()
                return try paths.map { _ in try client.receiveAnswer().body }
            }
            #expect(bodies == ["/slow", "/fast", "/c", "/d"])
        }
    }

    @Test("many pipelined requests in one write are all answered")
    func deepPipeline() async throws {
        try await withServer { harness in
            let count = try await harness.blocking {
                let client = try RawClient(port: harness.port)
                try client.send(String(repeating: Self.get, count: 2000))
                return try (0..<2000).reduce(0) { sum, _ in sum + (try client.receiveAnswer().status == 200 ? 1 : 0) }
            }
            #expect(count == 2000)
        }
    }

    @Test("a request may come byte by byte")
    func splitWrites() async throws {
        try await withServer(handler: { .text(String(decoding: $0.body, as: UTF8.self)) }) { harness in
            let answer = try await harness.blocking {
                let client = try RawClient(port: harness.port)
                let request =
                    "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
                for character in request { try client.send(String(character)) }
                return try client.receiveAnswer()
            }
            #expect(answer.body == "abcde")
        }
    }

    @Test("bodies come by length and by chunks, on one connection")
    func bodies() async throws {
        try await withServer(handler: { .text("\($0.body.count)") }) { harness in
            let sizes = try await harness.blocking {
                let client = try RawClient(port: harness.port)
                let large = String(repeating: "x", count: 300_000)
                try client.send("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n\r\n\(large)")
                let first = try client.receiveAnswer().body
                try client.send(
                    "PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n493e0\r\n\(large)\r\n0\r\n\r\n")
                return [first, try client.receiveAnswer().body]
            }
            #expect(sizes == ["300000", "300000"])
        }
    }

    @Test("HEAD has the header of GET and no body")
    func head() async throws {
        try await withServer { harness in
            let (head, next) = try await harness.blocking {
                let client = try RawClient(port: harness.port)
                try client.send("HEAD /abc HTTP/1.1\r\nHost: x\r\n\r\n" + Self.get)
                return (try client.receiveAnswer(toHead: true), try client.receiveAnswer())
            }
            #expect(head.headers["content-length"] == "9")
            #expect(next.body == "GET /a")
        }
    }

    @Test("100 Continue is sent to a client that waits for it, and only to such a one")
    func expectContinue() async throws {
        try await withServer(handler: { .text(String(decoding: $0.body, as: UTF8.self)) }) { harness in
            let (interim, answer, eager) = try await harness.blocking {
                let client = try RawClient(port: harness.port)
                let head = "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"
                try client.send(head)
                let interim = try client.receive(through: "\r\n\r\n")
                try client.send("abc")
                let answer = try client.receiveAnswer()
                try client.send(head + "def")
                return (interim, answer, try client.receiveAnswer())
            }
            #expect(interim == "HTTP/1.1 100 Continue\r\n\r\n")
            #expect(answer.body == "abc")
            #expect(eager.status == 200 && eager.body == "def")
        }
    }

    @Test("HTTP/1.0 closes after the answer unless keep-alive is asked for")
    func oldVersion() async throws {
        try await withServer { harness in
            let (closed, kept) = try await harness.blocking {
                let plain = try RawClient(port: harness.port)
                try plain.send("GET /a HTTP/1.0\r\n\r\n")
                let closed = try plain.receiveAll()
                let client = try RawClient(port: harness.port)
                try client.send("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
                let first = try client.receiveAnswer()
                try client.send("GET /b HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
                return (closed, [first, try client.receiveAnswer()])
            }
            #expect(closed.hasPrefix("HTTP/1.1 200 OK\r\n") && closed.hasSuffix("\r\n\r\nGET /a"))
            #expect(kept.map(\.body) == ["GET /a", "GET /b"])
            #expect(kept[0].headers["connection"] == "keep-alive")
        }
    }

    @Test("Connection: close is honoured from either side")
    func close() async throws {
        let handler: HTTPHandler = { request in
            var response = HTTPResponse.text(request.path)
            if request.path == "/last" { response.headers["Connection"] = "close" }
            return response
        }
        try await withServer(handler: handler) { harness in
            let texts = try await harness.blocking {
                try [
                    "GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" + Self.get,
                    "GET /last HTTP/1.1\r\nHost: x\r\n\r\n" + Self.get,
                ].map { request in
                    let client = try RawClient(port: harness.port)
                    try client.send(request)
                    return try client.receiveAll()
                }
            }
            #expect(texts[0].hasSuffix("\r\n\r\n/a") && texts[0].contains("Connection: close\r\n"))
            #expect(texts[1].hasSuffix("\r\n\r\n/last") && texts[1].contains("Connection: close\r\n"))
        }
    }

    @Test("a client that has ended its side still gets its answer")
    func halfClose() async throws {
        let gate = Gate()
        let handler: HTTPHandler = { _ in
            await gate.wait()
            return .text("late")
        }
        try await withServer(handler: handler) { harness in
            let client = try await harness.blocking {
                let client = Unshared(try RawClient(port: harness.port))
                try client.value.send(Self.get)
                client.value.finishSending()
                return client
            }
            await gate.open()
            let text = try await harness.blocking { try client.value.receiveAll() }
            #expect(text.hasSuffix("late"))
        }
    }

    @Test(
        "what the parser refuses is answered as JSON, and the connection is closed",
        arguments: [
            ("GET / HTTP/1.1\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400),
            ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n", 413),
            ("GET /\(String(repeating: "a", count: 9000)) HTTP/1.1\r\nHost: x\r\n\r\n", 414),
            ("GET / HTTP/1.1\r\nHost: x\r\nA: \(String(repeating: "a", count: 40_000))\r\n\r\n", 431),
            ("GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505),
        ])
    func refusals(request: String, status: Int) async throws {
        try await withServer { harness in
            let text = try await harness.blocking {
                let client = try RawClient(port: harness.port)
                // What follows must neither be answered nor take the answer away by a reset.
                try client.send(request + String(repeating: Self.get, count: 100))
                return try client.receiveAll()
            }
            #expect(text.hasPrefix("HTTP/1.1 \(status) "))
            #expect(text.contains("Connection: close\r\n"))
            #expect(
                text.contains("\"message\":\"")
                    && text.hasSuffix("\"status\":\"\(HTTPResponseEncoder.reason(for: status))\"}"))
        }
    }

    @Test("an answer that cannot be sent becomes a 500")
    func unsendable() async throws {
        try await withServer(handler: { _ in
            HTTPResponse(status: 200, headers: ["X": "a\r\nSet-Cookie: b"], body: .bytes([65]))
        }) { harness in
            let text = try await harness.blocking {
                let client = try RawClient(port: harness.port)
                try client.send(Self.get)
                return try client.receiveAll()
            }
            #expect(text.hasPrefix("HTTP/1.1 500 ") && !text.contains("Set-Cookie"))
        }
    }

    @Test("an answer of many megabytes arrives whole")
    func largeAnswer() async throws {
        let bytes = [UInt8](repeating: UInt8(ascii: "z"), count: 6 << 20)
        try await withServer(handler: { _ in HTTPResponse(status: 200, body: .bytes(bytes)) }) { harness in
            let count = try await harness.blocking {
                let client = try RawClient(port: harness.port)
                try client.send(Self.get + Self.get)
                let first = try client.receiveAnswer().body.utf8.count
                return first + (try client.receiveAnswer().body.utf8.count)
            }
            #expect(count == 2 * bytes.count)
        }
    }

    @Test("names are resolved, and all addresses share the port")
    func names() async throws {
        try await withServer({ $0.host = "localhost" }) { harness in
            let answer = try await harness.blocking {
                let client = try RawClient(port: harness.port)
                try client.send(Self.get)
                return try client.receiveAnswer()
            }
            #expect(answer.status == 200)
        }
    }

    @Test("on all addresses, IPv4 clients keep their own form of address", arguments: ["*", "", "::", "0.0.0.0"])
    func allAddresses(host: String) async throws {
        // A machine without IPv6 has no "::".
        if host == "::", (try? await withServer({ $0.host = host }) { _ in }) == nil { return }
        try await withServer({ $0.host = host }, handler: { .text($0.remoteAddress) }) { harness in
            let answer = try await harness.blocking {
                let client = try RawClient(port: harness.port)
                try client.send(Self.get)
                return try client.receiveAnswer()
            }
            #expect(answer.body == "127.0.0.1")
        }
    }

    @Test("a port in use and an unknown host are errors that say what to do")
    func cannotListen() async throws {
        try await withServer { harness in
            await #expect {
                try await withServer({ $0.port = harness.port }) { _ in }
            } throws: {
                "\($0)".contains("another process listens there")
            }
            await #expect {
                try await withServer({ $0.host = "no.such.host.invalid" }) { _ in }
            } throws: {
                "\($0)".contains("no.such.host.invalid")
            }
        }
    }
}

/// Hands a value from one closure to the next, which never use it at the same time.
struct Unshared<Value>: @unchecked Sendable {
    let value: Value

    init(_ value: Value) { self.value = value }
}
