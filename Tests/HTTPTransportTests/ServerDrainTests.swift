import HTTP
import HTTPTransport
import Runtime
import Testing

@Suite("Drain")
struct ServerDrainTests {
    private static let get = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n"

    @Test("what is idle is closed at once, what has begun is answered, nobody new is let in")
    func graceful() async throws {
        let started = Gate()
        let gate = Gate()
        let handler: HTTPHandler = { _ in
            await started.open()
            await gate.wait()
            return .text("finished")
        }
        try await withServer({ $0.lingerDeadline = .milliseconds(50) }, handler: handler) { harness in
            let (idle, busy) = try await harness.blocking {
                let idle = Unshared(try RawClient(port: harness.port))
                let busy = Unshared(try RawClient(port: harness.port))
                try busy.value.send(Self.get)
                return (idle, busy)
            }
            await started.wait()
            async let drained: Void = harness.server.drain(deadline: .seconds(10))
            let first = try await harness.blocking { try idle.value.receiveAll() }
            #expect(first.isEmpty)
            await #expect(throws: RawClient.Failure.self) {
                try await harness.blocking { _ = try RawClient(port: harness.port) }
            }
            await gate.open()
            let text = try await harness.blocking { try busy.value.receiveAll() }
            #expect(text.contains("Connection: close\r\n") && text.hasSuffix("finished"))
            _ = busy
            await drained
            #expect(harness.server.openConnections == 0)
        }
    }

    @Test("at the deadline what is left is cut")
    func deadline() async throws {
        let started = Gate()
        let gate = Gate()
        try await withServer(handler: { _ in
            await started.open()
            await gate.wait()
            return .text("too late")
        }) { harness in
            let client = try await harness.blocking {
                let client = Unshared(try RawClient(port: harness.port))
                try client.value.send(Self.get)
                return client
            }
            await started.wait()
            await harness.server.drain(deadline: .milliseconds(50))
            #expect(harness.server.openConnections == 0)
            let text = try await harness.blocking { try client.value.receiveAll() }
            #expect(text.isEmpty)
            await gate.open()
        }
    }

    @Test("draining twice, or before the start, returns")
    func twice() async throws {
        try await withServer { harness in
            await harness.server.drain(deadline: .seconds(10))
            await harness.server.drain(deadline: .seconds(10))
        }
        let loop = try EventLoop.startThread(named: "test")
        let server = HTTPServer(HTTPServerConfiguration(), loop: loop, log: Log("test")) { _ in .empty(status: 204) }
        await server.drain(deadline: .seconds(10))
        await #expect(throws: (any Error).self) { try await server.start() }
        loop.stop()
    }
}
