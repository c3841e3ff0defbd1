import Crypto
import Domain
public import Execution
import Glibc
import HTTP
import HTTPTransport
import JSON
import Outbound
public import Runtime
import WorkerProtocol

/// What an operator sets of a worker.
public struct WorkerHostConfiguration: Sendable {
    /// URLs of nodes; one is enough to find the leader, several survive its end.
    public var nodes: [String]
    public var host: String
    public var port: Int
    public var advertisedURL: String
    public var name: String
    public var secret: String
    public var workDirectory: String
    public var attributes: [String: String] = [:]
    public var cpus: Double?
    /// Megabytes.
    public var memory: Double?
    /// Megabytes.
    public var disk: Double?
    public var allowedUsers: Set<String> = []
    public var defaultUser = ""
    /// Hard limits by control groups.
    public var groups = ControlGroupSettings()
    /// Processes and threads of a run whose job names no lower limit; 0: any number.
    public var processLimit: Int64 = 4_096
    /// Containers and downloads.
    public var outbound = OutboundConfiguration()
    /// Nil: HTTP, and the system's authorities for nodes with https URLs.
    public var tls: ClusterTLS?
    /// All runs outlive the worker's process and are taken over by the next one, not only detached ones.
    public var adoptsAll = false
    public var killGrace = Duration.seconds(10)
    /// How long running commands get to end when the worker is stopped.
    public var stopGrace = Duration.seconds(10)

    public init(
        nodes: [String], host: String, port: Int, advertisedURL: String, name: String, secret: String,
        workDirectory: String
    ) {
        self.nodes = nodes
        self.host = host
        self.port = port
        self.advertisedURL = advertisedURL
        self.name = name
        self.secret = secret
        self.workDirectory = workDirectory
    }
}

/// One worker: its agent, the side of it that leaders speak to, and its link to the nodes. Runs until it is cancelled;
/// then it ends its commands and reports them.
public struct WorkerHost: Sendable {
    private let configuration: WorkerHostConfiguration
    private let loop: EventLoop
    private let log: Log

    public init(_ configuration: WorkerHostConfiguration, loop: EventLoop) {
        self.configuration = configuration
        self.loop = loop
        log = Log("worker").with("worker", configuration.name)
    }

    /// - Parameter stop: returns when the worker shall end.
    public func run(until stop: @escaping @Sendable () async throws -> Void) async throws {
        let clock = SystemClock(timekeeper: loop)
        let ring = try SecretRing(parsing: configuration.secret)
        if ring.isShort { log.warning(SecretRing.advice) }
        let client = HTTPClient(loop: loop)
        defer { client.close() }
        let signed = SignedClient(
            client: client,
            signer: try MessageSigner(ring: ring, direction: .workerToNode, sender: configuration.name), clock: clock,
            tls: configuration.tls)
        let uplink = FailoverSink(nodes: configuration.nodes, timekeeper: loop) {
            HTTPReportSink(client: signed, url: $0)
        }
        try Self.makeDirectory(configuration.workDirectory)
        var settings = SpawnSettings(workDirectory: configuration.workDirectory)
        settings.groups = configuration.groups
        settings.processLimit = configuration.processLimit
        settings.supervisesAll = configuration.adoptsAll
        settings.remainsGrace = configuration.killGrace
        let tasks = HTTPTaskClient(client: client, egress: configuration.outbound.egress)
        let launcher = try SpawnLauncher(settings, loop: loop, http: tasks, log: log)
        defer { launcher.shutDown() }
        // Of their own: a thousand containers that are waited for, and downloads, must not hold up claims.
        let outboundClient = HTTPClient(loop: loop, connectionsPerHost: 0)
        defer { outboundClient.close() }
        let engine = await configuration.outbound.findEngine(client: outboundClient, loop: loop, log: log)
        let description = try describe(launcher.capabilities, engine)
        let journal = FileJournal(directory: configuration.workDirectory, timekeeper: loop, log: log)
        let worker = workerConfiguration(description, hasEngine: engine != nil)
        for name in worker.users.unknown {
            log.warning("this machine has no user '\(name)': jobs that are to run as this user will be refused")
        }
        if worker.users.mayChange {
            log.notice("commands of jobs that name no user run as '\(worker.users.defaultUser)' (--default-user)")
        }
        let agent = WorkerAgent(
            configuration: worker, uplink: uplink,
            launcher: HostLauncher(
                processes: launcher, artifacts: configuration.outbound.artifacts,
                downloader: URLDownloader(client: outboundClient, egress: configuration.outbound.egress),
                containers: engine.flatMap { engine in
                    worker.containers.map { (engine.engine, containerSettings($0)) }
                }, loop: loop, log: log),
            journal: journal, timekeeper: loop, log: log)
        let shipper = LogShipper(
            spool: launcher.logs, sink: HTTPLogSink(client: signed, nodes: configuration.nodes), timekeeper: loop,
            log: log)
        let verifier = try MessageVerifier(ring: ring, direction: .nodeToWorker, name: configuration.name)
        let routes = SignedRoutes(
            verifier: verifier, clock: clock, log: log,
            wantsCertificate: configuration.tls?.internalProtocolIsMutual ?? false)
        let server = server(Self.handler(agent, launcher.logs, routes, description, configuration.tls))
        let port = try await server.start()
        log.notice(
            "listening on \(configuration.host):\(port), offering \(description.capacity.cpus) cpus, "
                + "\(description.capacity.memory) MB memory, \(description.capacity.disk) MB disk")
        log.notice(
            "hard limits: \(launcher.capabilities.text) (control groups: \(launcher.capabilities.kind)); "
                + "limits of usage, log size and time are held by looking")
        try await serve(agent, shipper, stop: stop)
        await journal.close()
        await server.drain(deadline: .seconds(2))
    }

    private func server(_ handler: @escaping HTTPHandler) -> HTTPServer {
        var serving = HTTPServerConfiguration(
            host: configuration.host, port: configuration.port, limits: HTTPLimits(body: WireLimits.body))
        serving.tls = configuration.tls?.server
        let server = HTTPServer(serving, loop: loop, log: log, handler: handler)
        configuration.tls?.serve(server)
        configuration.tls?.report(log)
        return server
    }

    private func serve(
        _ agent: WorkerAgent, _ shipper: LogShipper, stop: @escaping @Sendable () async throws -> Void
    ) async throws {
        let grace = configuration.stopGrace
        try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask(executorPreference: loop) {
                try await agent.run()
                return false
            }
            group.addTask(executorPreference: loop) {
                try await shipper.run()
                return false
            }
            group.addTask(executorPreference: loop) {
                try await stop()
                return true
            }
            if try await group.next() == true {
                log.notice("stopping: ending what runs")
                await agent.shutDown(grace: grace)
                await shipper.flush(within: Self.lastLogs)
            }
            group.cancelAll()
        }
    }

    /// Time for the logs of what ended last; what is left is sent by the next start.
    private static let lastLogs = Duration.seconds(3)

    private static func handler(
        _ agent: WorkerAgent, _ logs: LogSpool, _ routes: SignedRoutes, _ description: WorkerDescription,
        _ tls: ClusterTLS?
    ) -> HTTPHandler {
        var router = HTTPRouter()
        routes.on(&router, WorkerPath.offer) { body, _ in
            let reply = try await agent.offer(try WorkerMessageCoding.decodeOfferBatch(body))
            return (WorkerMessageCoding.status(of: reply), WorkerMessageCoding.encode(reply))
        }
        routes.on(&router, WorkerPath.kill) { body, _ in
            try await agent.kill(try WorkerMessageCoding.decodeKillRequest(body))
            return (200, Array("{}".utf8))
        }
        routes.on(&router, WorkerPath.adjust) { body, _ in
            try await agent.adjust(try WorkerMessageCoding.decodeAdjustRequest(body))
            return (200, Array("{}".utf8))
        }
        routes.on(&router, WorkerPath.readLog) { body, _ in
            (200, WorkerMessageCoding.encode(try await logs.read(try WorkerMessageCoding.decodeLogRequest(body))))
        }
        let open = RouteMetadata(audience: .anyNode, needsKey: false)
        router.on(.get, "/ping", metadata: open) { _ in .text("pong\n") }
        router.on(.get, "/health", metadata: open) { _ in
            .json([
                "status": "ok", "worker": .string(description.name), "version": .string(description.version),
                "held": .integer(Int64(await agent.held.count)),
                "survivors": .integer(Int64(await agent.survivors)),
            ])
        }
        router.on(.get, NodeMetrics.path, metadata: open) { _ in
            .metrics(WorkerMetrics.page(await agent.figures, of: description, tls: tls))
        }
        let complete = router
        return { request in
            guard case .found(let route, let request) = complete.match(request) else {
                return ErrorBody.response(status: 404, message: "nothing is at this path of a worker")
            }
            return await route.handler(request)
        }
    }

    private func workerConfiguration(_ description: WorkerDescription, hasEngine: Bool) -> WorkerConfiguration {
        var worker = WorkerConfiguration(
            description: description,
            users: UserPolicy.ofThisProcess(
                allowed: configuration.allowedUsers, defaultUser: configuration.defaultUser))
        worker.killGrace = configuration.killGrace
        if hasEngine { worker.containers = configuration.outbound.policy(users: worker.users) }
        worker.adoptsAll = configuration.adoptsAll
        return worker
    }

    private func containerSettings(_ policy: ContainerPolicy) -> ContainerSettings {
        var settings = ContainerSettings(policy: policy)
        settings.pullLimit = configuration.outbound.pullLimit
        settings.processLimit = configuration.processLimit
        settings.enforced = configuration.groups.isWanted ? configuration.groups.enforced : []
        return settings
    }

    /// What it can enforce are attributes: a job may ask for it by a constraint, such as `enforces LIKE .*memory.*`.
    private func describe(_ capabilities: GroupCapabilities, _ engine: FoundEngine?) throws -> WorkerDescription {
        var attributes = configuration.attributes
        // Whatever the operator has written: jobs with containers are placed by it.
        attributes[ContainerSpec.engineAttribute] = engine?.kind
        attributes["container_engine_version"] = engine?.version
        attributes["enforces"] = capabilities.text
        attributes["cgroups"] = capabilities.kind
        attributes["switches_users"] = geteuid() == 0 ? "yes" : "no"
        if attributes["hostname"] == nil { attributes["hostname"] = HostFacts.hostName }
        let disk = configuration.disk ?? Double(HostFacts.freeDiskMegabytes(configuration.workDirectory) ?? 0)
        return WorkerDescription(
            name: configuration.name, url: configuration.advertisedURL, boot: Hex.encode(try RandomBytes.make(8)),
            capacity: Resources(
                cpus: configuration.cpus ?? Double(HostFacts.processorCount),
                memory: configuration.memory ?? Double(HostFacts.memoryMegabytes), disk: disk),
            attributes: attributes, version: Carillon.version)
    }

    /// With those above it, where they are missing.
    private static func makeDirectory(_ path: String) throws {
        var end = path.startIndex
        while let slash = path[end...].dropFirst().firstIndex(of: "/") {
            end = slash
            _ = mkdir(String(path[..<end]), 0o755)  // a failure shows below
        }
        if mkdir(path, 0o700) == 0 || errno == EEXIST { return }
        throw DomainError(.unavailable, "cannot make the work directory '\(path)': \(String(cString: strerror(errno)))")
    }
}
