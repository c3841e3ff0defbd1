import ChronosAPI
import Coordination
import CronicleAPI
import Crypto
public import Domain
import HTTP
import HTTPTransport
import Operations
import PostgresClient
public import Runtime
import Storage
import Timetable
import WorkerProtocol

/// What an operator sets of a node.
public struct SchedulerNodeConfiguration: Sendable {
    public enum Follower: String, Sendable { case redirect, proxy }
    public var databaseURL: String
    public var host: String
    public var port: Int
    /// Where clients, workers and other nodes reach it: `http://host:port`, no path.
    public var advertisedURL: String
    public var name: String
    /// Text of the secret file of the internal protocol.
    public var secret: String
    public var follower: Follower = .redirect
    /// Nil: nothing without a key.
    public var anonymous: Set<Privilege>?
    public var migrates = true
    public var policy = SchedulingPolicy()
    public var election = ElectionConstants()
    /// Connections of the leader's work pool and of the pool for everything else.
    public var workConnections = 2
    public var readConnections = 4
    public var connections = 10_500
    public var retention = Retention.days(30)
    public var drain = Duration.seconds(10)
    public var notifications = NotificationConfiguration()
    /// Nil: HTTP, and the system's authorities for nodes and workers with https URLs.
    public var tls: ClusterTLS?

    public init(
        databaseURL: String, host: String, port: Int, advertisedURL: String, name: String, secret: String
    ) {
        self.databaseURL = databaseURL
        self.host = host
        self.port = port
        self.advertisedURL = advertisedURL
        self.name = name
        self.secret = secret
    }
}

/// One node of the cluster. Runs until it is cancelled; then it resigns, drains and closes.
public struct SchedulerNode: Sendable {
    private let configuration: SchedulerNodeConfiguration
    private let loop: EventLoop
    private let log: Log

    public init(_ configuration: SchedulerNodeConfiguration, loop: EventLoop) {
        self.configuration = configuration
        self.loop = loop
        log = Log("node").with("node", configuration.name)
    }

    /// - Parameter ready: called with the bound port once requests are served.
    /// - Throws: what keeps it from starting, with what to do about it.
    public func run(ready: @Sendable (Int) -> Void = { _ in }) async throws {
        let parts = try Parts(configuration, loop: loop)
        if parts.zones.version == "unknown" {
            log.warning("no tzdata release found below /usr/share/zoneinfo: install the package tzdata")
        }
        try await prepareSchema(parts)
        var serving = HTTPServerConfiguration(
            host: configuration.host, port: configuration.port,
            limits: HTTPLimits(body: WireLimits.body), connections: configuration.connections)
        serving.tls = configuration.tls?.server
        let server = HTTPServer(serving, loop: loop, log: log, handler: parts.pipeline().answer)
        configuration.tls?.serve(server)
        configuration.tls?.report(log)
        let port = try await server.start()
        log.notice("listening on \(configuration.host):\(port), advertised as \(configuration.advertisedURL)")
        ready(port)
        do {
            try await runServices(
                [
                    parts.elector, Housekeeper(parts: parts, retention: configuration.retention, log: log),
                    parts.notifier(configuration.notifications),
                ], on: loop)
        } catch is CancellationError {
            log.notice("stopping")
        }
        // Who follows a log would keep the server from draining.
        parts.logs.close()
        await server.drain(deadline: configuration.drain)
        await parts.close()
    }

    private func prepareSchema(_ parts: Parts) async throws {
        let schema = Schema(pool: parts.work)
        var backoff = Backoff(initial: .milliseconds(200), maximum: .seconds(5))
        while true {
            do {
                if configuration.migrates { try await schema.migrate() } else { try await schema.verify() }
                // Today's partitions are there before the first row is: making one later waits for whoever writes.
                _ = try await parts.stores.upkeep.maintain(now: parts.clock.now(), retention: configuration.retention)
                return
            } catch {
                guard error.code == .connection else { throw error }
                log.warning("the database cannot be reached: \(error.message); trying again")
            }
            try await loop.sleep(for: backoff.next())
        }
    }
}

/// The parts of a node, put together.
struct Parts: Sendable {
    let node: NodeDescription
    let loop: EventLoop
    let clock: ClusterClock
    let zones: SystemZoneDatabase
    let work: PostgresPool
    let reads: PostgresPool
    let stores: Stores
    let store: PostgresClusterStore
    let client: HTTPClient
    let tls: ClusterTLS?
    let logs: RunLogs
    let leader: Leader
    let elector: Elector
    let authenticator: Authenticator
    let passwords: PasswordThreads
    let cronicle: CronicleAPI
    let follower: FollowerPolicy
    let router: HTTPRouter
    let log: Log

    init(_ configuration: SchedulerNodeConfiguration, loop: EventLoop) throws {
        let epoch = LogNumber()
        let log = Log("node").with("epoch", epoch).with("node", configuration.name)
        self.log = log
        self.loop = loop
        let boot = Hex.encode(try RandomBytes.make(8))
        node = NodeDescription(
            name: configuration.name, url: configuration.advertisedURL, boot: boot, version: Carillon.version)
        clock = ClusterClock(timekeeper: loop, log: log)
        zones = SystemZoneDatabase()
        let database = PostgresConfiguration(url: configuration.databaseURL)
        work = PostgresPool(
            configuration.election.workConfiguration(database, node: node.name, boot: boot),
            size: configuration.workConnections, loop: loop, log: log)
        var reading = database
        reading.applicationName = "carillon-reads:\(node.name)"
        reads = PostgresPool(reading, size: configuration.readConnections, loop: loop, log: log)
        stores = Stores(pool: reads)
        store = PostgresClusterStore(pool: work)
        client = HTTPClient(loop: loop)
        tls = configuration.tls
        let ring = try SecretRing(parsing: configuration.secret)
        if ring.isShort { log.warning(SecretRing.advice) }
        let signed = SignedClient(
            client: client, signer: try MessageSigner(ring: ring, direction: .nodeToWorker, sender: node.name),
            clock: clock, tls: tls)
        logs = RunLogs(
            stores: stores,
            relay: WorkerLogRelay(
                client: SignedClient(client: HTTPClient(loop: loop), signer: signed.signer, clock: clock, tls: tls)),
            timekeeper: loop)
        var policy = configuration.policy
        policy.notifications = configuration.notifications.policy
        leader = Leader(
            node: node, store: store, transport: HTTPWorkerTransport(client: signed), clock: clock, timekeeper: loop,
            zones: zones, policy: policy, log: log)
        let elector = Elector(
            node: node,
            lock: PostgresLeaderLock(
                database: database, node: node, constants: configuration.election, loop: loop, log: log),
            leader: leader, timekeeper: loop, constants: configuration.election, clock: clock, log: log, epoch: epoch)
        self.elector = elector
        let keys = KeyAdapter(store: stores.keys, clock: clock)
        authenticator = Authenticator(keys: keys, clock: clock, anonymous: configuration.anonymous)
        passwords = PasswordThreads()
        let accounts = Accounts(store: stores.accounts, passwords: passwords, clock: clock)
        let activity = ActivityLog(store: stores.activity, clock: clock) { log.warning($0) }
        cronicle = CronicleAPI(
            CronicleDependencies(
                authenticator: authenticator, accounts: accounts, keys: KeyRecords(store: stores.keys, clock: clock),
                events: EventOperations(
                    stores: stores, office: leader, zones: zones, clock: clock, ownHost: HostFacts.hostName),
                runs: RunRecords(stores: stores, office: leader, clock: clock), logs: logs,
                tokens: LogTokens(secret: configuration.secret), zones: zones,
                activity: activity, clock: clock,
                system: CronicleNode(
                    hostName: HostFacts.hostName, version: Carillon.version, host: configuration.host,
                    port: configuration.port, started: loop.monotonicNow, timekeeper: loop,
                    nodeName: node.name, leader: LeaderReadingAdapter(store: stores.leader), client: client,
                    tls: tls),
                log: { log.error($0) },
                mail: Letters(configuration.notifications, clock: clock, log: log).send))
        follower = FollowerPolicy(
            mode: configuration.follower == .proxy ? .proxy : .redirect, ownURL: node.url, view: { elector.view },
            lookUp: LeaderReadingAdapter(store: stores.leader), authenticator: authenticator, accounts: accounts,
            replays: ReplayAdapter(store: stores.replays), client: client, tls: tls, clock: clock, timekeeper: loop,
            log: log)
        let verifier = try MessageVerifier(
            ring: ring, direction: .workerToNode, name: node.name, aliases: [MessageVerifier.anyNode])
        router = Self.routes(
            node: node, leader: leader, elector: elector, stores: stores, store: store, clock: clock, zones: zones,
            loop: loop, logs: logs, activity: activity,
            signed: SignedRoutes(
                verifier: verifier, clock: clock, log: log, wantsCertificate: tls?.internalProtocolIsMutual ?? false),
            metrics: NodeMetrics(
                node: node, leader: leader, elector: elector, outbox: stores.outbox,
                pools: [("reads", reads), ("work", work)], timekeeper: loop, tls: tls))
    }

    private static func routes(
        node: NodeDescription, leader: Leader, elector: Elector, stores: Stores, store: PostgresClusterStore,
        clock: ClusterClock, zones: SystemZoneDatabase, loop: EventLoop, logs: RunLogs, activity: ActivityLog,
        signed: SignedRoutes, metrics: NodeMetrics
    ) -> HTTPRouter {
        var router = HTTPRouter()
        let jobs = JobReadingAdapter(
            store: stores.jobs, statistics: stores.statistics,
            cache: JobCache(timekeeper: loop) { leader.jobsMark })
        let runs = RunReadingAdapter(stores: stores)
        let operations = JobOperations(
            reading: jobs, catalogue: PluginReadingAdapter(store: stores.catalogue), runs: runs, office: leader,
            zones: zones)
        CronicleAPI.registerDocument(on: &router)
        ChronosAPI.register(
            on: &router,
            dependencies: ChronosDependencies(
                jobs: operations, statistics: RunStatistics(reading: jobs, runs: runs, clock: clock),
                leader: LeaderReadingAdapter(store: stores.leader), zones: zones, clock: clock, activity: activity))
        HealthRoutes(
            node: node, view: { elector.view }, status: { leader.status }, timekeeper: loop, zones: zones.version
        ).register(on: &router)
        let log = Log("node").with("node", node.name)
        metrics.register(on: &router)
        ManagementRoutes(leader: leader, stores: stores, clock: clock, log: log).register(on: &router)
        StatusRoute(node: node, leader: leader, stores: stores, clock: clock, log: log).register(on: &router)
        JobRoutes(leader: leader, stores: stores, operations: operations, zones: zones, clock: clock, log: log)
            .register(on: &router)
        ConfigurationRoutes(leader: leader, stores: stores, zones: zones, clock: clock, log: log)
            .register(on: &router)
        LogRoutes(logs: logs, access: LimitedAccess(stores: stores), log: log).register(on: &router)
        NodeInternalRoutes(
            url: node.url, routes: signed, leader: leader, store: store, logs: stores.logs, clock: clock,
            view: { elector.view }
        ).register(on: &router)
        return router
    }

    func pipeline() -> RequestPipeline {
        let elector = elector
        return RequestPipeline(
            router: router, authenticator: authenticator, follower: follower, cronicle: cronicle,
            leads: { elector.view.role == .leader }, log: log)
    }

    func notifier(_ configuration: NotificationConfiguration) -> Notifier {
        let (elector, leader, egress, cronicle) = (self.elector, self.leader, configuration.egress, self.cronicle)
        return Notifier(
            configuration, store: stores.outbox, client: client, permits: { egress.permits($0) },
            shape: { try await cronicle.job(of: $0) }, enter: { try await cronicle.enter($0) },
            hint: { elector.view.role == .leader ? leader.status.outboxWrites : nil }, clock: clock, loop: loop,
            log: log)
    }

    func close() async {
        client.close()
        passwords.close()
        await work.close()
        await reads.close()
    }
}
