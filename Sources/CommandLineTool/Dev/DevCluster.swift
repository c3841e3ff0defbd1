import Glibc
import HTTP
import HTTPTransport
import JSON
import Runtime
import Synchronization

/// The processes of one `carillon dev`, from the first to the last.
///
/// Order of starting: database, schema, key, nodes, workers; of stopping: workers, nodes, database. Whatever ends this
/// process, the kernel tells its children (see `ChildProcess`), so nothing is left behind.
///
/// Lives on the main thread's loop, as its children must: that is the reason for `@unchecked Sendable`.
final class DevCluster: @unchecked Sendable {
    /// Before a member that died is started again: long enough to watch another node take over.
    static let restartPause = Duration.seconds(3)
    static let leaderPatience = Duration.seconds(30)
    static let toolPatience = Duration.seconds(120)
    static let workerPatience = Duration.seconds(20)
    static let nodePatience = Duration.seconds(15)
    static let databasePatience = Duration.seconds(30)
    /// A second signal within this time is the same wish: some tools signal the process and then its whole group.
    static let signalPause = Duration.seconds(1)

    private enum Kind { case worker, node, database }

    private let settings: DevCommand.Settings
    private let loop: EventLoop
    private let signals: SignalStream
    private let executable: String
    /// Everything that runs, in the order of starting.
    private var children: [(kind: Kind, child: ChildProcess)] = []
    private var socketFolder: String?

    static func run(_ settings: DevCommand.Settings) throws -> Int32 {
        let loop = try EventLoop()
        // Before any other thread is there, so that all of them have these signals blocked.
        let signals = try SignalStream(loop: loop, signals: [SIGINT, SIGTERM, SIGHUP, SIGCHLD])
        let cluster = DevCluster(settings, loop: loop, signals: signals, executable: try ownExecutable())
        return try loop.runUntilComplete { try await cluster.live() }
    }

    /// A path rather than /proc/self/exe, which would be setpriv in the child.
    private static func ownExecutable() throws -> String {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink("/proc/self/exe", &buffer, buffer.count)
        guard count > 0 else { throw DevFiles.FileError("cannot read /proc/self/exe") }
        return String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private init(_ settings: DevCommand.Settings, loop: EventLoop, signals: SignalStream, executable: String) {
        self.settings = settings
        self.loop = loop
        self.signals = signals
        self.executable = executable
    }

    // MARK: Life

    private enum Outcome: Sendable {
        case signalled
        case failed(any Error)
        case reaperEnded
    }

    /// Starts everything, runs until a signal comes or something fails, and stops everything.
    private func live() async throws -> Int32 {
        try await withThrowingTaskGroup(of: Outcome.self) { group in
            let stopWanted = WakeUp()
            group.addTask(executorPreference: loop) {
                // Ends only when it is cancelled.
                do { try await self.receiveSignals(stopWanted) } catch {}
                return .reaperEnded
            }
            let first = try await withThrowingTaskGroup(of: Outcome.self) { work in
                work.addTask(executorPreference: self.loop) {
                    do { try await self.startAndSupervise() } catch { return .failed(error) }
                    return .signalled
                }
                work.addTask(executorPreference: self.loop) {
                    // A cancelled wait means that the other has failed.
                    do { try await stopWanted.wait() } catch {}
                    return .signalled
                }
                let first = try await work.next() ?? .signalled
                work.cancelAll()
                return first
            }
            do { try await stopAll(stopWanted) } catch { Console.error("stopping: \(error)") }
            group.cancelAll()
            if case .failed(let error) = first { throw error }
            return 0
        }
    }

    /// Reaps children; tells of signals that mean the end.
    private func receiveSignals(_ stopWanted: WakeUp) async throws {
        var last: MonotonicInstant?
        while true {
            if try await signals.next() == SIGCHLD {
                for (_, child) in children { child.reap() }
                continue
            }
            let now = loop.monotonicNow
            if let last, last.duration(to: now) < Self.signalPause { continue }
            last = now
            stopWanted.signal()
        }
    }

    private func startAndSupervise() async throws {
        let folder = try DevFiles.makeFolder(settings.dataDirectory)
        try DevFiles.lock(folder)
        let workerPorts = try choosePorts()
        let secretFile = try DevFiles.secretFile(in: folder)

        let postgres = try await PrivatePostgres.prepare(in: folder) { try await self.perform("postgres", $0) }
        socketFolder = postgres.socketFolder
        try await postgres.waitForFormerServer(on: loop)
        let server = try start(.database, "postgres", postgres.program)
        try await postgres.waitUntilReady(loop: loop) { server.ending != nil }
        try await perform("migrate", own(["migrate", "--database-url", postgres.url]))
        let key = try await administratorKey(folder, databaseURL: postgres.url)

        let plan = DevPlan(
            settings, folder: folder, databaseURL: postgres.url, secretFile: secretFile, workerPorts: workerPorts,
            isRoot: geteuid() == 0)
        try await plan.certificates?.prepare { try await self.perform("openssl", $0) }
        let nodes = try plan.nodes.map { ($0, try start(.node, $0.name, own($0.words))) }
        let workers = try plan.workers.map { ($0, try start(.worker, $0.name, own($0.words))) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask(executorPreference: loop) {
                let ending = try await server.waitForEnd()
                throw PrivatePostgres.Failure(description: "PostgreSQL has ended with \(ending)")
            }
            for (member, child) in nodes {
                group.addTask(executorPreference: self.loop) { try await self.supervise(.node, member, child) }
            }
            for (member, child) in workers {
                group.addTask(executorPreference: self.loop) { try await self.supervise(.worker, member, child) }
            }
            group.addTask(executorPreference: loop) {
                let leader = try await self.waitForLeader(plan, key: key)
                Console.out(plan.banner(leader: leader, folder: folder, key: key))
                // The group lives on without this one.
                while true { try await self.loop.sleep(for: .seconds(86_400)) }
            }
            try await group.next()
            group.cancelAll()
        }
    }

    private func choosePorts() throws -> [Int] {
        for port in settings.port..<(settings.port + settings.nodes) where !LocalPort.isFree(port) {
            throw DevFiles.FileError(
                description: "port \(port) on 127.0.0.1 is taken or not permitted: choose others with --port")
        }
        let nodePorts = settings.port..<(settings.port + settings.nodes)
        let ports = LocalPort.free(settings.workers, from: DevCommand.firstWorkerPort) { port in
            !nodePorts.contains(port) && LocalPort.isFree(port)
        }
        guard ports.count == settings.workers else {
            throw DevFiles.FileError(
                description: "there are no \(settings.workers) free ports from \(DevCommand.firstWorkerPort) on")
        }
        return ports
    }

    private func administratorKey(_ folder: String, databaseURL: String) async throws -> String {
        let path = folder + "/admin.key"
        if let key = try DevFiles.readSecret(path) { return key }
        let words = ["key", "create", "--database-url", databaseURL, "--title", "dev admin", "--privilege", "admin"]
        let printed = try await perform("key", own(words), captures: true)
        let key = trimmed(String(decoding: printed, as: UTF8.self).prefix { !$0.isNewline })
        guard !key.isEmpty else { throw DevFiles.FileError(description: "'carillon key create' has printed nothing") }
        try DevFiles.writeSecret(key, to: path)
        return key
    }

    /// Waits until every node knows who leads, so that whatever is typed next works at each of them.
    /// - Returns: host and port of the leader; nil if there was none in time.
    private func waitForLeader(_ plan: DevPlan, key: String) async throws -> String? {
        let http = HTTPClient(loop: loop)
        defer { http.close() }
        let start = loop.monotonicNow
        let tls = try plan.certificates?.client() ?? HTTPClientTLS()
        var leader: String?
        for node in plan.nodes {
            var client = APIClient(url: node.url, key: key, http: http, timekeeper: loop, tls: tls)
            client.patience = .zero
            repeat {
                leader = try await self.leader(knownTo: client)
                if leader != nil { break }
                try await loop.sleep(for: .milliseconds(50))
            } while start.duration(to: loop.monotonicNow) < Self.leaderPatience
        }
        if leader == nil {
            Console.error("no node leads after \(Self.leaderPatience): the messages above say why")
        }
        return leader
    }

    private func leader(knownTo client: APIClient) async throws -> String? {
        do {
            let url = try await client.json(.get, "/health")["leader"]?.stringValue
            return url.flatMap { $0.split(separator: "/").last.map(String.init) }
        } catch let error as APIClient.Failure {
            // Not yet: the node starts.
            guard error.status == nil || error.status == 503 else { throw error }
            return nil
        }
    }

    // MARK: Children

    private func own(_ words: [String]) -> ChildProcess.Program {
        .init(path: executable, arguments: words)
    }

    /// Starts what runs on; its output goes to standard error, line by line.
    private func start(_ kind: Kind, _ name: String, _ program: ChildProcess.Program) throws -> ChildProcess {
        let child = try ChildProcess(name, program, loop: loop, take: forwarder(name))
        children.append((kind, child))
        if kind != .database { Console.error("\(name) runs as process \(child.pid)") }
        return child
    }

    /// Runs a program to its end.
    /// - Throws: `ChildFailure` if its status is not 0.
    private func perform(_ name: String, _ program: ChildProcess.Program) async throws {
        _ = try await perform(name, program, captures: false)
    }

    /// - Parameter captures: returns its standard output; else all of its output is shown if it fails.
    @discardableResult
    private func perform(_ name: String, _ program: ChildProcess.Program, captures: Bool) async throws -> [UInt8] {
        let captured = Captured()
        let child = try ChildProcess(name, program, loop: loop, errorOutput: captures ? STDERR_FILENO : nil) {
            captured.add($0)
        }
        children.append((.worker, child))
        defer { children.removeAll { $0.child === child } }
        let ending: ChildProcess.Ending
        do {
            ending = try await withDeadline(Self.toolPatience, on: loop, name) { try await child.waitForEnd() }
        } catch {
            child.send(SIGKILL)
            throw error
        }
        guard ending == .exited(0) else {
            let show = forwarder(name)
            show(captured.bytes[...])
            show(nil)
            throw DevCommand.ChildFailure(name: program.path, ending: ending)
        }
        return captured.bytes
    }

    private final class Captured: Sendable {
        private static let limit = 64 << 10
        private let storage = Mutex<[UInt8]>([])
        var bytes: [UInt8] { storage.withLock { $0 } }

        func add(_ bytes: ArraySlice<UInt8>?) {
            storage.withLock { if let bytes, $0.count + bytes.count <= Self.limit { $0 += bytes } }
        }
    }

    private func forwarder(_ name: String) -> @Sendable (ArraySlice<UInt8>?) -> Void {
        let prefixer = Mutex(LinePrefixer(name, width: "worker-1".count))
        return { @Sendable bytes in
            for line in prefixer.withLock({ $0.add(bytes) }) {
                Console.error(String(decoding: line, as: UTF8.self))
            }
        }
    }

    /// Starts a member again whenever it ends. Only cancellation ends this.
    private func supervise(_ kind: Kind, _ member: DevPlan.Member, _ first: ChildProcess) async throws {
        var child = first
        while true {
            let ending = try await child.waitForEnd()
            Console.error("\(member.name) has ended with \(ending); it is started again in \(Self.restartPause)")
            children.removeAll { $0.child === child }
            try await loop.sleep(for: Self.restartPause)
            child = try start(kind, member.name, own(member.words))
        }
    }

    // MARK: Stopping

    /// Ends everything in order; a second signal to this process makes it short.
    private func stopAll(_ stopWanted: WakeUp) async throws {
        if !children.isEmpty { Console.error("stopping") }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask(executorPreference: loop) {
                // Cancelled when all has ended in order.
                try await stopWanted.wait()
                Console.error("stopping at once")
                for (kind, child) in self.children { child.send(kind == .database ? SIGQUIT : SIGKILL) }
                while true { try await self.loop.sleep(for: .seconds(86_400)) }
            }
            try await stop(.worker, SIGTERM, Self.workerPatience)
            try await stop(.node, SIGTERM, Self.nodePatience)
            // SIGINT is PostgreSQL's fast shutdown: it ends connections and writes a checkpoint.
            try await stop(.database, SIGINT, Self.databasePatience)
            group.cancelAll()
            // The helper's cancellation is what was wanted.
            do { try await group.waitForAll() } catch is CancellationError {}
        }
        if let socketFolder { PostgresFolder.removeSocketFolder(socketFolder) }
    }

    private func stop(_ kind: Kind, _ signal: Int32, _ patience: Duration) async throws {
        let loop = loop
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (_, child) in children.filter({ $0.kind == kind }) {
                group.addTask(executorPreference: loop) { try await child.end(signal, patience: patience) }
            }
            try await group.waitForAll()
        }
        children.removeAll { $0.kind == kind && $0.child.ending != nil }
    }
}
