import Foundation
import PostgresClient
import Runtime
import TestSupport
import Testing

@Suite("Connecting", .timeLimit(.minutes(2)))
struct ConnectingTests {
    let server: TestPostgres

    init() throws {
        server = try TestPostgres.shared()
    }

    private func failure(_ url: String, timeout: Duration = .seconds(5)) async throws -> PostgresError? {
        try await onLoop { loop in
            await #expect(throws: PostgresError.self) {
                let connection = try await PostgresConnection.connect(
                    PostgresConfiguration(url: url, connectTimeout: timeout), loop: loop)
                await connection.close()
            }
        }
    }

    @Test("where nobody listens the error names the place")
    func refused() async throws {
        let port = try FreePort.find()
        let error = try await failure("postgresql://postgres@127.0.0.1:\(port)/postgres")
        #expect(error?.code == .connection)
        #expect(error?.message.contains("refused") == true)
        #expect(error?.message.contains("\(port)") == true)
        #expect(error?.mayHaveHappened == false)
    }

    @Test("a socket that does not exist is named")
    func noSocket() async throws {
        let error = try await failure("postgresql://postgres@/postgres?host=/nonexistent&port=5432")
        #expect(error?.code == .connection)
        #expect(error?.message.contains("/nonexistent") == true)
    }

    @Test("an unknown database is an error of its own")
    func unknownDatabase() async throws {
        let error = try await failure(server.url(database: "nowhere"))
        #expect(error?.sqlState == "3D000")
        #expect(error?.message.contains("nowhere") == true)
    }

    @Test("a wrong password is told apart, and is not repeated in the error")
    func wrongPassword() async throws {
        guard server.tcpURL() != nil else { return }
        // Other tests of this process do not use the role.
        try server.query(
            server.url(),
            "DO $$ BEGIN CREATE ROLE secured LOGIN PASSWORD 'right'; "
                + "EXCEPTION WHEN duplicate_object THEN NULL; END $$")
        let wrong = try #require(server.tcpURL(user: "secured", password: "wrongpass"))
        let error = try await failure(wrong)
        #expect(error?.sqlState == "28P01")
        #expect(error?.description.contains("wrongpass") == false)
        let right = try #require(server.tcpURL(user: "secured", password: "right"))
        #expect(try server.query(right, "SELECT current_user") == [["secured"]])
    }

    @Test(
        "a URL that cannot be read is refused without repeating it",
        arguments: [
            "postgresql://user:pass%zzword@host/db", "host=a passsword=xyz", "http://x",
        ])
    func badURL(url: String) async throws {
        let error = try await failure(url)
        #expect(error?.code == .invalidRequest)
        #expect(error?.description.contains("word") == true ? error?.description.contains("zzword") == false : true)
    }

    @Test("a host without address is an error that names it")
    func unknownHost() async throws {
        let error = try await failure("postgresql://postgres@no-such-host.invalid/postgres", timeout: .seconds(20))
        #expect(error?.code == .connection)
        #expect(error?.message.contains("no-such-host.invalid") == true)
    }

    @Test("a server that accepts and says nothing is given up after the time limit")
    func silent() async throws {
        let listener = try SilentListener()
        let error = try await failure("postgresql://postgres@127.0.0.1:\(listener.port)/x", timeout: .milliseconds(200))
        #expect(error?.code == .connection)
        #expect(error?.message.contains("did not answer within 0.2 seconds") == true)
    }

    @Test("of several hosts the first that works is taken")
    func severalHosts() async throws {
        guard let url = server.tcpURL(), let working = url.split(separator: ":").last?.split(separator: "/").first
        else {
            return
        }
        let dead = try FreePort.find()
        let rows = try server.query(
            "postgresql://postgres@127.0.0.1:\(dead),localhost:\(working)/postgres", "SELECT inet_server_port()")
        #expect(rows == [[String(working)]])
    }

    @Test("over TLS requests and results of any size arrive")
    func tls() async throws {
        let server = try TestPostgres.start(tls: true)
        let url = try #require(server.tcpURL()) + "?sslmode=require"
        try await onLoop { loop in
            let connection = try await PostgresConnection.connect(PostgresConfiguration(url: url), loop: loop)
            let isEncrypted = try await connection.query(
                Statement("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"), deadline: .seconds(60))
            #expect(isEncrypted.rows[0].bool(0) == true)
            // Around the sizes of a TLS record and of libpq's buffer.
            let sizes: [Int64] = [
                1, 8_191, 8_192, 16_000, 16_383, 16_384, 16_385, 24_000, 32_768, 40_000, 65_536, 300_000,
            ]
            try await withThrowingTaskGroup(of: Void.self) { group in
                for size in sizes + sizes {
                    group.addTask {
                        let result = try await connection.query(
                            Statement(
                                "SELECT repeat('x', $1::int), $2::text", .int(size),
                                .text(String(repeating: "y", count: Int(size)))),
                            deadline: .seconds(60))
                        #expect(result.rows[0].string(0)?.utf8.count == Int(size))
                        #expect(result.rows[0].string(1)?.utf8.count == Int(size))
                    }
                }
                try await group.waitForAll()
            }
            await connection.close()
        }
    }

    @Test("an unsafe name of a setting is refused")
    func settingName() async throws {
        let url = server.url()
        try await onLoop { loop in
            let error = await #expect(throws: PostgresError.self) {
                _ = try await PostgresConnection.connect(
                    PostgresConfiguration(url: url, serverSettings: [(name: "a -c b", value: "1")]), loop: loop)
            }
            #expect(error?.code == .invalidRequest)
        }
    }

    @Test("a pool without a reachable server fails with the reason, at once if trying again is of no use")
    func poolReasons() async throws {
        let unknown = server.url(database: "nowhere")
        let port = try FreePort.find()
        try await onLoop { loop in
            let quiet = Log("test", minimum: .error)
            let pool = PostgresPool(PostgresConfiguration(url: unknown), size: 2, loop: loop, log: quiet)
            // A deadline beyond the test's own time limit.
            let error = await #expect(throws: PostgresError.self) {
                try await pool.query(Statement("SELECT 1"), deadline: .seconds(3600))
            }
            #expect(error?.sqlState == "3D000")
            #expect(error?.message.contains("nowhere") == true)
            await pool.close()

            let other = PostgresPool(
                PostgresConfiguration(url: "postgresql://postgres@127.0.0.1:\(port)/x"), size: 1, loop: loop, log: quiet
            )
            let refused = await #expect(throws: PostgresError.self) {
                try await other.query(Statement("SELECT 1"), deadline: .milliseconds(200))
            }
            #expect(refused?.code == .connection)
            #expect(refused?.message.contains("refused") == true)
            #expect(refused?.mayHaveHappened == false)
            await other.close()
        }
    }
}

/// Accepts connections in its backlog and never answers.
private final class SilentListener {
    let descriptor: Int32
    let port: UInt16

    init() throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let descriptor = descriptor
        let status = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(descriptor, address, length) == 0 && listen(descriptor, 5) == 0
                    && getsockname(descriptor, address, &length) == 0
            }
        }
        try #require(status)
        port = UInt16(bigEndian: address.sin_port)
    }

    deinit { close(descriptor) }
}
