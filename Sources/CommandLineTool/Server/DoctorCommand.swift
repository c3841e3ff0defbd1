import HTTPTransport
import JSON
import Node

/// `carillon doctor`: looks at everything, and says what to do.
enum DoctorCommand {
    private static let databaseURL = Option<String?>.optionalText(
        "database-url", "URL", "the cluster's PostgreSQL; without it the database is not looked at")

    static let command = Command(
        path: ["doctor"], summary: "Look at database, nodes and workers, and say what is wrong and what to do",
        details: """
            Looks at the database (version, schema, durability, clock, sizes of history, logs and ledger), at the \
            election's lock and at poolers between, at every node and at every worker (control groups, container \
            engine, change of users). Changes nothing. Exit status 0: nothing is wrong, though there may be warnings; \
            1: something is.
            """,
        examples: ["carillon doctor --database-url URL --url http://node-1:8080"],
        options: [databaseURL.declaration] + ClientCommands.shared
    ) { arguments in
        let database = try arguments.get(databaseURL)
        let key = try arguments.get(ClientCommands.key)
        let outcome = Outcome()
        _ = try ClientCommands.performOnLoop(arguments) { client, output, loop in
            var findings: [Finding] = []
            if let database {
                let tasks = DatabaseTasks(url: database, loop: loop)
                findings += await tasks.examine()
            }
            findings += await ClusterExamination(client: client, hasKey: key != nil).examine()
            output.show(json(findings)) { text(findings, output.style) }
            outcome.isHealthy = !findings.contains { $0.level == .error }
        }
        return outcome.isHealthy ? 0 : 1
    }

    /// Written by the one task, read after it has ended: that is the reason for `@unchecked Sendable`.
    private final class Outcome: @unchecked Sendable { var isHealthy = true }

    static func json(_ findings: [Finding]) -> JSONValue {
        [
            "findings": .array(
                findings.map {
                    [
                        "level": .string($0.level.rawValue), "subject": .string($0.subject), "text": .string($0.text),
                        "advice": .string($0.advice),
                    ]
                })
        ]
    }

    static func text(_ findings: [Finding], _ style: Style) -> String {
        var lines: [String] = []
        let width = findings.map(\.subject.count).max() ?? 0
        for finding in findings {
            let level = finding.level.rawValue
            let padding = String(repeating: " ", count: 7 - level.count)
            let subject = finding.subject + String(repeating: " ", count: width - finding.subject.count)
            lines.append(
                style.paint(level, Style.colour(of: level)) + padding + "  \(subject)  \(Table.safe(finding.text))")
            if !finding.advice.isEmpty {
                lines.append(String(repeating: " ", count: 9) + "→ \(Table.safe(finding.advice))")
            }
        }
        let errors = findings.count { $0.level == .error }
        let warnings = findings.count { $0.level == .warning }
        lines.append("\(errors) errors, \(warnings) warnings")
        return lines.joined(separator: "\n")
    }
}

/// What the nodes and workers say of themselves.
struct ClusterExamination: Sendable {
    let client: APIClient
    let hasKey: Bool

    /// Never throws: what fails is a finding.
    func examine() async -> [Finding] {
        let status: JSONValue
        do { status = try await client.json(.get, ManagementRoute.status) } catch {
            let advice =
                hasKey ? "look at the nodes' logs, and that --url names a node" : "give --key, and --url of a node"
            return [Finding(.error, "cluster", "it does not answer: \(error)", advice: advice)]
        }
        var findings = Self.cluster(status)
        for node in status["nodes"]?.arrayValue ?? [] { findings += await examine(node: node) }
        do {
            let workers = try await client.json(.get, ManagementRoute.workers)["workers"]?.arrayValue ?? []
            if workers.isEmpty {
                findings.append(Finding(.error, "workers", "there are none: nothing can run", advice: "start a worker"))
            }
            for worker in workers { findings += Self.examine(worker: worker) }
        } catch {
            findings.append(Finding(.error, "workers", "the leader does not list them: \(error)", advice: "try again"))
        }
        return findings
    }

    static func cluster(_ status: JSONValue) -> [Finding] {
        var findings: [Finding] = []
        let leader = "\(ManagementTable.text(status["leader"])) leads, epoch \(ManagementTable.text(status["epoch"]))"
        let lag = status["lag_ms"]?.int64Value ?? 0
        findings.append(
            lag > 1_000
                ? Finding(
                    .warning, "cluster", "\(leader); it is \(lag) ms behind its schedule",
                    advice: "look at carillon_commit_seconds: most often the database is slow")
                : Finding(.ok, "cluster", leader))
        if status["scheduling"]?.boolValue == false {
            findings.append(
                Finding(
                    .warning, "scheduling", "the scheduler is switched off: no schedule launches anything",
                    advice: "switch it on in the web interface, or by update_master_state"))
        }
        if let queued = status["runs"]?["queued"]?.int64Value, queued > 0 {
            findings.append(
                Finding(
                    .warning, "queue", "\(queued) runs wait for a worker",
                    advice: "'carillon run explain ID' says what each waits for"))
        }
        return findings
    }

    private func examine(node: JSONValue) async -> [Finding] {
        let name = ManagementTable.text(node["name"])
        let url = node["url"]?.stringValue ?? ""
        var request = HTTPClientRequest(
            url: url + "/health", timeout: .seconds(5), connectTimeout: .seconds(2), maximumResponseBytes: 64 * 1024)
        request.tls = client.tls
        let health: JSONValue
        do { health = try JSONValue(parsing: try await client.http.execute(request).body) } catch {
            return [
                Finding(
                    .error, "node \(name)", "does not answer at \(url): \(error)",
                    advice: "start it; if it is gone for good it leaves the list with the retention")
            ]
        }
        let version = ManagementTable.text(health["version"])
        guard health["database"]?.stringValue == "ok" else {
            return [
                Finding(
                    .error, "node \(name)", "does not reach the database", advice: "look at its log and its network")
            ]
        }
        var text = "\(ManagementTable.text(health["role"])), version \(version), tzdata "
        text += ManagementTable.text(health["tzdata"])
        guard version == Carillon.version else {
            return [
                Finding(
                    .warning, "node \(name)", "\(text); this program is \(Carillon.version)",
                    advice: "upgrade all to one version")
            ]
        }
        return [Finding(.ok, "node \(name)", text)]
    }

    static func examine(worker: JSONValue) -> [Finding] {
        let name = "worker \(ManagementTable.text(worker["name"]))"
        let attributes = worker["attributes"]
        switch worker["state"]?.stringValue {
        case "silent":
            return [
                Finding(
                    .error, name, "is silent since \(ManagementTable.text(worker["last_seen"]))",
                    advice: "start it, or look at its log; its runs are lost")
            ]
        case "draining":
            return [
                Finding(.warning, name, "takes nothing new", advice: "'carillon worker resume' lets it work again")
            ]
        default: break
        }
        var findings: [Finding] = []
        let enforces = attributes?["enforces"]?.stringValue ?? "none"
        let groups = "control groups \(attributes?["cgroups"]?.stringValue ?? "none"), enforces \(enforces)"
        findings.append(
            enforces == "none"
                ? Finding(
                    .warning, name, groups,
                    advice: "run it as a service with Delegate=yes, or name a group by --cgroup-parent: until then "
                        + "limits of memory and cpu are only held by looking")
                : Finding(.ok, name, groups))
        if let engine = attributes?["container_engine"]?.stringValue {
            let version = attributes?["container_engine_version"]?.stringValue ?? ""
            findings.append(Finding(.ok, name, "containers by \(engine) \(version)"))
        } else {
            findings.append(
                Finding(
                    .ok, name,
                    "no container engine: jobs with containers are placed elsewhere (docker or podman with "
                        + "its socket would change that)"))
        }
        findings.append(
            attributes?["switches_users"]?.stringValue == "no"
                ? Finding(
                    .ok, name, "runs every command as its own user (only a worker that root starts can change users)")
                : Finding(.ok, name, "can run commands as other users, those of --allow-user"))
        return findings
    }
}
