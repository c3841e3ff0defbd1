import CBench
import Glibc
import HTTP
import HTTPTransport
import JSON
import PostgresClient
import Runtime

/// A cluster of real processes: one `carillon dev`, and a client's way into it.
final class Cluster: Sendable {
    let options: BenchOptions
    let loop: EventLoop
    let directory: String
    let process: pid_t
    let key: String
    let http: HTTPClient
    let database: PostgresConnection

    static let startPatience = Duration.seconds(90)
    static let stopPatience = Duration.seconds(40)

    var databaseURL: String { Self.databaseURL(directory) }
    private static func databaseURL(_ directory: String) -> String {
        "postgresql:///carillon?host=\(directory)/postgres/socket&user=carillon"
    }

    /// Where commands may write, whoever they run as.
    var outputDirectory: String { directory + "/out" }

    // MARK: Life

    /// - Returns: when every node knows who leads, and every worker is registered.
    static func start(_ options: BenchOptions, loop: EventLoop) async throws -> Cluster {
        let directory = options.directory
        guard mkdir(directory, 0o711) == 0 || errno == EEXIST else { throw BenchError("cannot make \(directory)") }
        mkdir(directory + "/out", 0o777)
        chmod(directory + "/out", 0o777)
        let log = open(directory + "/log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard log >= 0 else { throw BenchError("cannot write in \(directory)") }
        defer { close(log) }
        let words = [
            try neighbour("carillon"), "dev", "--nodes", "\(options.nodes)", "--workers", "\(options.workers)",
            "--port", "\(options.port)", "--data-dir", directory,
        ]
        let process = CWords.with(words) { cbench_start($0, log) }
        guard process > 0 else { throw BenchError("cannot start \(words[0]): \(String(cString: strerror(errno)))") }
        do {
            try await wait(until: "the cluster runs", atMost: startPatience, on: loop) {
                guard hasEnded(process) == nil else { throw BenchError("'carillon dev' has ended: \(tail(directory))") }
                return (try? SmallFile.read(directory + "/log"))?.contains("Carillon runs.") ?? false  // not there yet
            }
            let key = try SmallFile.read(directory + "/admin.key").filter { !$0.isNewline }
            let database = try await PostgresConnection.connect(
                PostgresConfiguration(url: databaseURL(directory), applicationName: "carillon-bench"), loop: loop)
            let cluster = Cluster(options, loop, directory, process, key, database)
            try await cluster.wait(until: "the workers are registered", atMost: .seconds(20)) {
                try await cluster.integer("SELECT count(*) FROM carillon.workers") == Int64(options.workers)
            }
            return cluster
        } catch {
            Output.note(tail(directory))
            await end(process, loop: loop)
            throw error
        }
    }

    private init(
        _ options: BenchOptions, _ loop: EventLoop, _ directory: String, _ process: pid_t, _ key: String,
        _ database: PostgresConnection
    ) {
        self.options = options
        self.loop = loop
        self.directory = directory
        self.process = process
        self.key = key
        self.database = database
        http = HTTPClient(loop: loop)
    }

    /// Ends it and removes its folder.
    func stop() async {
        http.close()
        await database.close()
        await Self.end(process, loop: loop)
        cbench_remove(directory)
    }

    private static func end(_ process: pid_t, loop: EventLoop) async {
        kill(process, SIGINT)
        let giveUp = loop.monotonicNow.advanced(by: stopPatience)
        while hasEnded(process) == nil {
            if loop.monotonicNow >= giveUp { kill(process, SIGKILL) }
            do { try await loop.sleep(for: .milliseconds(20)) } catch { return }
        }
    }

    /// Its status once it has ended.
    private static func hasEnded(_ process: pid_t) -> Int32? {
        var status: Int32 = 0
        let ended = waitpid(process, &status, WNOHANG)
        return ended == 0 ? nil : status
    }

    /// What the processes have said last.
    var lastMessages: String { Self.tail(directory) }

    private static func tail(_ directory: String) -> String {
        guard let text = try? SmallFile.read(directory + "/log") else { return "" }  // then there is nothing to show
        return text.split(separator: "\n").suffix(15).joined(separator: "\n")
    }

    /// A program that stands in this one's folder.
    static func neighbour(_ name: String) throws -> String {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink("/proc/self/exe", &buffer, buffer.count)
        let own = String(decoding: buffer[..<max(0, count)].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let path = own.prefix { _ in true }.split(separator: "/").dropLast().map { "/" + $0 }.joined() + "/" + name
        guard access(path, X_OK) == 0 else {
            throw BenchError("there is no \(path): build it with `swift build -c release`")
        }
        return path
    }

    // MARK: Waiting

    func wait(
        until what: String, atMost limit: Duration, every pause: Duration = .milliseconds(10),
        _ condition: () async throws -> Bool
    ) async throws {
        try await Self.wait(until: what, atMost: limit, every: pause, on: loop, condition)
    }

    private static func wait(
        until what: String, atMost limit: Duration, every pause: Duration = .milliseconds(10), on loop: EventLoop,
        _ condition: () async throws -> Bool
    ) async throws {
        let end = loop.monotonicNow.advanced(by: limit)
        while !(try await condition()) {
            guard loop.monotonicNow < end else { throw BenchError("waited \(limit) in vain until \(what)") }
            try await loop.sleep(for: pause)
        }
    }

    // MARK: Database

    func integer(_ sql: String) async throws -> Int64 {
        try await database.query(Statement(sql), deadline: .seconds(60)).rows.first?.requireInt64(0) ?? 0
    }

    func execute(_ sql: String, deadline: Duration = .seconds(3600)) async throws {
        try await database.script(sql, deadline: deadline)
    }

    // MARK: API

    func url(ofNode index: Int) -> String { "http://127.0.0.1:\(options.port + index)" }

    /// The port of the node that leads.
    func leaderPort() async throws -> Int {
        for index in 0..<options.nodes {
            let request = HTTPClientRequest(url: url(ofNode: index) + "/health/leader", timeout: .seconds(2))
            // One that was killed does not answer; the others are asked.
            guard let answer = try? await http.execute(request), answer.status == 200 else { continue }
            return options.port + index
        }
        throw BenchError("no node leads")
    }

    /// - Throws: unless the answer is 2xx.
    @discardableResult
    func send(_ method: HTTPMethod, _ path: String, body: JSONValue? = nil, port: Int) async throws -> [UInt8] {
        var headers: HTTPHeaders = ["X-API-Key": key]
        if body != nil { headers["Content-Type"] = "application/json" }
        let answer = try await http.execute(
            HTTPClientRequest(
                method: method, url: "http://127.0.0.1:\(port)\(path)", headers: headers,
                body: body?.serialized() ?? [], timeout: .seconds(30)))
        guard (200..<300).contains(answer.status) else {
            throw BenchError("\(method) \(path): \(answer.status) \(String(decoding: answer.body, as: UTF8.self))")
        }
        return answer.body
    }

    /// Posts jobs with a schedule, several at a time.
    func post(_ jobs: [JSONValue], clients: Int = 8) async throws {
        let port = try await leaderPort()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for client in 0..<min(clients, jobs.count) {
                group.addTask(executorPreference: loop) {
                    for index in stride(from: client, to: jobs.count, by: clients) {
                        try await self.send(.post, "/v1/scheduler/iso8601", body: jobs[index], port: port)
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    /// - Parameter schedule: ISO 8601, with the instant of the first occurrence.
    static func job(_ name: String, schedule: String, command: String) -> JSONValue {
        [
            "name": .string(name), "schedule": .string(schedule), "command": .string(command), "epsilon": "PT60S",
            "owner": "bench@example.org", "cpus": .number(0.001), "mem": .number(1), "disk": .number(1),
        ]
    }

    /// A job whose command is a program and not a shell.
    /// - Parameter megabytes: what it may take. The pages of a file that nobody has read lately count as well.
    static func job(
        _ name: String, schedule: String, program: String, arguments: [String], megabytes: Double = 32
    ) -> JSONValue {
        guard case .object(var object) = job(name, schedule: schedule, command: program) else { return .null }
        object["shell"] = false
        object["mem"] = .number(megabytes)
        object["arguments"] = .array(arguments.map { .string($0) })
        return .object(object)
    }
}
