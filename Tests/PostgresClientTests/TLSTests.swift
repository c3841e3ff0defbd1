import Foundation
import PostgresClient
import Runtime
import TestSupport
import Testing

/// `sslmode=verify-full` against a real server with a certificate of an authority of its own.
@Suite("TLS to the database", .timeLimit(.minutes(3)))
struct TLSTests {
    private struct Server {
        let postgres: TestPostgres
        let authority: TestAuthority

        /// - Parameter hosts: what the server's certificate is for.
        init(hosts: String = "IP:127.0.0.1,DNS:localhost") throws {
            authority = try TestAuthority(name: "Database CA")
            let pair = try authority.issue("database", hosts: hosts)
            if geteuid() == 0 {
                // The server insists on a key that is its own.
                try FileManager.default.setAttributes([.ownerAccountName: "postgres"], ofItemAtPath: pair.key)
            }
            postgres = try TestPostgres.start(settings: [
                "ssl = on", "ssl_cert_file = '\(pair.certificate)'", "ssl_key_file = '\(pair.key)'",
            ])
        }

        func url(host: String = "127.0.0.1", trusting authority: TestAuthority) throws -> String {
            let url = try #require(postgres.tcpURL(host: host))
            return "\(url)?sslmode=verify-full&sslrootcert=\(authority.certificate)"
        }
    }

    private func isEncrypted(_ url: String) async throws -> Bool? {
        try await onLoop { loop in
            let connection = try await PostgresConnection.connect(
                PostgresConfiguration(url: url, connectTimeout: .seconds(20)), loop: loop)
            let result = try await connection.query(
                Statement("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"), deadline: .seconds(60))
            await connection.close()
            return result.rows[0].bool(0)
        }
    }

    private func refusal(_ url: String) async throws -> PostgresError? {
        await #expect(throws: PostgresError.self) { _ = try await isEncrypted(url) }
    }

    @Test("with the right authority and the right name there is a connection, and it is encrypted")
    func verified() async throws {
        let server = try Server()
        for host in ["127.0.0.1", "localhost"] {
            let isEncrypted = try await isEncrypted(try server.url(host: host, trusting: server.authority))
            #expect(isEncrypted == true)
        }
    }

    @Test("a server of another authority is refused, with what to do about it")
    func otherAuthority() async throws {
        let server = try Server()
        let stranger = try TestAuthority(name: "Somebody Else")
        // Its file goes with the last reference.
        let error = try await refusal(try server.url(trusting: stranger))
        withExtendedLifetime(stranger) {}
        #expect(error?.code == .connection)
        #expect(error?.message.contains("certificate verify failed") == true, "\(error?.message ?? "")")
        #expect(error?.message.contains("sslrootcert") == true, "\(error?.message ?? "")")
    }

    @Test("a server with a certificate for another host is refused, and the message names both")
    func otherHost() async throws {
        let server = try Server(hosts: "DNS:db.example.com")
        let error = try await refusal(try server.url(trusting: server.authority))
        #expect(error?.code == .connection)
        #expect(error?.message.contains("db.example.com") == true, "\(error?.message ?? "")")
        #expect(error?.message.contains("127.0.0.1") == true, "\(error?.message ?? "")")
    }

    @Test("a file of authorities that is not there is an error that names it")
    func noAuthorities() async throws {
        let server = try Server()
        let url = try #require(server.postgres.tcpURL()) + "?sslmode=verify-full&sslrootcert=/nonexistent/ca.pem"
        let error = try await refusal(url)
        #expect(error?.message.contains("/nonexistent/ca.pem") == true, "\(error?.message ?? "")")
    }

    @Test("a server without TLS is refused")
    func plainServer() async throws {
        let server = try TestPostgres.start()
        let authority = try TestAuthority()
        let url = try #require(server.tcpURL()) + "?sslmode=verify-full&sslrootcert=\(authority.certificate)"
        let error = try await refusal(url)
        #expect(error?.message.contains("SSL") == true, "\(error?.message ?? "")")
    }
}
