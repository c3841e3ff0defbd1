import Foundation
import JSON
import TestSupport
import Testing

extension EndToEnd {
    /// What operators copy from deploy/ and docker/: right by the programs that read it.
    @Suite("What operators copy", .serialized)
    struct DeploymentTests {
        private static func text(_ path: String) throws -> String {
            try String(contentsOfFile: try Readme().root + "/" + path, encoding: .utf8)
        }

        // MARK: carillon.conf

        /// Names of the options that the help of a command lists, without `config` and `help`.
        private static func options(of command: String) throws -> Set<String> {
            let help = try Executable.run([command, "--help"]).output
            let names = help.split(separator: "\n").compactMap { line -> String? in
                guard line.hasPrefix("  --") else { return nil }
                return String(line.dropFirst(4).prefix { $0 != " " })
            }
            return Set(names).subtracting(["config", "help"])
        }

        @Test("deploy/carillon.conf names every option of nodes and workers, and nothing else")
        func complete() throws {
            let lines = try Self.text("deploy/carillon.conf").split(separator: "\n")
            let found = Set(
                lines.compactMap { line -> String? in
                    let words = line.drop { $0 == "#" }.split(separator: " ", maxSplits: 2)
                    guard words.count >= 2, words[1] == "=" else { return nil }
                    return String(words[0])
                })
            let wanted = try Self.options(of: "node").union(Self.options(of: "worker"))
            #expect(wanted.subtracting(found).sorted() == [], "are missing")
            #expect(found.subtracting(wanted).sorted() == [], "are no options")
        }

        /// Its examples taken as they are: each comment that is a line of configuration counts, but for certificates,
        /// which have to be there.
        private static func exampleFile(in folder: String) throws -> String {
            let example = #/^# (?!tls-|require-client)[a-z-]+ = \S/#
            let lines = try text("deploy/carillon.conf").split(separator: "\n").map { line in
                line.firstMatch(of: example) == nil ? String(line) : String(line.dropFirst(2))
            }
            for name in ["mail-password", "notification-credentials"] {
                try "x:y\n".write(toFile: "\(folder)/\(name)", atomically: true, encoding: .utf8)
            }
            let path = folder + "/carillon.conf"
            try lines.joined(separator: "\n").replacingOccurrences(of: "/etc/carillon/mail", with: folder + "/mail")
                .replacingOccurrences(of: "/etc/carillon/notification", with: folder + "/notification")
                .write(toFile: path, atomically: true, encoding: .utf8)
            return path
        }

        @Test("a node and a worker start with every example of deploy/carillon.conf in force")
        func accepted() async throws {
            var options = Cluster.Options()
            options.nodes = 0
            options.workers = 0
            try await Cluster.run(options) { cluster in
                let path = try Self.exampleFile(in: cluster.folder)
                // What belongs to this machine is said on the command line, which goes first.
                let node = try cluster.addNode("node-1", arguments: ["--config", path, "--egress", "any"])
                try cluster.wait("the node leads") { cluster.leader() == "node-1" }
                let worker = try cluster.addWorker(
                    "worker-1",
                    arguments: [
                        "--config", path, "--container-engine", "none", "--cgroup-parent", "",
                    ])
                try cluster.wait("the worker is up") { try cluster.workerStates()["worker-1"] == "up" }
                #expect(node.isRunning && worker.isRunning)
                // Attributes are taken from the file.
                let answer = try cluster.leaderRequest("GET", "/carillon/v1/workers").json
                #expect(answer?["workers"]?.arrayValue?.first?["attributes"]?["rack"] == "r1")
            }
        }

        // MARK: PostgreSQL

        @Test("a cluster works under the roles of deploy/postgresql.sql, and its nodes cannot change a table")
        func leastPrivilege() async throws {
            var options = Cluster.Options()
            options.nodes = 2
            options.postgres = try TestPostgres.start()
            options.nodeArguments = ["--no-migrate", "--retention-days", "3"]
            options.makeDatabase = { postgres in
                let path = try Readme().root + "/deploy/postgresql.sql"
                let words = ["-X", "-d", postgres.url(), "-f", path]
                #expect(throws: Cluster.Failure.self, "without passwords it stops") {
                    try DatabasePrograms.run("psql", words)
                }
                try DatabasePrograms.run(
                    "psql", words,
                    environment: ["CARILLON_OWNER_PASSWORD": "it's one", "CARILLON_NODE_PASSWORD": "another"])
                let url = postgres.url(database: "carillon")
                return Cluster.Database(
                    superuserURL: url,
                    ownerURL: url.replacingOccurrences(of: "//postgres@", with: "//carillon_owner@"),
                    membersURL: url.replacingOccurrences(of: "//postgres@", with: "//carillon@"))
            }
            try await Cluster.run(options) { cluster in
                // Partitions are made and dropped all the same.
                let made = try cluster.query(
                    """
                    SELECT count(*) FROM pg_inherits h JOIN pg_class c ON c.oid = h.inhrelid
                     WHERE c.relowner = 'carillon_owner'::regrole AND c.relkind = 'r' AND c.relname ~ '^run_history_p'
                    """)
                #expect(made == [["8"]])
                try cluster.underLoad { starts in
                    let leader = try cluster.leaderNode()
                    try cluster.waitForSuccessor(starts) { try leader.kill() }
                    try leader.startAgain()
                }
                for statement in [
                    "DROP TABLE carillon.runs", "ALTER TABLE carillon.jobs ADD COLUMN x int4",
                    "CREATE TABLE carillon.x (y int4)", "CREATE TABLE public.x (y int4)", "CREATE SCHEMA x",
                    "TRUNCATE carillon.ledger", "ALTER FUNCTION carillon.keep_partitions SECURITY INVOKER",
                    "COPY carillon.jobs TO PROGRAM 'true'", "CREATE ROLE x",
                ] {
                    #expect(throws: (any Error).self, "\(statement)") {
                        try cluster.postgres.query(cluster.databaseURL, statement)
                    }
                }
                // With the owner's rights it does what it is for, and no more.
                #expect(throws: (any Error).self) {
                    try cluster.postgres.query(
                        cluster.databaseURL,
                        "SELECT carillon.keep_partitions('jobs', 'created', now(), 1, now())")
                }
            }
        }

        static let pooler = "/usr/sbin/pgbouncer"

        @Test(
            "pgbouncer in front of the lock session is detected and refused, with what to do",
            .enabled(if: FileManager.default.isExecutableFile(atPath: pooler), "pgbouncer is not installed"),
            arguments: [("transaction", true), ("session", true), ("transaction", false)])
        func pooled(mode: String, isIgnoring: Bool) async throws {
            let postgres = try TestPostgres.start()
            let port = try FreePort.find()
            var options = Cluster.Options()
            options.nodes = 0
            options.workers = 0
            options.postgres = postgres
            options.databasePort = port
            try await Cluster.run(options) { cluster in
                let bouncer = try Self.pgbouncer(mode, isIgnoring: isIgnoring, port: port, cluster)
                defer { bouncer.end() }
                let node = try cluster.addNode("node-1")
                try cluster.wait("the node says what is wrong") {
                    node.log.contains("pooler") && node.log.contains("direct connection")
                }
                #expect(node.isRunning)
                #expect(try cluster.epoch() == 0, "nobody took office")
                // Where it gets no connection at all, it does not listen yet either.
                #expect((try? TestHTTP.request("GET", node.url + "/health/leader"))?.status ?? 503 == 503)
            }
        }

        /// - Parameter isIgnoring: what nodes ask of their session, as an operator would set it who wants it to work at
        ///   all; else pgbouncer refuses the connection.
        private static func pgbouncer(
            _ mode: String, isIgnoring: Bool, port: Int, _ cluster: Cluster
        ) throws -> Guardian {
            let folder = cluster.folder + "/pgbouncer"
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            try "\"postgres\" \"\"\n".write(toFile: folder + "/users", atomically: true, encoding: .utf8)
            try """
            [databases]
            * = host=127.0.0.1 port=\(try #require(cluster.postgres.tcpPort))
            [pgbouncer]
            listen_addr = 127.0.0.1
            listen_port = \(port)
            unix_socket_dir =
            auth_type = trust
            auth_file = \(folder)/users
            pool_mode = \(mode)
            ignore_startup_parameters = extra_float_digits\(isIgnoring ? ", options" : "")
            """.write(toFile: folder + "/pgbouncer.ini", atomically: true, encoding: .utf8)
            // It refuses to run as root.
            let wrapper = geteuid() == 0 ? ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"] : []
            let guardian = try Guardian(
                wrapper + [pooler, folder + "/pgbouncer.ini"], log: cluster.folder + "/pgbouncer.log")
            try cluster.wait("pgbouncer listens") { !FreePort.isFree(port) }
            return guardian
        }

        // MARK: systemd

        @Test(
            "the systemd units are right by systemd's own check, and the node's is well confined",
            .enabled(
                if: FileManager.default.isExecutableFile(atPath: "/usr/bin/systemd-analyze"),
                "systemd-analyze is not installed"))
        func units() throws {
            let folder = NSTemporaryDirectory() + "carillon-units-\(UUID().uuidString.prefix(8))"
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            // What cannot be removed is in the system's folder for temporary files.
            defer { try? FileManager.default.removeItem(atPath: folder) }
            // The exposure that systemd computes: 0 is best, 100 worst.
            for (unit, exposure) in [("carillon-node", 20), ("carillon-worker", 65)] {
                let text = try Self.text("deploy/systemd/\(unit).service")
                    .replacingOccurrences(of: "/usr/local/bin/carillon", with: Executable.path)
                let path = "\(folder)/\(unit).service"
                try text.write(toFile: path, atomically: true, encoding: .utf8)
                let verified = try Executable.run("/usr/bin/systemd-analyze", ["verify", path])
                #expect(verified.status == 0 && verified.errors == "", "\(unit): \(verified.errors)")
                let secure = try Executable.run(
                    "/usr/bin/systemd-analyze", ["security", "--offline=true", "--threshold=\(exposure)", path])
                #expect(secure.status == 0, "\(unit): \(secure.output.suffix(300)) \(secure.errors)")
            }
        }

        // MARK: Containers

        /// Every document of a YAML file, as JSON.
        private static func documents(_ path: String) throws -> [JSONValue] {
            let script = "import json, sys, yaml; print(json.dumps(list(yaml.safe_load_all(open(sys.argv[1])))))"
            let result = try Executable.run("/usr/bin/python3", ["-c", script, try Readme().root + "/" + path])
            try #require(result.status == 0, "\(path): \(result.errors)")
            return try JSONValue(parsing: Array(result.output.utf8)).arrayValue ?? []
        }

        static let hasYAML = (try? Executable.shell("python3 -c 'import yaml'").status) == 0

        /// That a command knows each of the variables that begin with CARILLON_.
        private static func requireKnown(_ variables: [String], command: String, _ place: String) throws {
            let options = try options(of: command).union(["config"])
            for variable in variables where variable.hasPrefix("CARILLON_") {
                let option = variable.dropFirst(9).lowercased().replacingOccurrences(of: "_", with: "-")
                #expect(options.contains(option), "\(place): \(command) has no option --\(option)")
            }
        }

        @Test(
            "docker/compose.yaml has the whole cluster, with settings that exist and secrets by files",
            .enabled(if: hasYAML, "Python's module yaml is not installed"))
        func compose() throws {
            let file = try #require(try Self.documents("docker/compose.yaml").first)
            let services = try #require(file["services"]?.objectValue)
            let names = services.map(\.key)
            #expect(
                names.sorted() == [
                    "balancer", "database", "migrate", "node-1", "node-2", "node-3", "worker-1", "worker-2",
                ])
            for (name, service) in services {
                let command = service["command"]?.arrayValue?.first?.stringValue
                let variables = service["environment"]?.objectValue?.map(\.key) ?? []
                if let command { try Self.requireKnown(variables, command: command, name) }
                for secret in service["secrets"]?.arrayValue ?? [] {
                    let path = file["secrets"]?[secret.stringValue ?? ""]?["file"]?.stringValue
                    #expect(path?.hasPrefix("./secrets/") == true, "\(name): \(secret.text)")
                }
                if command != nil {
                    #expect(service["read_only"] == true && service["cap_drop"] == ["ALL"], "\(name)")
                }
            }
            // Which start.sh makes.
            let folder = NSTemporaryDirectory() + "carillon-docker-\(UUID().uuidString.prefix(8))"
            try FileManager.default.copyItem(atPath: try Readme().root + "/docker", toPath: folder)
            // What cannot be removed is in the system's folder for temporary files.
            defer { try? FileManager.default.removeItem(atPath: folder) }
            let made = try Executable.run("/bin/bash", [folder + "/start.sh", "--only-secrets"])
            try #require(made.status == 0, "\(made.errors)")
            for (_, secret) in file["secrets"]?.objectValue ?? [:] {
                let path = try #require(secret["file"]?.stringValue)
                #expect(try !String(contentsOfFile: folder + "/" + path, encoding: .utf8).isEmpty, "\(path)")
            }
            let rights = try FileManager.default.attributesOfItem(atPath: folder + "/secrets")[.posixPermissions]
            #expect(rights as? Int == 0o700)
        }

        @Test(
            "the Kubernetes manifests have what nodes and workers need, with settings that exist",
            .enabled(if: hasYAML, "Python's module yaml is not installed"))
        func kubernetes() throws {
            let all = try ["nodes", "workers"].flatMap { try Self.documents("deploy/kubernetes/\($0).yaml") }
            let kinds = all.compactMap { $0["kind"]?.stringValue }
            #expect(
                kinds.sorted() == [
                    "Deployment", "Job", "NetworkPolicy", "PodDisruptionBudget", "PodDisruptionBudget", "Service",
                    "Service", "StatefulSet",
                ])
            for item in all {
                let kind = item["kind"]?.stringValue ?? ""
                guard let pod = item["spec"]?["template"]?["spec"] else { continue }
                let container = try #require(pod["containers"]?.arrayValue?.first)
                let command = try #require(container["args"]?.arrayValue?.first?.stringValue)
                let variables = container["env"]?.arrayValue?.compactMap { $0["name"]?.stringValue } ?? []
                try Self.requireKnown(variables, command: command, kind)
                #expect(pod["securityContext"]?["runAsNonRoot"] == true, "\(kind)")
                // What the selector asks for is what the pods are labelled with.
                if let selector = item["spec"]?["selector"]?["matchLabels"] {
                    #expect(selector == item["spec"]?["template"]?["metadata"]?["labels"], "\(kind)")
                }
                if kind != "Job" {
                    for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
                        #expect(container[probe]?["httpGet"]?["port"] == "http", "\(kind): \(probe)")
                    }
                }
            }
        }
    }
}
