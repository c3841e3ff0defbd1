import Foundation
import PostgresClient
import Synchronization

/// A PostgreSQL server for tests.
public final class TestPostgres: Sendable {
    public struct Failure: Error, CustomStringConvertible {
        public let description: String
    }

    private let supervisor: Supervisor?
    /// The URL without the database's name: what goes before and after it.
    private let prefix: String
    private let suffix: String
    /// The same through TCP; nil for a server that is not ours.
    private let port: Int?
    private let databases = Atomic<Int>(0)

    private static let sharedServer = Mutex<TestPostgres?>(nil)

    /// The server that all tests of this process share: the one that `CARILLON_TEST_DATABASE_URL` names, else a private
    /// one that is started with the first call. Do not stop it.
    public static func shared() throws -> TestPostgres {
        try sharedServer.withLock { server in
            if let server { return server }
            let new: TestPostgres
            if let url = ProcessInfo.processInfo.environment["CARILLON_TEST_DATABASE_URL"] {
                new = try TestPostgres(external: url)
            } else {
                // Shared by tests that run beside each other on a busy machine: not in a hurry.
                new = try start(urlParameters: "&connect_timeout=60")
            }
            server = new
            return new
        }
    }

    /// A server of the caller's own, for tests that stop it. It ends with the last reference.
    /// - Parameters:
    ///   - settings: lines for postgresql.conf.
    ///   - tls: whether it takes TLS on its port, with a certificate that it has signed itself.
    ///   - wrapper: words of a command that executes those that follow, such as one that enters a namespace.
    ///   - trusted: addresses beside this machine's own that may come in, such as `10.0.0.0/24`.
    public static func start(
        settings: [String] = [], tls: Bool = false, wrapper: [String] = [], trusted: String = ""
    ) throws -> TestPostgres {
        let tlsSettings = [
            "ssl = on", "ssl_cert_file = 'server.crt'", "ssl_key_file = 'server.key'",
        ]
        let settings = settings + (tls ? tlsSettings : [])
        return try start(settings: settings, urlParameters: "", wrapper: wrapper, trusted: trusted)
    }

    private static func start(
        settings: [String] = [], urlParameters: String, wrapper: [String] = [], trusted: String = ""
    ) throws -> TestPostgres {
        var failure: (any Error)?
        // Somebody may take the port between the choice and the start.
        for _ in 0..<3 {
            do {
                let port = try FreePort.find()
                let supervisor = try Supervisor(port: port, settings: settings, wrapper: wrapper, trusted: trusted)
                return TestPostgres(supervisor, port: port, urlParameters: urlParameters)
            } catch { failure = error }
        }
        throw failure ?? Failure(description: "PostgreSQL did not start")
    }

    private init(_ supervisor: Supervisor, port: Int, urlParameters: String) {
        self.supervisor = supervisor
        self.port = port
        prefix = "postgresql://postgres@/"
        suffix = "?host=\(supervisor.directory)&port=\(port)\(urlParameters)"
    }

    private init(external url: String) throws {
        guard let start = url.range(of: "://"), let slash = url[start.upperBound...].firstIndex(of: "/") else {
            throw Failure(description: "CARILLON_TEST_DATABASE_URL must look like postgresql://user@host:port/database")
        }
        supervisor = nil
        port = nil
        prefix = String(url[...slash])
        suffix = url.firstIndex(of: "?").map { String(url[$0...]) } ?? ""
    }

    /// The URL of a database, through the unix socket.
    public func url(database: String = "postgres") -> String { prefix + database + suffix }

    /// Nil for a server that is not ours.
    public var tcpPort: Int? { port }

    /// The URL of a database through TCP, for the user postgres if not said otherwise, and to the server's own port if
    /// there is not another way to it; nil for a server that is not ours. The role `secured`, which a test makes, needs its password there.
    public func tcpURL(
        host: String = "127.0.0.1", port way: Int? = nil, database: String = "postgres", user: String = "postgres",
        password: String? = nil
    ) -> String? {
        guard let port = port.map({ way ?? $0 }) else { return nil }
        let credentials = password.map { "\(user):\($0)" } ?? user
        return "postgresql://\(credentials)@\(host):\(port)/\(database)"
    }

    /// Makes an empty database and returns its URL.
    public func freshDatabase() throws -> String {
        let number = databases.wrappingAdd(1, ordering: .relaxed).newValue
        let name = "test_\(ProcessInfo.processInfo.processIdentifier)_\(number)"
        try query(url(), "CREATE DATABASE \(name)")
        return url(database: name)
    }

    /// Executes one statement on a connection of its own and returns its rows as text. Blocks the calling thread.
    @discardableResult
    public func query(_ url: String, _ sql: String) throws -> [[String?]] {
        try blocking { loop in
            var configuration = PostgresConfiguration(url: url)
            configuration.applicationName = "carillon test"
            configuration.connectTimeout = .seconds(20)
            let connection = try await PostgresConnection.connect(configuration, loop: loop)
            let result = try await connection.query(Statement(sql), deadline: .seconds(30))
            await connection.close()
            return result.rows.map { row in (0..<row.columnCount).map { row.string($0) } }
        }
    }

    /// Ends the sessions of clients with this application name, as an operator would; returns how many.
    @discardableResult
    public func terminate(applicationName: String) throws -> Int {
        let quoted = applicationName.replacingOccurrences(of: "'", with: "''")
        return try query(
            url(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '\(quoted)'"
        ).count
    }

    // MARK: Faults

    /// Stops the server: its sessions are ended properly.
    public func stop() throws { try order("stop") }

    /// Starts it again after `stop` or `kill`, with the same data, socket and port.
    public func startAgain() throws { try order("start") }

    public func restart() throws {
        try order("stop")
        try order("start")
    }

    /// Kills all of its processes at once, as a crash would.
    public func kill() throws { try order("kill") }

    /// Freezes all of its processes: connections stay open and nothing answers.
    public func freeze() throws { try order("freeze") }

    public func thaw() throws { try order("thaw") }

    private func order(_ command: String) throws {
        guard let supervisor else {
            throw Failure(description: "the server of CARILLON_TEST_DATABASE_URL is not ours to \(command)")
        }
        try supervisor.order(command)
    }
}
