import HTTP
import HTTPTransport
import Runtime
import Synchronization
import Testing

/// For tests that are not about time: all others run beside them.
private let patient = Duration.seconds(600)

@Suite("HTTP client, streamed answers")
struct ClientStreamTests {
    private func withClient(
        handler: @escaping HTTPHandler, _ body: (Harness, HTTPClient, String) async throws -> Void
    ) async throws {
        try await withServer(handler: handler) { harness in
            let client = HTTPClient(loop: harness.loop)
            defer { client.close() }
            try await body(harness, client, "http://127.0.0.1:\(harness.port)/")
        }
    }

    private static func failure(_ client: HTTPClient, _ request: HTTPClientRequest) async -> HTTPClientError.Code? {
        do {
            _ = try await client.stream(request) { _, _ in }
            return nil
        } catch {
            return (error as? HTTPClientError)?.code
        }
    }

    private static func megabytes(_ count: Int) -> HTTPHandler {
        { _ in
            HTTPResponse(
                status: 200, headers: ["X-Kind": "long"],
                body: .stream(
                    HTTPBodyStream { sink in
                        for number in 0..<count * 16 {
                            try await sink.write([UInt8](repeating: UInt8(number % 251), count: 65_536))
                        }
                    }))
        }
    }

    @Test("a long body comes whole and in order, with its head, without being held in memory")
    func order() async throws {
        try await withClient(handler: Self.megabytes(8)) { _, client, url in
            let seen = Mutex((count: 0, isOrdered: true, largest: 0))
            let head = try await client.stream(HTTPClientRequest(url: url, timeout: patient)) { head, bytes in
                #expect(head.status == 200 && head.headers["X-Kind"] == "long")
                seen.withLock { seen in
                    for (offset, byte) in bytes.enumerated() where (seen.count + offset) % 4096 == 0 {
                        if byte != UInt8((seen.count + offset) / 65_536 % 251) { seen.isOrdered = false }
                    }
                    seen.count += bytes.count
                    seen.largest = max(seen.largest, bytes.count)
                }
            }
            #expect(head.status == 200)
            seen.withLock { #expect($0.count == 8 << 20 && $0.isOrdered && $0.largest < 600_000) }
        }
    }

    @Test("a receiver who waits holds the server up")
    func backPressure() async throws {
        let written = Mutex(0)
        let handler: HTTPHandler = { _ in
            HTTPResponse(
                status: 200,
                body: .stream(
                    HTTPBodyStream { sink in
                        for _ in 0..<1024 {
                            try await sink.write([UInt8](repeating: 1, count: 65_536))
                            written.withLock { $0 += 65_536 }
                        }
                    }))
        }
        try await withClient(handler: handler) { harness, client, url in
            let received = Mutex(0)
            // Beside many other tests the machine is slow.
            let request = HTTPClientRequest(url: url, timeout: patient, maximumResponseBytes: 1 << 30)
            _ = try await client.stream(request) { _, bytes in
                let isFirst = received.withLock { received in
                    defer { received += bytes.count }
                    return received == 0
                }
                guard isFirst else { return }
                // Wait until the server has come to rest: no progress over several looks.
                var last = -1
                while written.withLock({ $0 }) != last {
                    last = written.withLock { $0 }
                    try await harness.loop.sleep(for: .milliseconds(50))
                }
                #expect(last < 32 << 20)
            }
            #expect(received.withLock { $0 } == 64 << 20)
        }
    }

    @Test("what the receiver throws ends the transfer and is thrown")
    func refusal() async throws {
        struct Enough: Error {}
        try await withClient(handler: Self.megabytes(64)) { _, client, url in
            await #expect(throws: Enough.self) {
                _ = try await client.stream(HTTPClientRequest(url: url, timeout: patient)) { _, _ in throw Enough() }
            }
        }
    }

    @Test("a streamed body has its limit too")
    func limit() async throws {
        try await withClient(handler: Self.megabytes(2)) { _, client, url in
            let request = HTTPClientRequest(url: url, timeout: patient, maximumResponseBytes: 1 << 20)
            #expect(await Self.failure(client, request) == .tooLarge)
        }
    }

    @Test("cancelling ends a stream that waits for more")
    func cancellation() async throws {
        let begun = Gate()
        let never = Gate()
        let handler: HTTPHandler = { _ in
            HTTPResponse(
                status: 200,
                body: .stream(
                    HTTPBodyStream { sink in
                        try await sink.write([1])
                        await never.wait()
                    }))
        }
        try await withClient(handler: handler) { harness, client, url in
            let wasCancelled = Mutex(false)
            let task = harness.loop.start("stream") {
                do {
                    _ = try await client.stream(HTTPClientRequest(url: url, timeout: patient)) { _, _ in
                        await begun.open()
                    }
                } catch {
                    wasCancelled.withLock { $0 = error is CancellationError }
                }
            }
            await begun.wait()
            task.cancel()
            await task.value
            #expect(wasCancelled.withLock { $0 })
            await never.open()
        }
    }

    @Test("silence longer than the idle limit is an error")
    func idle() async throws {
        let never = Gate()
        let handler: HTTPHandler = { _ in
            HTTPResponse(
                status: 200,
                body: .stream(
                    HTTPBodyStream { sink in
                        try await sink.write([1])
                        await never.wait()
                    }))
        }
        try await withClient(handler: handler) { _, client, url in
            var request = HTTPClientRequest(url: url, timeout: .seconds(60))
            request.idleTimeout = .seconds(1)
            #expect(await Self.failure(client, request) == .timeout)
            await never.open()
        }
    }

    @Test("more than three redirects are refused")
    func redirects() async throws {
        let handler: HTTPHandler = { request in
            let step = Int(request.path.dropFirst()) ?? 0
            guard step > 0 else { return .text("there") }
            return HTTPResponse(status: 302, headers: ["Location": "/\(step - 1)"])
        }
        try await withClient(handler: handler) { _, client, url in
            let followed = try await client.stream(HTTPClientRequest(url: url + "3", followRedirects: true)) {
                _, bytes in
                #expect(bytes == Array("there".utf8))
            }
            #expect(followed.status == 200)
            let tooMany = HTTPClientRequest(url: url + "4", followRedirects: true)
            #expect(await Self.failure(client, tooMany) == .refused)
        }
    }

    @Test("no redirect leads to ftp, although the request may")
    func redirectToFTP() async throws {
        let handler: HTTPHandler = { _ in HTTPResponse(status: 302, headers: ["Location": "ftp://127.0.0.1/x"]) }
        try await withClient(handler: handler) { _, client, url in
            var request = HTTPClientRequest(url: url, followRedirects: true)
            request.allowsFTP = true
            #expect(await Self.failure(client, request) == .refused)
        }
    }
}
