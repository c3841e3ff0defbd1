import Foundation
import JSON
import TestSupport
import Testing

// The harness of the tests with real processes: a database of its own, N nodes and M workers from the executable that
// was built with the tests, on free ports. Everything blocks, on a thread that the harness makes for the test, so that
// tests read from top to bottom. Nothing is left behind, whatever happens to the test's process: each child has a small
// shell beside it that kills it when the pipe to the test closes.
//
//     try await Cluster.run(nodes: 3, workers: 1) { cluster in
//         let leader = try cluster.waitForLeader()
//         try cluster.node(leader).kill()
//         try cluster.waitForLeader(otherThan: leader)
//     }
//
// A test that throws (so use `#require` rather than `#expect` for what matters) shows the end of every log.

/// One cluster of real processes.
final class Cluster {
    struct Options: Sendable {
        var nodes = 1
        var workers = 1
        /// More words for each node's and each worker's command line.
        var nodeArguments: [String] = []
        var workerArguments: [String] = []
        /// What members are, and what makes the schema; nil: the executable that was built with the tests.
        var executable: String?
        /// A server of the test's own, for tests that stop it; nil: a fresh database on the shared one.
        var postgres: TestPostgres?
        /// An ordinary role that owns the database and that all members use; nil: the superuser.
        var role: String?
        /// Makes the database and says who comes in how; nil: a fresh one.
        var makeDatabase: (@Sendable (TestPostgres) throws -> Database)?
        /// Members have hosts of their own in it, named as they are, and PostgreSQL has `db`.
        var network: TestNetwork?
        /// A port of this machine that leads to PostgreSQL, for members to go that way.
        var databasePort: Int?
        /// Words of a command that executes each node's command line, which follows them.
        var nodeWrapper: (@Sendable (_ folder: String, _ node: String) throws -> [String])?
        /// Members serve HTTPS and show each other certificates of it; nil: HTTP.
        var authority: TestAuthority?
        /// Whether `run` waits until a leader exists and all workers are known to it.
        var waitsUntilReady = true
    }

    /// One database, by the roles that use it.
    struct Database: Sendable {
        var superuserURL: String
        /// Whom the schema belongs to.
        var ownerURL: String
        var membersURL: String
    }

    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// How long what must happen may take on a machine that is busy with other tests.
    static let patience = 30.0
    static let pollMicroseconds: UInt32 = 20_000
    /// Bytes of each log that a failure shows.
    static let shownLog = 6_000

    let options: Options
    let folder: String
    /// As the members use it, but through the unix socket, which needs no network.
    let databaseURL: String
    /// As the members use it.
    private let membersURL: String
    let superuserURL: String
    private let ownerURL: String
    /// A key with all privileges.
    private(set) var key = ""
    private(set) var nodes: [ClusterProcess] = []
    private(set) var workers: [ClusterProcess] = []
    let postgres: TestPostgres
    /// Jobs that are due all the time, once there are some.
    var ticking: [Ticking] = []

    /// Makes a cluster, runs the body and ends everything.
    static func run(
        nodes: Int = 1, workers: Int = 1, nodeArguments: [String] = [], workerArguments: [String] = [],
        _ body: @escaping @Sendable (Cluster) throws -> Void
    ) async throws {
        var options = Options()
        options.nodes = nodes
        options.workers = workers
        options.nodeArguments = nodeArguments
        options.workerArguments = workerArguments
        try await run(options, body)
    }

    static func run(_ options: Options, _ body: @escaping @Sendable (Cluster) throws -> Void) async throws {
        // A loop's thread of its own: blocking it disturbs no other test, and issues are attributed to this one.
        try await onLoop { _ in
            let cluster = try started(options)
            defer { cluster.end() }
            try cluster.showingLogs { try body(cluster) }
        }
    }

    /// A cluster that the caller ends.
    static func started(_ options: Options) throws -> Cluster {
        let cluster = try Cluster(options)
        do { try cluster.showingLogs { try cluster.start() } } catch {
            cluster.end()
            throw error
        }
        return cluster
    }

    /// Shows the end of all logs if the body throws.
    func showingLogs<T>(_ body: () throws -> T) throws -> T {
        do { return try body() } catch {
            showLogs()
            throw error
        }
    }

    private init(_ options: Options) throws {
        self.options = options
        let postgres = try options.postgres ?? TestPostgres.shared()
        self.postgres = postgres
        if let database = try options.makeDatabase?(postgres) {
            superuserURL = database.superuserURL
            ownerURL = database.ownerURL
            databaseURL = database.membersURL
        } else {
            let superuserURL = try postgres.freshDatabase()
            self.superuserURL = superuserURL
            ownerURL = try options.role.map { try Self.own(superuserURL, role: $0, postgres) } ?? superuserURL
            databaseURL = ownerURL
        }
        membersURL = try Self.membersURL(databaseURL, options, postgres)
        folder = NSTemporaryDirectory() + "carillon-cluster-\(UUID().uuidString.prefix(8))"
        // Others may pass, for commands that run as another user.
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o711])
    }

    /// Makes the role and gives it the database.
    private static func own(_ url: String, role: String, _ postgres: TestPostgres) throws -> String {
        let name = try postgres.query(url, "SELECT current_database()").first?.first.flatMap { $0 } ?? ""
        try postgres.query(url, "CREATE ROLE \(role) LOGIN")
        try postgres.query(url, "ALTER DATABASE \(name) OWNER TO \(role)")
        return url.replacingOccurrences(of: "//postgres@", with: "//\(role)@")
    }

    private static func membersURL(_ url: String, _ options: Options, _ postgres: TestPostgres) throws -> String {
        guard options.network != nil || options.databasePort != nil else { return url }
        let database = url.prefix { $0 != "?" }.split(separator: "/").last.map(String.init) ?? ""
        let address = try options.network?.address(databaseHost) ?? "127.0.0.1"
        guard
            let url = postgres.tcpURL(
                host: address, port: options.databasePort, database: database, user: options.role ?? "postgres")
        else { throw Failure(description: "there is no other way to a server that is not ours") }
        return url
    }

    private func start() throws {
        let secret = folder + "/secret"
        try "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n".write(
            toFile: secret, atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: secret)
        let executable = options.executable ?? Executable.path
        try migrate(with: executable)
        let made = try Executable.run(
            executable, ["key", "create", "--database-url", databaseURL, "--title", "test", "--privilege", "admin"])
        guard made.status == 0 else { throw Failure(description: "carillon key create: \(made.errors)") }
        key = made.output.trimmingCharacters(in: .whitespacesAndNewlines)
        for index in 1...max(1, options.nodes) where index <= options.nodes { try addNode("node-\(index)") }
        for index in 1...max(1, options.workers) where index <= options.workers { try addWorker("worker-\(index)") }
        guard options.waitsUntilReady, options.nodes > 0 else { return }
        try waitForLeader()
        let names = Set(workers.map(\.name))
        try wait("the leader knows \(names.sorted())") {
            names.isSubset(of: Set((try? self.workerStates().keys.map { $0 }) ?? []))
        }
    }

    /// Brings the schema to the executable's version.
    func migrate(with executable: String) throws {
        let result = try Executable.run(executable, ["migrate", "--database-url", ownerURL])
        guard result.status == 0 else { throw Failure(description: "carillon migrate: \(result.errors)") }
    }

    // MARK: Members

    /// Starts one more node.
    @discardableResult
    func addNode(_ name: String, arguments: [String] = []) throws -> ClusterProcess {
        let (address, host) = try place(name)
        let (url, certificates) = try secured(name, address, arguments)
        let words = [
            "node", "--database-url", membersURL, "--no-migrate", "--listen", address, "--advertise", url,
            "--name", name, "--secret-file", folder + "/secret",
        ]
        let wrapper = try options.nodeWrapper?(folder, name) ?? []
        let node = try ClusterProcess(
            name, url: url, folder: folder, words: words + certificates + options.nodeArguments + arguments,
            wrapper: host + wrapper, executable: options.executable)
        nodes.append(node)
        return node
    }

    /// Starts one more worker, which knows the nodes that are there now.
    /// - Parameter wrapper: a command that executes the worker's command line, which follows its own words.
    @discardableResult
    func addWorker(_ name: String, arguments: [String] = [], wrapper: [String] = []) throws -> ClusterProcess {
        let (address, host) = try place(name)
        let (url, certificates) = try secured(name, address, arguments)
        let words =
            ["worker"] + nodes.flatMap { ["--node", $0.url] } + [
                "--listen", address, "--advertise", url, "--name", name,
                "--secret-file", folder + "/secret", "--work-dir", "\(folder)/\(name)",
            ] + (geteuid() == 0 ? ["--default-user", "root"] : [])
        let worker = try ClusterProcess(
            name, url: url, folder: folder, words: words + certificates + options.workerArguments + arguments,
            wrapper: host + wrapper, executable: options.executable)
        workers.append(worker)
        return worker
    }

    /// The member's URL, and its options for TLS with a certificate of its own, unless its arguments have those.
    private func secured(
        _ name: String, _ address: String, _ arguments: [String]
    ) throws -> (url: String, words: [String]) {
        guard let authority = options.authority else { return ("http://" + address, []) }
        guard !arguments.contains("--tls-certificate") else { return ("https://" + address, []) }
        return ("https://" + address, try Self.certificateWords(try authority.issue(name), authority))
    }

    static func certificateWords(_ pair: TestAuthority.Pair, _ authority: TestAuthority) throws -> [String] {
        [
            "--tls-certificate", pair.certificate, "--tls-key", pair.key, "--tls-ca", authority.certificate,
            "--tls-client-ca", authority.certificate,
        ]
    }

    static let databaseHost = "db"

    /// Where a member listens, and how it gets to its host.
    private func place(_ name: String) throws -> (address: String, wrapper: [String]) {
        guard let network = options.network else { return ("127.0.0.1:\(try FreePort.find())", []) }
        return (try network.address(name) + ":8080", network.wrapper(name))
    }

    func node(_ name: String) throws -> ClusterProcess { try member(name, of: nodes) }

    func worker(_ name: String) throws -> ClusterProcess { try member(name, of: workers) }

    private func member(_ name: String, of members: [ClusterProcess]) throws -> ClusterProcess {
        guard let member = members.first(where: { $0.name == name }) else {
            throw Failure(description: "there is no \(name)")
        }
        return member
    }

    // MARK: Asking

    /// The name of the node that says of itself that it leads, as seen through its own port; nil if none does.
    func leader() -> String? {
        nodes.first { node in
            guard node.isRunning else { return false }
            // A node that does not answer in time does not lead as far as a client can tell.
            guard let answer = try? request("GET", node.url + "/v1/scheduler/leader", timeout: 2) else { return false }
            return answer.status == 200
                && answer.json?["leader"]?.stringValue.map { node.url.hasSuffix("//" + $0) } == true
        }?.name
    }

    /// Waits until a node leads, and returns its name.
    @discardableResult
    func waitForLeader(otherThan former: String? = nil, within seconds: Double = patience) throws -> String {
        var found: String?
        try wait("a leader" + (former.map { " other than \($0)" } ?? ""), within: seconds) {
            found = self.leader()
            return found != nil && found != former
        }
        guard let found else { throw Failure(description: "no leader") }
        return found
    }

    /// Polls a condition.
    /// - Throws: `Failure` when it has not become true in time.
    func wait(_ what: String, within seconds: Double = patience, until condition: () throws -> Bool) throws {
        let end = Date().addingTimeInterval(seconds)
        while !(try condition()) {
            guard Date() < end else { throw Failure(description: "not within \(seconds) s: \(what)") }
            usleep(Self.pollMicroseconds)
        }
    }

    /// A request with the administrator's key. Redirects are not followed.
    func request(
        _ method: String, _ url: String, body: String? = nil, headers: [String: String] = [:], timeout: Double = 10
    ) throws -> TestHTTP.Answer {
        var headers = headers
        if headers["X-API-Key"] == nil { headers["X-API-Key"] = key }
        if body != nil, headers["Content-Type"] == nil { headers["Content-Type"] = "application/json" }
        if let authority = options.authority {
            return try TestHTTP.curl(
                method, url, headers: headers, body: body, timeout: timeout, authority: authority.certificate)
        }
        guard let network = options.network else {
            return try TestHTTP.request(method, url, headers: headers, body: body, timeout: timeout)
        }
        return try TestHTTP.request(
            method, url, headers: headers, body: body, timeout: timeout, socket: network.socket)
    }

    /// A request to whichever node leads, repeated while nobody does.
    @discardableResult
    func leaderRequest(_ method: String, _ path: String, body: String? = nil) throws -> TestHTTP.Answer {
        let end = Date().addingTimeInterval(Self.patience)
        while true {
            let leader = try node(try waitForLeader())
            do {
                let answer = try request(method, leader.url + path, body: body)
                if answer.status != 503 && answer.status != 302 { return answer }
            } catch {
                // Only what is safe to repeat: the leader may have died after it had executed the request.
                guard method == "GET", Date() < end else { throw error }
            }
            guard Date() < end else { throw Failure(description: "\(method) \(path): the leadership does not settle") }
            usleep(Self.pollMicroseconds)
        }
    }

    /// State of each worker that the leader knows, by name.
    func workerStates() throws -> [String: String] {
        let answer = try leaderRequest("GET", "/carillon/v1/workers")
        let workers = answer.json?["workers"]?.arrayValue ?? []
        return Dictionary(
            workers.map { ($0["name"]?.stringValue ?? "", $0["state"]?.stringValue ?? "") },
            uniquingKeysWith: { _, last in last })
    }

    /// The newest runs, of one job or all.
    func runs(of job: String? = nil, limit: Int = 100) throws -> [JSONValue] {
        let filter = job.map { "&job=\($0)" } ?? ""
        let answer = try leaderRequest("GET", "/carillon/v1/runs?limit=\(limit)\(filter)")
        return answer.json?["runs"]?.arrayValue ?? []
    }

    /// Rows of one statement, as text.
    @discardableResult
    func query(_ sql: String) throws -> [[String?]] {
        try postgres.query(superuserURL, sql)
    }

    /// Runs a `carillon` command of short duration and returns its standard output.
    /// - Throws: `Failure` with its standard error if its exit status is not 0.
    @discardableResult
    func carillon(_ words: [String], environment: [String: String] = [:]) throws -> String {
        let result = try Executable.run(words, environment: environment)
        guard result.status == 0 else {
            throw Failure(
                description:
                    "carillon \(words.prefix(2).joined(separator: " ")): status \(result.status): \(result.errors)")
        }
        return result.output
    }

    // MARK: End

    func end() {
        for process in workers + nodes { process.end() }
        killLeftovers()
        for worker in workers { WorkerGroups.remove(ofWorkerIn: "\(folder)/\(worker.name)") }
        // What cannot be removed is in the system's folder for temporary files.
        try? FileManager.default.removeItem(atPath: folder)
    }

    /// Commands of runs whose worker was killed, known by their working directory in this cluster's folder.
    private func killLeftovers() {
        for entry in (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? [] {
            guard let pid = Int32(entry),
                let place = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(pid)/cwd"),
                place.hasPrefix(folder + "/")
            else { continue }
            kill(pid, SIGKILL)
        }
    }

    private func showLogs() {
        var text = ""
        for process in nodes + workers {
            text += "----- \(process.name) (\(process.isRunning ? "running" : "ended")), end of its log:\n"
            text += process.log.suffix(Self.shownLog) + "\n"
        }
        FileHandle.standardError.write(Data(text.utf8))
    }
}
