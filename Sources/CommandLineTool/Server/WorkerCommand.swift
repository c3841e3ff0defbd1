import Execution
import Glibc
import Node
import Runtime

/// `carillon worker`: one worker.
enum WorkerCommand {
    private static let nodes = Option<[String]>.list(
        "node", "URL", "a node of the cluster; name all of them", isRequired: true)
    private static let advertise = Option<String>.requiredText("advertise", "URL", "where nodes reach this worker")
    private static let attributes = Option<[String]>.list(
        "attribute", "KEY=VALUE", "for constraints of jobs; hostname is there without being named")
    private static let cpus = Option<Double?>.optionalNumber(
        "cpus", "N", "cpus that it offers (default: all)", in: 0.01...100_000)
    private static let memory = Option<Double?>.optionalNumber(
        "memory", "MB", "memory that it offers (default: all)", in: 1...1e9)
    private static let disk = Option<Double?>.optionalNumber(
        "disk", "MB", "disk that it offers (default: what is free below the work directory)", in: 0...1e12)
    private static let workDirectory = Option<String>.text(
        "work-dir", "DIR", "journal, sandboxes and logs; belongs to this worker alone",
        default: "/var/lib/carillon/worker")
    private static let users = Option<[String]>.list(
        "allow-user", "USER",
        "a user that jobs may name, by name or number; for root as for others there is no other way")
    private static let defaultUser = Option<String>.text(
        "default-user", "USER",
        "whom jobs run as that name nobody (default: the worker's own, and nobody if root starts it)",
        default: "")
    private static let enforce = Option<[String]>.list(
        "enforce", "LIMIT",
        "memory, cpu or processes: what control groups shall hold hard (default: all three), or none")
    private static let groupParent = Option<String>.text(
        "cgroup-parent", "PATH",
        "control group below which runs get theirs, as /proc/self/cgroup writes it (default: the worker's own)",
        default: "")
    private static let processLimit = Option<Int>.integer(
        "process-limit", "N", "processes and threads of one run; 0: any number", in: 0...4_194_304, default: 4_096)
    private static let onRestart = Option<String>.choice(
        "on-restart", ["end", "adopt"],
        "what becomes of runs that are not detached when the worker's process ends: ended, or taken over by the next",
        default: "end")
    private static let killGrace = Option<Duration>.seconds(
        "kill-grace", "between TERM and KILL of a command that is ended", in: 0...3_600, default: 10)

    static let command = Command(
        path: ["worker"], summary: "Run one worker",
        details: """
            Runs what the leader gives it, each run in a control group of its own where the machine has them \
            (version 1, 2 or both): a run that needs more than its job's memory is killed, and told so; it gets no \
            more processor time than its job's cpus, counted by the second, and in proportion to them when several \
            compete; and no more processes than the limit. Chronos gives a job that names nothing 128 MB and 0.1 \
            cpus: a worker that shall only weigh runs against each other, as Mesos does, is started with --enforce \
            memory --enforce processes. What a worker can hold is logged at its start and shown by "carillon worker \
            list"; where the \
            machine lets it hold nothing, the limits that a job names for a sustained time are held by looking.

            Detached runs, and with --on-restart adopt all of them, go on when the worker's process ends or crashes, \
            and are taken over by the next one with the same work directory, if it comes within 12 s. Under systemd \
            that takes KillMode=process, or they end with the service, and a --cgroup-parent outside of the service.

            On a machine with systemd and version 2 only, run it as a service with Delegate=yes. SIGHUP makes it read \
            its certificates again.
            """,
        examples: [
            "carillon worker --node http://node-1:8080 --node http://node-2:8080 --listen 0.0.0.0:18080 "
                + "--advertise http://worker-1:18080 --name worker-1 --secret-file /etc/carillon/secret"
        ],
        options: [
            nodes.declaration, ServerOptions.listen.declaration, advertise.declaration, ServerOptions.name.declaration,
            ServerOptions.secretFile.declaration, attributes.declaration, cpus.declaration, memory.declaration,
            disk.declaration, workDirectory.declaration, users.declaration, defaultUser.declaration,
            enforce.declaration, groupParent.declaration, processLimit.declaration, onRestart.declaration,
            killGrace.declaration,
        ] + OutboundOptions.declarations + TLSOptions.declarations + ServerOptions.logOptions
    ) { arguments in
        try ServerOptions.setLogLevel(arguments)
        let configuration = try configuration(arguments)
        return try ServerOptions.serve(onHangUp: TLSOptions.reload(configuration.tls)) { loop, stop in
            try await WorkerHost(configuration, loop: loop).run(until: stop)
        }
    }

    private static func configuration(_ arguments: Arguments) throws -> WorkerHostConfiguration {
        let listen = try ServerOptions.address(try arguments.get(ServerOptions.listen), option: "listen")
        var configuration = WorkerHostConfiguration(
            nodes: try arguments.get(nodes).map { try ServerOptions.url($0, option: "node") }, host: listen.host,
            port: listen.port, advertisedURL: try ServerOptions.url(try arguments.get(advertise), option: "advertise"),
            name: try arguments.get(ServerOptions.name) ?? HostFacts.hostName,
            secret: try ServerOptions.secret(arguments), workDirectory: try absolute(try arguments.get(workDirectory)))
        configuration.tls = try TLSOptions.cluster(arguments, advertised: configuration.advertisedURL)
        configuration.attributes = try attributePairs(try arguments.get(attributes))
        configuration.cpus = try arguments.get(cpus)
        configuration.memory = try arguments.get(memory)
        configuration.disk = try arguments.get(disk)
        configuration.allowedUsers = Set(try arguments.get(users))
        configuration.defaultUser = try arguments.get(defaultUser)
        configuration.groups = try groups(arguments)
        configuration.processLimit = Int64(try arguments.get(processLimit))
        configuration.outbound = try OutboundOptions.configuration(arguments)
        configuration.adoptsAll = try arguments.get(onRestart) == "adopt"
        configuration.killGrace = try arguments.get(killGrace)
        return configuration
    }

    private static func groups(_ arguments: Arguments) throws -> ControlGroupSettings {
        var settings = ControlGroupSettings()
        let words = try arguments.get(enforce)
        if !words.isEmpty {
            settings.enforced = []
            for word in words where word != "none" {
                guard let limit = EnforcedLimit(rawValue: word) else {
                    throw UsageError("--enforce: '\(word)' is none of memory, cpu, processes and none")
                }
                settings.enforced.insert(limit)
            }
            guard !words.contains("none") || words.count == 1 else {
                throw UsageError("--enforce: none stands alone")
            }
        }
        settings.parent = try arguments.get(groupParent)
        while settings.parent.hasSuffix("/") { settings.parent.removeLast() }
        guard settings.parent.isEmpty || settings.parent.hasPrefix("/"), !settings.parent.contains("..") else {
            throw UsageError("--cgroup-parent: '\(settings.parent)' is no path of a group, such as /carillon")
        }
        return settings
    }

    private static func absolute(_ path: String) throws -> String {
        guard !path.isEmpty else { throw UsageError("--work-dir: must not be empty") }
        guard !path.hasPrefix("/") else { return path }
        guard let current = getcwd(nil, 0) else {
            throw UsageError("--work-dir: '\(path)' must be an absolute path, since this process has no folder")
        }
        defer { free(current) }
        return String(cString: current) + "/" + path
    }

    private static func attributePairs(_ words: [String]) throws -> [String: String] {
        var result: [String: String] = [:]
        for word in words {
            let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 2, !parts[0].isEmpty else {
                throw UsageError("--attribute: '\(word)' is not KEY=VALUE, such as rack=r1")
            }
            guard result.updateValue(parts[1], forKey: parts[0]) == nil else {
                throw UsageError("--attribute: '\(parts[0])' is given twice")
            }
        }
        return result
    }
}
