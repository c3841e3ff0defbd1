import Glibc
import HTTP
import HTTPTransport
import Runtime
import Testing

@Suite("Server limits")
struct ServerLimitTests {
    private static let get = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n"

    @Test("a header that trickles in is cut off at the deadline, however many bytes come")
    func slowHeader() async throws {
        try await withServer({ $0.headerDeadline = .milliseconds(150) }) { harness in
            let (sent, text) = try await harness.blocking {
                let client = try RawClient(port: harness.port)
                try client.send("GET / HTTP/1.1\r\nHost: x\r\nX: ")
                let sent = try client.trickle("a", times: 1000)
                return (sent, try client.receiveAll())
            }
            #expect(sent > 1 && sent < 1000)
            #expect(text.hasPrefix("HTTP/1.1 408 ") && text.hasSuffix("\"status\":\"Request Timeout\"}"))
        }
    }

    @Test("a body slower than the least rate is cut off, a steady one is not")
    func slowBody() async throws {
        let configure: (inout HTTPServerConfiguration) -> Void = {
            $0.bodyWindow = .milliseconds(300)
            $0.minimumRate = 1000
        }
        try await withServer(configure, handler: { .text("\($0.body.count)") }) { harness in
            let (slow, steady) = try await harness.blocking {
                let client = try RawClient(port: harness.port)
                try client.send("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n")
                _ = try client.trickle("a", times: 1000)
                let slow = try client.receiveAll()
                let other = try RawClient(port: harness.port)
                // Several windows long, at some ten times the least rate.
                try other.send("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 30000\r\n\r\n")
                _ = try other.trickle(String(repeating: "a", count: 200), times: 150)
                return (slow, try other.receiveAnswer())
            }
            #expect(slow.hasPrefix("HTTP/1.1 408 "))
            #expect(steady.status == 200 && steady.body == "30000")
        }
    }

    @Test("a connection without requests is closed without a word")
    func idle() async throws {
        try await withServer({ $0.idleDeadline = .milliseconds(80) }) { harness in
            let (fresh, used) = try await harness.blocking {
                let fresh = try RawClient(port: harness.port)
                let used = try RawClient(port: harness.port)
                try used.send(Self.get)
                _ = try used.receiveAnswer()
                return (try fresh.receiveAll(), try used.receiveAll())
            }
            #expect(fresh.isEmpty && used.isEmpty)
        }
    }

    @Test("a slow handler is not cut off by the idle deadline")
    func slowHandler() async throws {
        let loop = try EventLoop.startThread(named: "clock")
        let handler: HTTPHandler = { _ in
            do { try await loop.sleep(for: .milliseconds(150)) } catch { return .empty(status: 500) }
            return .text("done")
        }
        let configure: (inout HTTPServerConfiguration) -> Void = {
            $0.idleDeadline = .milliseconds(40)
            $0.headerDeadline = .milliseconds(40)
        }
        try await withServer(configure, handler: handler) { harness in
            let answer = try await harness.blocking {
                let client = try RawClient(port: harness.port)
                try client.send(Self.get)
                return try client.receiveAnswer()
            }
            #expect(answer.body == "done")
        }
        loop.stop()
    }

    @Test("a connection beyond the limit is told 503 and when to come back")
    func connectionLimit() async throws {
        try await withServer({ $0.connections = 2 }) { harness in
            let (refused, later) = try await harness.blocking {
                var held = try (0..<2).map { _ in
                    let client = try RawClient(port: harness.port)
                    try client.send(Self.get)
                    _ = try client.receiveAnswer()
                    return client
                }
                let refused = try RawClient(port: harness.port)
                try refused.send(Self.get)
                let text = try refused.receiveAll()
                held.removeAll()
                // The server may see the new connection before the ends of the old ones.
                var later = 0
                for _ in 0..<1000 where later != 200 {
                    let client = try RawClient(port: harness.port)
                    try client.send(Self.get)
                    later = try client.receiveAnswer().status
                }
                return (text, later)
            }
            #expect(refused.hasPrefix("HTTP/1.1 503 "))
            #expect(refused.contains("Retry-After: 1\r\n") && refused.contains("Connection: close\r\n"))
            #expect(refused.hasSuffix("\"status\":\"Service Unavailable\"}"))
            #expect(later == 200)
        }
    }

    @Test("one address may be limited to fewer connections")
    func addressLimit() async throws {
        try await withServer({ $0.connectionsPerAddress = 1 }) { harness in
            let (first, second) = try await harness.blocking {
                let held = try RawClient(port: harness.port)
                try held.send(Self.get)
                let first = try held.receiveAnswer().status
                let other = try RawClient(port: harness.port)
                let second = try other.receiveAnswer().status
                try held.send(Self.get)
                return ([first, try held.receiveAnswer().status], second)
            }
            #expect(first == [200, 200])
            #expect(second == 503)
        }
    }

    @Test("bodies that are too much together are refused with 503, and room comes back")
    func inputLimit() async throws {
        let started = Gate()
        let gate = Gate()
        let handler: HTTPHandler = { request in
            await started.open()
            await gate.wait()
            return .text("\(request.body.count)")
        }
        let request =
            "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n" + String(repeating: "a", count: 100_000)
        try await withServer({ $0.bufferedInput = 150_000 }, handler: handler) { harness in
            let first = try await harness.blocking {
                let client = Unshared(try RawClient(port: harness.port))
                try client.value.send(request)
                return client
            }
            await started.wait()
            let refused = try await harness.blocking {
                let client = try RawClient(port: harness.port)
                try client.send(request)
                return try client.receiveAll()
            }
            #expect(refused.hasPrefix("HTTP/1.1 503 "))
            await gate.open()
            let bodies = try await harness.blocking {
                try (0..<4).map { _ in
                    let body = try first.value.receiveAnswer().body
                    try first.value.send(request)
                    return body
                }
            }
            #expect(bodies == Array(repeating: "100000", count: 4))
        }
    }

    @Test("a client that does not read its answer is dropped")
    func slowReaderOfBytes() async throws {
        let bytes = [UInt8](repeating: 1, count: 12 << 20)
        let handler: HTTPHandler = { _ in HTTPResponse(status: 200, body: .bytes(bytes)) }
        try await withServer({ $0.outputWindow = .milliseconds(100) }, handler: handler) { harness in
            let wasCut = try await harness.blocking {
                let client = try RawClient(port: harness.port, receiveBuffer: 4096)
                try client.send(Self.get)
                return client.waitForReset()
            }
            #expect(wasCut)
        }
    }

    @Test("a slow reader holds the producer of a stream back and is dropped")
    func slowReaderOfStream() async throws {
        let outcome = Outcome()
        let handler: HTTPHandler = { _ in
            let stream = HTTPBodyStream { sink in
                do {
                    while true {
                        try await sink.write(.init(repeating: 1, count: 32 * 1024))
                        await outcome.add(32 * 1024)
                    }
                } catch {
                    await outcome.end("\(error)")
                    throw error
                }
            }
            return HTTPResponse(status: 200, body: .stream(stream))
        }
        let configure: (inout HTTPServerConfiguration) -> Void = {
            $0.outputWindow = .milliseconds(200)
            $0.bufferedOutput = 128 * 1024
        }
        try await withServer(configure, handler: handler) { harness in
            let wasCut = try await harness.blocking {
                let client = try RawClient(port: harness.port, receiveBuffer: 4096)
                try client.send(Self.get)
                return client.waitForReset()
            }
            #expect(wasCut)
            let (bytes, reason) = await outcome.wait()
            #expect(reason.contains("too slowly"))
            // What the kernel's buffers take (up to some 6 MiB) and our own 128 KiB.
            #expect(bytes < 16 << 20)
        }
    }

    @Test("two thousand waiting connections keep no buffers and do not slow the others down")
    func idleConnections() async throws {
        let count = 2000
        try await withServer(
            { $0.connections = count + 10 }, handler: { .text("\($0.body.count)") }
        ) { harness in
            let (growth, answers, open) = try await harness.blocking {
                let before = residentKilobytes()
                // A server that kept what these bodies needed would hold 120 MB afterwards; other tests run meanwhile.
                let request =
                    "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n" + String(repeating: "a", count: 60000)
                let clients = try (0..<count).map { _ in
                    let client = try RawClient(port: harness.port)
                    try client.send(request)
                    #expect(try client.receiveAnswer().body == "60000")
                    return client
                }
                let growth = residentKilobytes() - before
                let answers = try clients.map { client in
                    try client.send(Self.get)
                    return try client.receiveAnswer().status
                }
                return withExtendedLifetime(clients) { (growth, answers, harness.server.openConnections) }
            }
            #expect(growth < 100_000)
            #expect(answers.allSatisfy { $0 == 200 })
            #expect(open == count)
        }
    }
}

/// What a producer has written, and how it ended.
private actor Outcome {
    private var bytes = 0
    private var reason: String?
    private var waiting: [CheckedContinuation<Void, Never>] = []

    func add(_ count: Int) { bytes += count }

    func end(_ reason: String) {
        self.reason = reason
        waiting.forEach { $0.resume() }
        waiting = []
    }

    func wait() async -> (Int, String) {
        if reason == nil { await withCheckedContinuation { waiting.append($0) } }
        return (bytes, reason ?? "")
    }
}

/// The process's memory, as the kernel counts it.
private func residentKilobytes() -> Int {
    var text = [UInt8](repeating: 0, count: 256)
    let file = open("/proc/self/statm", O_RDONLY)
    defer { close(file) }
    guard read(file, &text, 255) > 0 else { return 0 }
    let fields = String(decoding: text, as: UTF8.self).split(separator: " ")
    return (fields.count > 1 ? Int(fields[1]) ?? 0 : 0) * 4
}
