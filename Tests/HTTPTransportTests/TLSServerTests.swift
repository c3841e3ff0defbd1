import Glibc
import HTTP
import HTTPTransport
import TestSupport
import Testing

@Suite("Server with TLS", .timeLimit(.minutes(3)))
struct TLSServerTests {
    // MARK: Agreement

    @Test("curl verifies it and gets its answer, by TLS 1.3 and by TLS 1.2", arguments: ["1.3", "1.2"])
    func curl(version: String) async throws {
        try await withTLSServer { harness in
            for host in ["127.0.0.1", "localhost"] {
                let answer = try await harness.curl(
                    "--tlsv\(version)", "--tls-max", version, "-w", " %{http_version}", "https://\(host):PORT/x?y")
                #expect(answer.output == "GET /x?y - 1.1", "\(answer.output)")
            }
        }
    }

    @Test("TLS 1.1 is refused", arguments: ["1.0", "1.1"])
    func oldVersions(version: String) async throws {
        try await withTLSServer { harness in
            let answer = try await harness.curl(
                "--ciphers", "DEFAULT@SECLEVEL=0", "--tlsv1.0", "--tls-max", version, "https://127.0.0.1:PORT/")
            #expect(answer.status == 35, "\(answer.output)")
        }
    }

    @Test("http/1.1 is agreed on, also beside h2; h2 alone is refused; who names none is taken in")
    func protocols() async throws {
        try await withTLSServer { harness in
            for (offer, agreed) in [
                ("h2,http/1.1", "ALPN protocol: http/1.1"), ("http/1.1", "ALPN protocol: http/1.1"),
                ("h2", "no application protocol"), ("", "No ALPN negotiated"),
            ] {
                let answer = try await harness.tool(
                    ["openssl", "s_client", "-connect", "127.0.0.1:PORT", "-CAfile", "CA"]
                        + (offer.isEmpty ? [] : ["-alpn", offer]))
                #expect(answer.output.contains(agreed), "\(offer): \(answer.output)")
            }
        }
    }

    @Test("a session is resumed", arguments: ["-tls1_2", "-tls1_3"])
    func resumption(version: String) async throws {
        try await withTLSServer { harness in
            let file = "/tmp/carillon-session-\(getpid())\(version)"
            defer { unlink(file) }
            let words = ["openssl", "s_client", "-connect", "127.0.0.1:PORT", "-CAfile", "CA", version, "-ign_eof"]
            // The answer makes sure that the ticket, which TLS 1.3 sends after the handshake, has come.
            let request = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
            let first = try await harness.tool(words + ["-sess_out", file], input: request)
            #expect(first.output.contains("New, TLSv1") && first.output.contains("GET /"), "\(first.output)")
            let second = try await harness.tool(words + ["-sess_in", file], input: request)
            #expect(second.output.contains("Reused, TLSv1") && second.output.contains("GET /"), "\(second.output)")
        }
    }

    @Test("a client that renegotiates is refused")
    func renegotiation() async throws {
        try await withTLSServer { harness in
            let answer = try await harness.tool(
                ["openssl", "s_client", "-connect", "127.0.0.1:PORT", "-CAfile", "CA", "-tls1_2"], input: "R\n")
            #expect(answer.output.contains("no renegotiation") || answer.status != 0, "\(answer.output)")
        }
    }

    @Test("what is no TLS is refused; HTTP is told what would be right")
    func plainHTTP() async throws {
        try await withTLSServer { harness in
            let answers = try await harness.blocking {
                try ["GET / HTTP/1.1\r\nHost: x\r\n\r\n", "POST /a HTTP/1.1\r\nHost: x\r\n\r\n"].map { request in
                    let client = try RawClient(port: harness.port)
                    try client.send(request)
                    return try client.receiveAnswer()
                }
            }
            #expect(answers.map(\.status) == [400, 400])
            #expect(answers.allSatisfy { $0.body.contains("https://") })
            let ended = try await harness.blocking {
                let client = try RawClient(port: harness.port)
                try client.send(String(repeating: "\u{1}nonsense", count: 100))
                return try client.receiveAll().contains("HTTP")
            }
            #expect(!ended)
        }
    }

    // MARK: Certificates of clients

    @Test("where certificates of clients are required, only theirs of the authority come in")
    func mutual() async throws {
        let known = try TLSFixture.client.get()
        let unknown = try TLSFixture.stranger.get().issue("worker-1")
        let expired = try TLSFixture.authority.get().issue("worker-1", days: -1)
        try await withTLSServer(clients: .required) { harness in
            let answer = try await harness.curl(
                "--cert", known.certificate, "--key", known.key, "https://127.0.0.1:PORT/")
            #expect(answer.output == "GET / CN = worker-1", "\(answer.output)")
            for pair in [unknown, expired] {
                let answer = try await harness.curl(
                    "--cert", pair.certificate, "--key", pair.key, "https://127.0.0.1:PORT/")
                #expect(answer.status == 56 || answer.status == 35, "\(answer.output)")
            }
            let without = try await harness.curl("https://127.0.0.1:PORT/")
            #expect(without.output.contains("certificate required"), "\(without.output)")
            let old = try await harness.curl("--tls-max", "1.2", "https://127.0.0.1:PORT/")
            #expect(old.status == 35 || old.status == 56, "\(old.output)")
        }
    }

    @Test("where they are optional, the handler knows who has shown one; a wrong one is refused")
    func optional() async throws {
        let known = try TLSFixture.client.get()
        let unknown = try TLSFixture.stranger.get().issue("worker-1")
        try await withTLSServer(clients: .optional) { harness in
            let without = try await harness.curl("https://127.0.0.1:PORT/")
            #expect(without.output == "GET / -")
            let with = try await harness.curl(
                "--cert", known.certificate, "--key", known.key, "https://127.0.0.1:PORT/")
            #expect(with.output == "GET / CN = worker-1")
            let wrong = try await harness.curl(
                "--cert", unknown.certificate, "--key", unknown.key, "https://127.0.0.1:PORT/")
            #expect(wrong.status == 56 || wrong.status == 35, "\(wrong.output)")
        }
    }

    @Test("a resumed session still knows the client's certificate")
    func resumedIdentity() async throws {
        let known = try TLSFixture.client.get()
        try await withTLSServer(clients: .required) { harness in
            let answer = try await harness.tool(
                ["curl", "-sS", "--noproxy", "*", "--cacert", "CA", "--cert", known.certificate, "--key", known.key]
                    + ["-H", "Connection: close", "https://127.0.0.1:PORT/1", "https://127.0.0.1:PORT/2"])
            #expect(answer.output == "GET /1 CN = worker-1GET /2 CN = worker-1", "\(answer.output)")
        }
    }

    // MARK: The end of a connection

    @Test("a half-closed connection still gets its answer")
    func halfClosed() async throws {
        let gate = Gate()
        try await withTLSServer(handler: { _ in
            await gate.wait()
            return .text("late")
        }) { harness in
            async let result = harness.python(
                """
                c = connect()
                c.sendall(b"GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
                socket.socket.shutdown(c, socket.SHUT_WR)
                data = b""
                while not data.endswith(b"late"): data += c.recv(65536)
                print(data.decode())
                """)
            await gate.open()
            let answer = try await result
            #expect(answer.output.contains("200 OK") && answer.output.contains("late"), "\(answer.output)")
        }
    }

    @Test("the server says farewell where an answer ends with the connection, and when it closes an idle one")
    func farewell() async throws {
        try await withTLSServer(nil, clients: .none, { $0.idleDeadline = .milliseconds(100) }) { harness in
            let answer = try await harness.python(
                """
                c = connect()
                c.sendall(b"GET / HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n")
                print("whole" if rest(c).endswith(b"GET / -") else "cut")
                c = connect()
                c.sendall(b"GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
                print("whole" if rest(c).endswith(b"GET / -") else "cut")
                """)
            #expect(answer.output == "whole\nwhole\n", "\(answer.output)")
        }
    }

    @Test("an answer that breaks off is cut, without a farewell")
    func cut() async throws {
        struct Broken: Error {}
        try await withTLSServer(handler: { _ in
            HTTPResponse(
                status: 200,
                body: .stream(
                    HTTPBodyStream {
                        try await $0.write(Array("begun".utf8))
                        throw Broken()
                    }))
        }) { harness in
            let answer = try await harness.python(
                """
                c = connect()
                c.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
                try:
                    rest(c)
                    print("ended")
                except (ssl.SSLError, ConnectionResetError):
                    print("cut")
                """)
            #expect(answer.output == "cut\n", "\(answer.output)")
        }
    }

    @Test(
        "a client that says farewell while it is streamed to ends the stream", arguments: ["c.unwrap()", "c.close()"])
    func leaving(farewell: String) async throws {
        let cancelled = Gate()
        try await withTLSServer(handler: { _ in
            HTTPResponse(
                status: 200,
                body: .stream(
                    HTTPBodyStream { sink in
                        try await sink.write(Array("begun".utf8))
                        let forever = Gate()
                        await withTaskCancellationHandler {
                            await forever.wait()
                        } onCancel: {
                            // Frees the producer, which is what the test waits for.
                            Task {
                                await forever.open()
                                await cancelled.open()
                            }
                        }
                    }))
        }) { harness in
            let answer = try await harness.python(
                """
                c = connect()
                c.sendall(b"GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
                data = b""
                while b"begun" not in data: data += c.recv(65536)
                try: \(farewell)
                except (ssl.SSLError, OSError): pass
                print("left")
                """)
            #expect(answer.output == "left\n", "\(answer.output)")
            await cancelled.wait()
        }
    }

    @Test("the next request may come while an answer is streamed")
    func pipelined() async throws {
        let gate = Gate()
        try await withTLSServer(handler: { request in
            if request.path == "/sent" {
                await gate.open()
                return .text("")
            }
            guard request.path == "/stream" else {
                return .text("second")
            }
            return HTTPResponse(
                status: 200,
                body: .stream(
                    HTTPBodyStream { sink in
                        try await sink.write(Array("begun".utf8))
                        await gate.wait()
                        try await sink.write(Array("ended".utf8))
                    }))
        }) { harness in
            async let result = harness.python(
                """
                c = connect()
                c.sendall(b"GET /stream HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
                data = b""
                while b"begun" not in data: data += c.recv(65536)
                c.sendall(b"GET /open HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
                other = connect()
                other.sendall(b"GET /sent HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
                other.recv(65536)
                while b"second" not in data: data += c.recv(65536)
                print("both" if b"ended" in data else "lost")
                """)
            let answer = try await result
            #expect(answer.output == "both\n", "\(answer.output)")
        }
    }

    // MARK: Limits

    @Test("a handshake that does not come, or not to its end, holds its place only for a time")
    func slowHandshake() async throws {
        try await withTLSServer(nil, clients: .none, { $0.handshakeDeadline = .milliseconds(150) }) { harness in
            let (silent, trickled) = try await harness.blocking {
                let silent = try RawClient(port: harness.port)
                let silence = try silent.receiveAll()
                let slow = try RawClient(port: harness.port)
                // The begin of a record that says it has 512 bytes.
                try slow.send("\u{16}\u{03}\u{01}\u{02}\u{00}")
                return (silence, try slow.trickle("\u{01}", times: 400))
            }
            #expect(silent.isEmpty)
            #expect(trickled < 400)
            try await harness.waitForConnections(0)
        }
    }

    @Test("connections beyond the limit are closed at once")
    func tooMany() async throws {
        try await withTLSServer(nil, clients: .none, { $0.connections = 1 }) { harness in
            let refused = try await harness.blocking {
                let first = try RawClient(port: harness.port)
                let second = try RawClient(port: harness.port)
                defer { withExtendedLifetime(first) {} }
                return try second.receiveAll()
            }
            #expect(refused.isEmpty)
        }
    }

    @Test("draining does not wait for handshakes")
    func drain() async throws {
        try await withTLSServer { harness in
            async let silent = harness.blocking { try RawClient(port: harness.port).receiveAll() }
            try await harness.waitForConnections(1)
            await harness.server.drain(deadline: .seconds(60))
            #expect(harness.server.openConnections == 0)
            #expect(try await silent.isEmpty)
        }
    }

    // MARK: Reload

    @Test("another certificate is for new connections; the open ones go on")
    func replaced() async throws {
        let other = try TLSFixture.authority.get().issue("renewed")
        try await withTLSServer { harness in
            let context = try TLSFixture.context(other)
            let serving = Gate()
            let replaced = Gate()
            async let kept = harness.withClient { client in
                let tls = try TLSFixture.client()
                let before = try await harness.request(client, tls).status
                await serving.open()
                await replaced.wait()
                let after = try await harness.request(client, tls).status
                return (before, after, harness.server.openConnections)
            }
            await serving.wait()
            harness.server.replace(tls: context)
            let shown = try await harness.tool(
                ["openssl", "s_client", "-connect", "127.0.0.1:PORT", "-CAfile", "CA"])
            #expect(shown.output.contains("CN = renewed"), "\(shown.output)")
            try await harness.waitForConnections(1)
            await replaced.open()
            #expect(try await kept == (200, 200, 1))
        }
    }
}

extension Harness {
    /// Waits until so many connections are open.
    func waitForConnections(_ count: Int) async throws {
        let server = server
        try await blocking {
            for _ in 0..<2_000 {
                if server.openConnections == count { return }
                usleep(5_000)
            }
            Issue.record("\(server.openConnections) connections are open, not \(count)")
        }
    }
}
