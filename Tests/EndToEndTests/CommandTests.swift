import Foundation
import JSON
import Testing

extension Cluster {
    /// All nodes, as `--url` takes them.
    var urls: String { nodes.map(\.url).joined(separator: ",") }

    /// A command that speaks to the cluster, by way of any node.
    func client(_ words: String..., at url: String? = nil) throws -> Executable.Result {
        try Executable.run(
            words, environment: ["CARILLON_URL": url ?? urls, "CARILLON_API_KEY": key, "EDITOR": "false"])
    }

    /// Its output; what it says on standard error is the failure.
    @discardableResult
    func said(_ words: String..., at url: String? = nil) throws -> String {
        try carillon(words, environment: ["CARILLON_URL": url ?? urls, "CARILLON_API_KEY": key])
    }

    /// The output of a command with `--json`.
    func json(_ words: String...) throws -> JSONValue {
        let text = try carillon(
            words + ["--json"], environment: ["CARILLON_URL": urls, "CARILLON_API_KEY": key])
        return try JSONValue(parsing: Array(text.utf8))
    }
}

extension EndToEnd.Shared {
    /// Every command, as it is typed.
    @Suite("The command line", .serialized)
    struct CommandTests {
        @Test("a job is added, looked at, disabled, enabled, run, followed and deleted")
        func jobs() async throws {
            try await onCluster { cluster in
                let file = cluster.folder + "/job.json"
                try #"{"name": "cli-job", "command": "echo from the job", "schedule": "R/2031-01-01T00:00:00Z/P1D"}"#
                    .write(toFile: file, atomically: true, encoding: .utf8)
                #expect(try cluster.said("job", "add", file) == "added cli-job\n")
                #expect(try cluster.said("job", "list").contains("cli-job"))
                #expect(try cluster.json("job", "show", "cli-job")["command"] == "echo from the job")
                #expect(
                    try cluster.said("job", "next", "cli-job", "--count", "2")
                        == "2031-01-01T00:00:00.000Z\n2031-01-02T00:00:00.000Z\n")
                #expect(try cluster.said("job", "disable", "cli-job") == "disabled cli-job\n")
                #expect(try cluster.said("job", "next", "cli-job").hasPrefix("disabled: none of these"))
                #expect(try cluster.said("job", "explain", "cli-job").contains("It is disabled, by request."))
                #expect(try cluster.said("job", "enable", "cli-job") == "enabled cli-job\n")
                #expect(
                    try cluster.said("job", "explain", "cli-job").contains("due next at 2031-01-01T00:00:00.000Z"))
                // With the whole log; the exit status is the run's.
                let followed = try cluster.client("job", "run", "cli-job", "-f")
                #expect(followed.status == 0, "\(followed.errors)")
                #expect(followed.output.contains("from the job"), "\(followed.output)")
                try cluster.waitForRun(of: "cli-job", "succeeded")
                #expect(try cluster.said("job", "history", "cli-job").contains("succeeded"))
                #expect(try cluster.count("successCount", of: "cli-job") == 1)
                #expect(try cluster.said("job", "delete", "cli-job") == "deleted cli-job\n")
                let gone = try cluster.client("job", "show", "cli-job")
                #expect(gone.status == 1 && gone.errors.contains("cli-job"), "\(gone.errors)")
            }
        }

        @Test("a job is edited in an editor, and a text that is no job changes nothing and is kept")
        func edit() async throws {
            try await onCluster { cluster in
                try cluster.put("cli-edit", command: "true")
                func edit(_ editor: String) throws -> Executable.Result {
                    try Executable.run(
                        ["job", "edit", "cli-edit"],
                        environment: [
                            "CARILLON_URL": cluster.urls, "CARILLON_API_KEY": cluster.key, "VISUAL": editor,
                            "TMPDIR": cluster.folder,
                        ])
                }
                #expect(try edit("true").output == "nothing was changed\n")
                let changed = try edit(#"sed -i 's/"command": "true"/"command": "echo edited"/'"#)
                #expect(changed.status == 0, "\(changed.errors)")
                #expect(changed.output.contains("~ job cli-edit (command)"), "\(changed.output)")
                #expect(try cluster.job("cli-edit")?["command"] == "echo edited")
                let broken = try edit(#"sed -i 's/"command"/"comand"/'"#)
                #expect(broken.status == 1)
                #expect(broken.errors.contains(#"unknown member "comand""#), "\(broken.errors)")
                let kept = try #require(broken.errors.firstMatch(of: /Your text is in (\S+\.json)/)?.1)
                #expect(try String(contentsOfFile: String(kept), encoding: .utf8).contains("comand"))
                #expect(try edit("false").status == 1)
                #expect(try cluster.job("cli-edit")?["command"] == "echo edited")
            }
        }

        @Test("a run is listed, shown, explained, its log read and followed, and it is aborted")
        func runs() async throws {
            try await onCluster { cluster in
                try cluster.put("cli-run", command: "echo one; sleep 60", ["retries": 0])
                let id = try #require(try cluster.json("job", "run", "cli-run")["run"]?.stringValue)
                try cluster.waitForRun(of: "cli-run", "started")
                #expect(try cluster.said("run", "list", "--job", "cli-run").contains(id))
                #expect(try cluster.json("run", "show", id)["state"] == "started")
                #expect(try cluster.said("run", "explain", id).contains("is started"))
                #expect(try cluster.said("run", "abort", id) == "aborted \(id)\n")
                let run = try cluster.waitForRun(of: "cli-run", "aborted")
                #expect(run["reason"]?.stringValue?.contains("aborted by 'test'") == true, "\(run.text)")
                #expect(try cluster.said("run", "logs", id).contains("one"))
                #expect(try cluster.said("run", "logs", id, "--follow").contains("one"))
                #expect(try cluster.said("run", "explain", id).contains("aborted"))
                #expect(try cluster.client("run", "abort", id).status == 1)
                #expect(try cluster.client("run", "logs", "r0").status == 1)

                try cluster.put("cli-waits", ["cpus": 5_000])
                let waiting = try #require(try cluster.json("job", "run", "cli-waits")["run"]?.stringValue)
                try cluster.wait("the leader has tried to place it") {
                    try cluster.said("run", "explain", waiting).contains("cpus")
                }
                #expect(try cluster.said("job", "explain", "cli-waits").contains(waiting))
                let pending = try cluster.cronicle("get_job_status", ["id": .string(waiting)])["job"]
                #expect(pending?["pending_reason"]?.stringValue?.contains("5000") == true, "\(pending?.text ?? "")")
                try cluster.said("run", "abort", waiting)
            }
        }

        @Test("a list of jobs is read from a cluster that wants a key, by its key or by user and password")
        func importWithKey() async throws {
            try await onCluster { cluster in
                try cluster.put("imported-from-here", command: "true")
                let source = try cluster.leaderNode().url
                let refused = try cluster.client("import", "chronos", source, "--dry-run")
                #expect(refused.status == 1 && refused.errors.contains("--source-key"), "\(refused.errors)")
                let byKey = try cluster.client(
                    "import", "chronos", source, "--source-key", cluster.key, "--dry-run")
                #expect(byKey.output.contains("imported-from-here"), "\(byKey.errors)")
                let file = FileManager.default.temporaryDirectory.appendingPathComponent("source-\(UUID().uuidString)")
                defer { try? FileManager.default.removeItem(at: file) }  // a leftover in a folder for leftovers
                try Data("anybody:\(cluster.key)\n".utf8).write(to: file)
                let byPassword = try cluster.client(
                    "import", "chronos", source, "--source-credentials-file", file.path, "--dry-run")
                #expect(byPassword.output.contains("imported-from-here"), "\(byPassword.errors)")
                let both = try cluster.client(
                    "import", "chronos", source, "--source-credentials-file", file.path, "--source-key", "k")
                #expect(both.status == 2)
                #expect(try cluster.client("import", "chronos", file.path, "--source-key", "k").status == 2)
            }
        }

        @Test("workers are listed, shown, drained and resumed; the cluster tells its status and its leader")
        func workers() async throws {
            try await onCluster { cluster in
                #expect(try cluster.said("worker", "list").contains("worker-2"))
                #expect(try cluster.said("worker", "show", "worker-1").contains("attribute enforces"))
                let unknown = try cluster.client("worker", "show", "worker-x")
                #expect(unknown.status == 1 && unknown.errors.contains("did you mean"), "\(unknown.errors)")
                try cluster.said("worker", "drain", "worker-1")
                #expect(try cluster.json("worker", "show", "worker-1")["state"] == "draining")
                try cluster.said("worker", "resume", "worker-1")
                #expect(try cluster.json("worker", "show", "worker-1")["state"] == "up")
                let status = try cluster.json("status")
                #expect(status["leader"]?.stringValue == cluster.leader())
                #expect(status["workers"]?["up"] == 2)
                #expect(try cluster.said("status").contains("follower"))
                let leader = try cluster.said("leader")
                #expect(try cluster.leaderNode().url.hasSuffix(leader.trimmingCharacters(in: .whitespacesAndNewlines)))
            }
        }

        @Test("keys are made, listed and revoked; users made, given passwords, disabled and deleted")
        func accounts() async throws {
            try await onCluster { cluster in
                let database = ["--database-url", cluster.databaseURL]
                func said(_ words: String...) throws -> String { try cluster.carillon(words + database) }
                let key = try said("key", "create", "--title", "cli-key").trimmingCharacters(
                    in: .whitespacesAndNewlines)
                func status() throws -> Int {
                    try TestHTTP.request(
                        "GET", try cluster.leaderNode().url + "/v1/scheduler/jobs", headers: ["X-API-Key": key]
                    ).status
                }
                #expect(try status() == 200)
                let keys = try JSONValue(parsing: Array(try said("key", "list", "--json").utf8))["keys"]?.arrayValue
                let id = try #require(keys?.first { $0["title"] == "cli-key" }?["id"]?.stringValue)
                _ = try said("key", "revoke", id)
                try cluster.wait("the key is known as revoked") { try status() == 401 }
                #expect(try said("key", "list").contains("cli-key"))
                #expect(try Executable.run(["key", "revoke", "k0"] + database).status == 1)

                _ = try said("user", "create", "cli-user", "--password", "first")
                #expect(try said("user", "list").contains("cli-user"))
                _ = try said("user", "passwd", "cli-user", "--password", "second")
                func login(_ password: String) throws -> String {
                    try cluster.leaderRequest(
                        "POST", "/api/user/login",
                        body: JSONValue(dictionaryLiteral: ("username", "cli-user"), ("password", .string(password)))
                            .text
                    ).json?["code"]?.text ?? ""
                }
                #expect(try login("second") == "0")
                #expect(try login("first") != "0")
                _ = try said("user", "disable", "cli-user")
                #expect(try login("second") != "0")
                _ = try said("user", "enable", "cli-user")
                #expect(try login("second") == "0")
                _ = try said("user", "delete", "cli-user")
                #expect(try !said("user", "list").contains("cli-user"))
                #expect(try Executable.run(["user", "disable", "cli-user"] + database).status == 1)
            }
        }

        @Test("the doctor finds a healthy cluster healthy, and what is wrong with an advice")
        func doctor() async throws {
            try await onCluster { cluster in
                // Databases of tests lose what a machine forgets, which is what the doctor must find.
                let careless = try cluster.client("doctor", "--database-url", cluster.databaseURL)
                #expect(careless.status == 1, "\(careless.output)")
                #expect(careless.output.contains("synchronous_commit is off"))
                #expect(careless.output.contains("→ set it to on") && careless.output.contains("1 errors"))
                let name = try #require(try cluster.query("SELECT current_database()").first?.first ?? nil)
                try cluster.query("ALTER DATABASE \"\(name)\" SET synchronous_commit = on")
                let result = try cluster.client("doctor", "--database-url", cluster.databaseURL)
                #expect(result.status == 0, "\(result.output)\(result.errors)")
                for subject in [
                    "database", "schema", "clock", "durability", "pooler", "lock", "history", "logs", "ledger",
                    "node node-3", "worker worker-1",
                ] { #expect(result.output.contains("  \(subject) "), "\(subject): \(result.output)") }
                #expect(result.output.contains("0 errors"))

                let away = try cluster.client("doctor", at: "http://127.0.0.1:1")
                #expect(away.status == 1 && away.output.contains("→ "), "\(away.output)")
                let wrong = try cluster.client(
                    "doctor", "--json", "--database-url", "postgresql://nobody@127.0.0.1:1/none")
                let findings = try JSONValue(parsing: Array(wrong.output.utf8))["findings"]?.arrayValue ?? []
                #expect(wrong.status == 1)
                #expect(findings.contains { $0["subject"] == "database" && $0["level"] == "error" })
            }
        }
    }
}

extension EndToEnd {
    @Suite("The command line while the leader changes", .serialized)
    struct CommandFailoverTests {
        @Test("commands that are given while the leader dies succeed, and a log that is followed goes on elsewhere")
        func failover() async throws {
            try await Cluster.run(nodes: 3, workers: 1) { cluster in
                try cluster.put("long", command: "for i in $(seq 1 60); do echo line $i; sleep 0.1; done")
                let leader = try cluster.waitForLeader()
                // The one that will die is asked first.
                let urls = ([try cluster.node(leader).url] + cluster.nodes.map(\.url)).joined(separator: ",")
                let environment = ["CARILLON_URL": urls, "CARILLON_API_KEY": cluster.key]
                let started = try cluster.carillon(["job", "run", "long", "--json"], environment: environment)
                let id = try #require(try JSONValue(parsing: Array(started.utf8))["run"]?.stringValue)
                try cluster.waitForRun(of: "long", "started")
                let path = cluster.folder + "/followed"
                let pid = try #require(try cluster.node(leader).pid)
                let script = """
                    '\(Executable.path)' run logs -f \(id) > '\(path)' & follower=$!
                    n=0; while ! grep -q 'line 5' '\(path)'; do n=$((n+1)); [ $n -lt 600 ]; sleep 0.05; done
                    kill -9 \(pid)
                    '\(Executable.path)' job disable long
                    '\(Executable.path)' job enable long
                    '\(Executable.path)' worker drain worker-1
                    '\(Executable.path)' worker resume worker-1
                    '\(Executable.path)' leader
                    wait $follower
                    """
                let result = try Executable.shell(script, environment: environment)
                #expect(result.status == 0, "\(result.output)\(result.errors)")
                #expect(result.output.hasPrefix("disabled long\nenabled long\ndraining worker-1\nresumed worker-1\n"))
                let log = try String(contentsOfFile: path, encoding: .utf8)
                let lines = log.split(separator: "\n").filter { $0.hasPrefix("line ") }
                #expect(lines == (1...60).map { "line \($0)" }, "\(log)")
            }
        }
    }
}
