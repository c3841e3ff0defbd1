import Domain
import Node
import Runtime

/// `carillon node`: one scheduler node.
enum NodeCommand {
    private static let advertise = Option<String>.requiredText(
        "advertise", "URL", "where clients, workers and other nodes reach this node")
    private static let follower = Option<String>.choice(
        "follower", ["redirect", "proxy"],
        "what this node does with requests for the leader while another one leads", default: "redirect")
    private static let retryDelay = Option<Duration>.seconds(
        "retry-delay", "delay before a retry, for jobs without one of their own", in: 0...86_400, default: 60)
    private static let retryFactor = Option<Double>.number(
        "retry-factor", "FACTOR", "each further retry of a run waits so many times longer", in: 1...10, default: 1)
    private static let defaultEpsilon = Option<Double?>.optionalNumber(
        "default-epsilon", "SECONDS",
        "how late occurrences of jobs without epsilon may start (default: one late run at most, however late)",
        in: 1...31_536_000)
    private static let anonymous = Option<[String]>.list(
        "anonymous", "PRIVILEGE", "what may be done without a key; 'read' for reading alone")
    private static let noMigrate = Option<Bool>.flag("no-migrate", "do not change the database's schema at start")
    private static let retention = Option<Int>.integer(
        "retention-days", "DAYS", "how long ended runs and their tries are kept", in: 1...3_650, default: 30)
    private static let logRetention = Option<Int>.integer(
        "log-retention-days", "DAYS", "how long what runs wrote is kept; 0: as long as the runs", in: 0...3_650,
        default: 0)
    private static let ledgerRetention = Option<Int>.integer(
        "ledger-retention-days", "DAYS",
        "how long the verdicts on due occurrences are kept, which 'carillon verify' reads; 0: as long as the runs",
        in: 0...3_650, default: 0)

    static let command = Command(
        path: ["node"], summary: "Run one scheduler node",
        details: """
            Nodes that share a database elect a leader among themselves; the others stand by. The secret file is \
            shared with the workers. SIGHUP makes it read its certificates again.
            """,
        examples: [
            "carillon node --database-url postgresql://carillon@db/carillon --listen 0.0.0.0:8080 "
                + "--advertise http://node-1:8080 --name node-1 --secret-file /etc/carillon/secret"
        ],
        options: [
            ServerOptions.databaseURL.declaration, ServerOptions.listen.declaration, advertise.declaration,
            ServerOptions.name.declaration, ServerOptions.secretFile.declaration, follower.declaration,
            retryDelay.declaration, retryFactor.declaration, defaultEpsilon.declaration, anonymous.declaration,
            noMigrate.declaration, retention.declaration, logRetention.declaration, ledgerRetention.declaration,
        ] + ServerOptions.logOptions + TLSOptions.declarations + NotificationOptions.declarations
            + ElectionOptions.declarations
    ) { arguments in
        try ServerOptions.setLogLevel(arguments)
        let configuration = try configuration(arguments)
        return try ServerOptions.serve(onHangUp: TLSOptions.reload(configuration.tls)) { loop, stop in
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask(executorPreference: loop) { try await SchedulerNode(configuration, loop: loop).run() }
                group.addTask(executorPreference: loop) { try await stop() }
                try await group.next()
                group.cancelAll()
                // The node resigns, drains and closes before this returns.
                do { try await group.waitForAll() } catch is CancellationError {}
            }
        }
    }

    private static func configuration(_ arguments: Arguments) throws -> SchedulerNodeConfiguration {
        let listen = try ServerOptions.address(try arguments.get(ServerOptions.listen), option: "listen")
        var configuration = SchedulerNodeConfiguration(
            databaseURL: try arguments.get(ServerOptions.databaseURL), host: listen.host, port: listen.port,
            advertisedURL: try ServerOptions.url(try arguments.get(advertise), option: "advertise"),
            name: try arguments.get(ServerOptions.name) ?? HostFacts.hostName,
            secret: try ServerOptions.secret(arguments))
        configuration.tls = try TLSOptions.cluster(arguments, advertised: configuration.advertisedURL)
        configuration.follower = try arguments.get(follower) == "proxy" ? .proxy : .redirect
        configuration.policy.retryDelay = try arguments.get(retryDelay)
        configuration.policy.retryFactor = try arguments.get(retryFactor)
        configuration.policy.defaultStartWindow = try arguments.get(defaultEpsilon).map { .seconds($0) }
        configuration.anonymous = try privileges(try arguments.get(anonymous))
        configuration.migrates = !(try arguments.get(noMigrate))
        configuration.retention = try retention(arguments)
        configuration.election = try ElectionOptions.constants(arguments)
        configuration.notifications = try NotificationOptions.configuration(arguments)
        return configuration
    }

    private static func retention(_ arguments: Arguments) throws -> Retention {
        let age = { (days: Int) -> Duration? in days == 0 ? nil : .seconds(Int64(days) * 86_400) }
        return Retention(
            history: .seconds(Int64(try arguments.get(retention)) * 86_400),
            logs: age(try arguments.get(logRetention)), ledger: age(try arguments.get(ledgerRetention)))
    }

    private static func privileges(_ words: [String]) throws -> Set<Privilege>? {
        guard !words.isEmpty else { return nil }
        var result: Set<Privilege> = []
        for word in words where word != "read" { result.insert(try KeyCommand.privilege(word, option: "anonymous")) }
        return result
    }
}

/// The times of the election, all with defaults that leadership.md measured.
enum ElectionOptions {
    private static let idle = Option<Duration>.seconds(
        "election-idle", "the server frees the lock of a leader that is silent for so long", in: 0.5...60, default: 5)
    private static let heartbeat = Option<Duration>.seconds(
        "election-heartbeat", "between two signs of life of the leader", in: 0.05...12, default: 1)
    private static let trust = Option<Duration>.seconds(
        "election-trust", "how long a leader acts without an answer of the database", in: 0.2...58, default: 3.5)
    private static let poll = Option<Duration>.seconds(
        "election-poll", "between two tries of a follower", in: 0.02...10, default: 0.25)

    static let declarations = [idle.declaration, heartbeat.declaration, trust.declaration, poll.declaration]

    static func constants(_ arguments: Arguments) throws -> ElectionConstants {
        var constants = ElectionConstants()
        constants.idleSession = try arguments.get(idle)
        constants.heartbeat = try arguments.get(heartbeat)
        constants.trust = try arguments.get(trust)
        constants.poll = try arguments.get(poll)
        if let defect = constants.defect { throw UsageError("the election's times are unsafe: \(defect)") }
        return constants
    }
}
