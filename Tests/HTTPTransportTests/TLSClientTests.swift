import Crypto
import HTTP
import HTTPTransport
import Runtime
import TestSupport
import Testing

@Suite("Client with TLS", .timeLimit(.minutes(3)))
struct TLSClientTests {
    private static func failure(
        _ harness: Harness, _ tls: HTTPClientTLS, host: String = "127.0.0.1"
    ) async throws -> HTTPClientError? {
        try await harness.withClient { client in
            do {
                _ = try await harness.request(client, tls, host: host)
                return nil
            } catch let error as HTTPClientError { return error }
        }
    }

    @Test("requests, large bodies and kept connections")
    func exchange() async throws {
        try await withTLSServer(
            nil, clients: .none, { $0.limits.body = 32 << 20 },
            handler: { request in
                HTTPResponse(status: 200, body: .bytes(request.body))
            }
        ) { harness in
            try await harness.withClient { client in
                let tls = try TLSFixture.client()
                // Around the size of a record, and far beyond what the kernel takes at once.
                for size in [1, 16_383, 16_384, 16_385, 65_537, 1 << 20, 20_000_003] {
                    let body = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
                    let answer = try await harness.request(client, tls, body: body)
                    #expect(answer.status == 200 && answer.body == body, "\(size) bytes")
                }
                #expect(harness.server.openConnections == 1)
            }
        }
    }

    @Test("two hundred requests at once are all answered, each with its own answer")
    func concurrent() async throws {
        try await withTLSServer { harness in
            let answers = try await harness.withClient { client in
                let tls = try TLSFixture.client()
                return try await withThrowingTaskGroup(of: (Int, String).self) { group in
                    for number in 0..<200 {
                        group.addTask {
                            let answer = try await harness.request(client, tls, path: "/\(number)")
                            return (number, String(decoding: answer.body, as: UTF8.self))
                        }
                    }
                    return try await group.reduce(into: [Int: String]()) { $0[$1.0] = $1.1 }
                }
            }
            #expect(answers.count == 200)
            #expect(answers.allSatisfy { $0.value == "GET /\($0.key) -" })
        }
    }

    @Test("a stream comes piece by piece")
    func stream() async throws {
        try await withTLSServer(handler: { _ in
            HTTPResponse(
                status: 200,
                body: .stream(
                    HTTPBodyStream { sink in
                        for number in 0..<300 {
                            try await sink.write(.init(repeating: UInt8(number & 255), count: 9_999))
                        }
                    }))
        }) { harness in
            let answer = try await harness.withClient { try await harness.request($0, try TLSFixture.client()) }
            #expect(answer.body.count == 300 * 9_999)
        }
    }

    @Test("a server of an unknown authority is refused, and the message says so")
    func unknownAuthority() async throws {
        try await withTLSServer { harness in
            let stranger = try TLSFixture.client(trusting: try TLSFixture.stranger.get())
            let error = try await Self.failure(harness, stranger)
            #expect(error?.code == .connect)
            #expect(error?.message.contains("certificate") == true, "\(error?.message ?? "")")
            // The system's authorities do not know it either.
            let system = try await Self.failure(harness, HTTPClientTLS())
            #expect(system?.code == .connect)
        }
    }

    @Test("an expired certificate is refused, and the message says so")
    func expired() async throws {
        try await withTLSServer(try TLSFixture.authority.get().issue("server", days: -1)) { harness in
            let error = try await Self.failure(harness, try TLSFixture.client())
            #expect(error?.code == .connect)
            #expect(error?.message.contains("expired") == true, "\(error?.message ?? "")")
        }
    }

    @Test("a certificate of another host is refused, and the message says so")
    func otherHost() async throws {
        let pair = try TLSFixture.authority.get().issue("server", hosts: "DNS:node-7.example.com,IP:127.0.0.9")
        try await withTLSServer(pair) { harness in
            for host in ["127.0.0.1", "localhost"] {
                let error = try await Self.failure(harness, try TLSFixture.client(), host: host)
                #expect(error?.code == .connect)
                #expect(error?.message.contains(host) == true, "\(error?.message ?? "")")
            }
        }
    }

    @Test("it shows its certificate, and one without is refused")
    func mutual() async throws {
        let own = try TLSFixture.client.get()
        try await withTLSServer(clients: .required) { harness in
            let answer = try await harness.withClient {
                try await harness.request($0, try TLSFixture.client(showing: own))
            }
            #expect(answer.body == Array("GET /a CN = worker-1".utf8))
            let error = try await Self.failure(harness, try TLSFixture.client())
            #expect(error != nil)
        }
    }

    @Test("requests with other certificates never share a connection")
    func separate() async throws {
        let own = try TLSFixture.client.get()
        try await withTLSServer(clients: .optional) { harness in
            let bodies = try await harness.withClient { client in
                var bodies: [String] = []
                for tls in [try TLSFixture.client(), try TLSFixture.client(showing: own), try TLSFixture.client()] {
                    bodies.append(String(decoding: try await harness.request(client, tls).body, as: UTF8.self))
                }
                return bodies
            }
            #expect(bodies == ["GET /a -", "GET /a CN = worker-1", "GET /a -"])
        }
    }

    @Test("https at a port that speaks HTTP is an error")
    func plainServer() async throws {
        try await withServer { harness in
            let error = try await Self.failure(harness, try TLSFixture.client())
            #expect(error?.code == .connect)
        }
    }
}
