import HTTP
import HTTPTransport
import Runtime
import Testing

@Suite("Streamed answers")
struct ServerStreamTests {
    private static let get = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n"

    @Test("each piece leaves as it is written, and the connection goes on afterwards")
    func pieces() async throws {
        let gate = Gate()
        let handler: HTTPHandler = { request in
            if request.path == "/next" { return .text("next") }
            let stream = HTTPBodyStream { sink in
                try await sink.write(Array("one".utf8))
                try await sink.write([])
                await gate.wait()
                try await sink.write(Array("two".utf8))
            }
            return HTTPResponse(status: 200, headers: ["Content-Type": "text/plain"], body: .stream(stream))
        }
        try await withServer(handler: handler) { harness in
            let client = try await harness.blocking {
                let client = Unshared(try RawClient(port: harness.port))
                try client.value.send(Self.get + "GET /next HTTP/1.1\r\nHost: x\r\n\r\n")
                #expect(try client.value.receive(through: "one\r\n").contains("Transfer-Encoding: chunked\r\n"))
                return client
            }
            await gate.open()
            let (rest, next) = try await harness.blocking {
                (try client.value.receive(through: "0\r\n\r\n"), try client.value.receiveAnswer())
            }
            #expect(rest == "3\r\ntwo\r\n0\r\n\r\n")
            #expect(next.body == "next")
        }
    }

    @Test("to HTTP/1.0 a stream ends with the connection; HEAD does not run it")
    func framings() async throws {
        let handler: HTTPHandler = { _ in
            HTTPResponse(status: 200, body: .stream(HTTPBodyStream { try await $0.write(Array("body".utf8)) }))
        }
        try await withServer(handler: handler) { harness in
            let (old, head) = try await harness.blocking {
                let client = try RawClient(port: harness.port)
                try client.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
                let old = try client.receiveAll()
                let other = try RawClient(port: harness.port)
                try other.send("HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                return (old, try other.receiveAll())
            }
            #expect(old.hasSuffix("\r\n\r\nbody") && !old.contains("chunked"))
            #expect(head.hasSuffix("\r\n\r\n"))
        }
    }

    @Test(
        "a stream that fails cuts the connection, so that nobody takes the part for the whole",
        arguments: ["1.0", "1.1"])
    func failure(version: String) async throws {
        struct Broken: Error {}
        let handler: HTTPHandler = { _ in
            let stream = HTTPBodyStream { sink in
                try await sink.write(Array("part".utf8))
                throw Broken()
            }
            return HTTPResponse(status: 200, body: .stream(stream))
        }
        try await withServer(handler: handler) { harness in
            let client = HTTPClient(loop: harness.loop)
            let request = HTTPClientRequest(url: "http://127.0.0.1:\(harness.port)/")
            await #expect(throws: HTTPClientError.self) { try await client.execute(request) }
            client.close()
            let text = try await harness.blocking {
                let client = try RawClient(port: harness.port)
                try client.send("GET / HTTP/\(version)\r\nHost: x\r\n\r\n")
                return try client.receiveAll()
            }
            #expect(!text.contains("0\r\n\r\n"))
        }
    }

    @Test("the producer is cancelled when the client goes, even if it does not write")
    func disconnect() async throws {
        let cancelled = Gate()
        let clock = try EventLoop.startThread(named: "clock")
        let handler: HTTPHandler = { _ in
            let stream = HTTPBodyStream { sink in
                try await sink.write(Array("hello".utf8))
                do {
                    try await clock.sleep(for: .seconds(600))
                } catch {
                    await cancelled.open()
                    throw error
                }
            }
            return HTTPResponse(status: 200, body: .stream(stream))
        }
        try await withServer(handler: handler) { harness in
            try await harness.blocking {
                let client = try RawClient(port: harness.port)
                try client.send(Self.get)
                _ = try client.receive(through: "hello")
            }
            await cancelled.wait()
        }
        clock.stop()
    }

    @Test("a sink that outlives its answer only throws")
    func lateWriter() async throws {
        let kept = Kept()
        let handler: HTTPHandler = { _ in
            HTTPResponse(status: 200, body: .stream(HTTPBodyStream { await kept.keep($0) }))
        }
        try await withServer(handler: handler) { harness in
            let client = try await harness.blocking {
                let client = Unshared(try RawClient(port: harness.port))
                try client.value.send(Self.get)
                _ = try client.value.receiveAnswer()
                return client
            }
            await #expect(throws: HTTPStreamClosed.self) { try await kept.sink?.write([1]) }
            let next = try await harness.blocking {
                try client.value.send(Self.get)
                return try client.value.receiveAnswer()
            }
            #expect(next.status == 200 && next.body.isEmpty)
        }
    }

    @Test("a stream of many megabytes arrives whole, at the reader's pace")
    func longStream() async throws {
        let pieces = 400
        let handler: HTTPHandler = { _ in
            let stream = HTTPBodyStream { sink in
                for _ in 0..<pieces { try await sink.write(.init(repeating: UInt8(ascii: "s"), count: 20_000)) }
            }
            return HTTPResponse(status: 200, body: .stream(stream))
        }
        try await withServer({ $0.bufferedOutput = 64 * 1024 }, handler: handler) { harness in
            let count = try await harness.blocking {
                let client = try RawClient(port: harness.port, receiveBuffer: 8192)
                try client.send(Self.get)
                return try client.receiveAnswer().body.utf8.count
            }
            #expect(count == pieces * 20_000)
        }
    }
}

private actor Kept {
    private(set) var sink: (any HTTPBodySink)?

    func keep(_ sink: any HTTPBodySink) { self.sink = sink }
}
