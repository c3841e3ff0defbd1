import HTTP
import JSON

/// `carillon export` and `carillon apply`: the cluster's jobs and catalogue as a directory of files.
enum ConfigurationCommands {
    static let all = [export, apply]

    private static let directory = Command.Positional(name: "DIR", help: "a directory; it is made if it is missing")
    private static let plan = Option<Bool>.flag("plan", "only show what would change")
    private static let delete = Option<Bool>.flag("delete", "remove what the cluster has and the directory has not")

    static let export = Command(
        path: ["export"], summary: "Write all jobs, categories, groups and plugins into a directory",
        details: """
            One file for each, with members in a fixed order and without what has its default, so that Git shows what \
            has changed. Files of things that are gone are removed; other files are left alone. Keys and users are not \
            exported; environment variables of jobs are.
            """,
        examples: ["carillon export cluster && git -C cluster diff"],
        positionals: [directory], options: ClientCommands.shared
    ) { arguments in
        let directory = ConfigurationDirectory(path: arguments.positionals[0])
        return try ClientCommands.perform(arguments) { client, output in
            let found = try await fetch(client)
            let report = try directory.write(found)
            let answer: JSONValue = [
                "directory": .string(directory.path), "written": .integer(Int64(report.written)),
                "unchanged": .integer(Int64(report.unchanged)), "removed": .integer(Int64(report.removed)),
            ]
            output.show(answer) {
                "\(directory.path): \(report.written) files written, \(report.unchanged) unchanged, "
                    + "\(report.removed) removed"
            }
        }
    }

    static let apply = Command(
        path: ["apply"], summary: "Make the cluster what a directory of files says",
        details: """
            Compares the files with what the cluster has, shows what differs, with due instants before and after, and \
            applies it in one transaction: all of it, or nothing. What the directory does not have is left alone, \
            unless --delete is given. Needs the privilege admin.
            """,
        examples: ["carillon apply cluster --plan", "carillon apply cluster"],
        positionals: [.init(name: "DIR", help: "a directory as 'carillon export' writes it")],
        options: [plan.declaration, delete.declaration] + ClientCommands.shared
    ) { arguments in
        var wanted = try ConfigurationDirectory(path: arguments.positionals[0]).read()
        let plansOnly = try arguments.get(plan)
        if plansOnly { wanted["plan"] = true }
        if try arguments.get(delete) { wanted["delete"] = true }
        let body = JSONValue.object(wanted).serialized()
        return try ClientCommands.perform(arguments) { client, output in
            // What is too large for a follower to keep goes to the leader at once.
            let leader = try await client.atLeader()
            let answer = try await leader.json(.post, ManagementRoute.configuration, body: body, repeatable: true)
            output.show(answer) { ConfigurationText.changes(answer, output.style) }
        }
    }

    /// Kinds of the catalogue, as the API and the directory call them.
    static let kinds = ["categories", "groups", "plugins"]

    private static func fetch(_ client: APIClient) async throws -> JSONObject {
        guard var found = try await client.json(.get, ManagementRoute.configuration + "/catalogue").objectValue else {
            throw APIClient.Failure(status: nil, message: "the server's answer is no catalogue")
        }
        let progress = Progress("reading jobs")
        defer { progress.end() }
        var jobs: [JSONValue] = []
        var last: String?
        while true {
            let page = try await client.json(.get, ManagementRoute.configurationJobs(after: last))["jobs"]?.arrayValue
            guard let page, !page.isEmpty else { break }
            jobs += page
            progress.show(jobs.count)
            last = page.last?["name"]?.stringValue
        }
        found["jobs"] = .array(jobs)
        return found
    }
}

/// What a plan looks like.
enum ConfigurationText {
    static func changes(_ answer: JSONValue, _ style: Style) -> String {
        let changes = answer["changes"]?.arrayValue ?? []
        var lines: [String] = []
        for change in changes {
            let action = ManagementTable.text(change["action"])
            let (sign, colour): (String, Style.Colour) =
                switch action {
                case "create": ("+", .green)
                case "delete": ("-", .red)
                default: ("~", .yellow)
                }
            var line =
                "\(sign) \(ManagementTable.text(change["kind"])) \(Table.safe(ManagementTable.text(change["name"])))"
            let members = (change["members"]?.arrayValue ?? []).map { ManagementTable.text($0) }
            if action == "update" { line += " (\(members.joined(separator: ", ")))" }
            lines.append(style.paint(line, colour))
            let (before, after) = (dues(change["due_before"]), dues(change["due_after"]))
            if before != after || action != "update" {
                if !before.isEmpty { lines.append("    due before: \(before)") }
                if !after.isEmpty { lines.append("    due after:  \(after)") }
                if after.isEmpty, action == "update" { lines.append("    due after:  never") }
            }
        }
        let applied = answer["applied"]?.boolValue == true
        let verb = changes.isEmpty ? "nothing to change" : "\(changes.count) \(applied ? "changed" : "would change")"
        var summary = "\(verb), \(ManagementTable.text(answer["unchanged"])) unchanged"
        if let others = answer["others"]?.int64Value, others > 0 {
            summary += "; \(others) more in the cluster are left alone (--delete removes them)"
        }
        return (lines + [summary]).joined(separator: "\n")
    }

    private static func dues(_ value: JSONValue?) -> String {
        (value?.arrayValue ?? []).map { ManagementTable.text($0) }.joined(separator: ", ")
    }
}

extension APIClient {
    /// The same client, asking the leader first.
    func atLeader() async throws -> APIClient {
        // What the leader says of itself; whoever does not know is asked as before.
        let url = try await json(.get, ManagementRoute.status)["leader_url"]?.stringValue
        guard let url, !url.isEmpty else { return self }
        var client = APIClient(
            url: ([url] + urls.filter { $0 != url }).joined(separator: ","), key: key, http: http,
            timekeeper: timekeeper, tls: tls)
        client.patience = patience
        return client
    }
}
