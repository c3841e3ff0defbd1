import Crypto
import HTTP
import HTTPTransport
import TestSupport

/// Certificates that the tests of TLS share.
enum TLSFixture {
    static let authority = Result { try TestAuthority() }
    static let stranger = Result { try TestAuthority(name: "Somebody Else") }
    static let server = Result { try authority.get().issue("server") }
    static let client = Result { try authority.get().issue("worker-1") }

    static func context(
        _ pair: TestAuthority.Pair? = nil, clients: TLSServerContext.ClientCertificates = .none
    ) throws -> TLSServerContext {
        let (certificate, key) = try (pair ?? server.get()).bytes()
        let authorities = clients == .none ? [] : try TestAuthority.bytes(authority.get().certificate)
        return try TLSServerContext(
            certificate: certificate, key: key, clientAuthorities: authorities, clientCertificates: clients)
    }

    /// What a client trusts and shows.
    static func client(
        trusting: TestAuthority? = nil, showing pair: TestAuthority.Pair? = nil
    ) throws -> HTTPClientTLS {
        var tls = HTTPClientTLS(authorities: try TestAuthority.bytes((trusting ?? authority.get()).certificate))
        if let pair { (tls.certificate, tls.key) = try pair.bytes() }
        return tls
    }
}

/// A server with TLS for one test.
func withTLSServer(
    _ pair: TestAuthority.Pair? = nil, clients: TLSServerContext.ClientCertificates = .none,
    _ configure: (inout HTTPServerConfiguration) -> Void = { _ in },
    handler: @escaping HTTPHandler = { .text("\($0.method) \($0.target) \($0.clientCertificate ?? "-")") },
    _ body: (Harness) async throws -> Void
) async throws {
    let context = try TLSFixture.context(pair, clients: clients)
    try await withServer(
        { configuration in
            configuration.tls = context
            configure(&configuration)
        }, handler: handler, body)
}

extension Harness {
    /// Runs a program against this server: `PORT` and `CA` in its words are replaced.
    func tool(_ words: [String], input: String = "") async throws -> TestTool.Result {
        let authority = try TLSFixture.authority.get().certificate
        let port = port
        return try await blocking {
            try TestTool.run(
                words.map { $0 == "CA" ? authority : $0.replacing("PORT", with: "\(port)") }, input: input)
        }
    }

    func curl(_ words: String...) async throws -> TestTool.Result {
        try await tool(["curl", "-sS", "--noproxy", "*", "--cacert", "CA"] + words)
    }

    /// A program in Python, with `connect()` for a TLS connection that tells a cut from an end, and `port`.
    func python(_ script: String) async throws -> TestTool.Result {
        let prelude = """
            import socket, ssl, sys
            port, ca = int(sys.argv[1]), sys.argv[2]
            def connect(**options):
                context = ssl.create_default_context(cafile=ca)
                for name, value in options.items(): setattr(context, name, value)
                plain = socket.create_connection(("127.0.0.1", port), timeout=20)
                return context.wrap_socket(plain, server_hostname="127.0.0.1", suppress_ragged_eofs=False)
            def rest(connection):
                data = b""
                while piece := connection.recv(65536): data += piece
                return data

            """
        return try await tool(["python3", "-c", prelude + script, "PORT", "CA"])
    }

    /// One request to it by the product's client.
    func request(
        _ client: HTTPClient, _ tls: HTTPClientTLS, host: String = "127.0.0.1", path: String = "/a",
        body: [UInt8] = []
    ) async throws -> HTTPClientResponse {
        var request = HTTPClientRequest(
            method: body.isEmpty ? .get : .post, url: "https://\(host):\(port)\(path)", body: body,
            timeout: .seconds(30), connectTimeout: .seconds(20), maximumResponseBytes: 64 << 20)
        request.tls = tls
        return try await client.execute(request)
    }

    func withClient<T: Sendable>(_ body: @escaping @Sendable (HTTPClient) async throws -> T) async throws -> T {
        let client = HTTPClient(loop: loop)
        defer { client.close() }
        return try await onLoop { try await body(client) }
    }
}
