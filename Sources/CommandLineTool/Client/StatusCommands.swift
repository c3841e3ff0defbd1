import JSON

/// `carillon leader` and `carillon status`.
enum StatusCommands {
    static let all = [leader, status]

    static let leader = Command(
        path: ["leader"], summary: "Tell which node leads", options: ClientCommands.shared
    ) { arguments in
        try ClientCommands.perform(arguments) { client, output in
            let answer = try await client.json(.get, "/v1/scheduler/leader")
            output.show(answer) { ManagementTable.text(answer["leader"]) }
        }
    }

    static let status = Command(
        path: ["status"], summary: "Show the cluster at a glance: who leads, nodes, workers, runs",
        options: ClientCommands.shared
    ) { arguments in
        try ClientCommands.perform(arguments) { client, output in
            let answer = try await client.json(.get, ManagementRoute.status)
            output.show(answer) { text(answer, output.style) }
        }
    }

    static func text(_ status: JSONValue, _ style: Style) -> String {
        var facts = Table([], style: style)
        facts.add([
            "leader", "\(ManagementTable.text(status["leader"])) (epoch \(ManagementTable.text(status["epoch"])))",
        ])
        facts.add(["elected", style.when(status["elected"])])
        facts.add(["jobs", ManagementTable.text(status["jobs"])])
        facts.add(["runs", counts(status["runs"])])
        facts.add(["workers", counts(status["workers"])])
        facts.add(["messages", counts(status["outbox"])])
        facts.add(["scheduling", status["scheduling"]?.boolValue == false ? "switched off" : "on"])
        var nodes = Table(["NODE", "ROLE", "URL", "VERSION", "LAST SEEN"], style: style)
        for node in status["nodes"]?.arrayValue ?? [] {
            nodes.add([
                ManagementTable.text(node["name"]), node["leads"]?.boolValue == true ? "leader" : "follower",
                ManagementTable.text(node["url"]), ManagementTable.text(node["version"]), style.when(node["seen"]),
            ])
        }
        return facts.text + "\n\n" + nodes.text
    }

    /// "2 started, 1 queued"; what is none is left out.
    private static func counts(_ value: JSONValue?) -> String {
        let counts = (value?.objectValue ?? [:]).compactMap { key, value in
            value.int64Value.flatMap { $0 == 0 ? nil : "\($0) \(key)" }
        }
        return counts.isEmpty ? "none" : counts.joined(separator: ", ")
    }
}
