/// `carillon run …`: executions, over the management routes.
enum RunCommands {
    static let all = [list, show, ledger]

    private static let job = Option<String?>.optionalText("job", "NAME", "only of this job")
    private static let limit = Option<Int>.integer("limit", "N", "at most so many", in: 1...1000, default: 20)
    private static let from = Option<String?>.optionalText("from", "INSTANT", "due at or after this instant")
    private static let to = Option<String?>.optionalText("to", "INSTANT", "due before this instant")

    static let list = Command(
        path: ["run", "list"], summary: "List runs, newest first",
        options: [job.declaration, limit.declaration] + ClientCommands.shared
    ) { arguments in
        let target = ManagementRoute.runs(job: try arguments.get(job), limit: try arguments.get(limit))
        return try ClientCommands.perform(arguments) { client, output in
            let answer = try await client.json(.get, target)
            output.show(answer) { ManagementTable.runs(answer).text }
        }
    }

    static let show = Command(
        path: ["run", "show"], summary: "Show a run, its tries and the end of their output",
        positionals: [.init(name: "ID", help: "the run's id, as 'carillon run list' shows it")],
        options: ClientCommands.shared
    ) { arguments in
        try ClientCommands.perform(arguments) { client, output in
            let answer = try await client.json(.get, ManagementRoute.run(arguments.positionals[0]))
            output.show(answer) { ManagementTable.run(answer) }
        }
    }

    static let ledger = Command(
        path: ["run", "ledger"], summary: "Show what became of each due occurrence",
        details: "Instants are ISO 8601, as in 2026-03-01T02:00:00Z.",
        options: [from.declaration, to.declaration, job.declaration] + ClientCommands.shared
    ) { arguments in
        let target = ManagementRoute.ledger(
            from: try arguments.get(from), to: try arguments.get(to), job: try arguments.get(job))
        return try ClientCommands.perform(arguments) { client, output in
            let answer = try await client.json(.get, target)
            output.show(answer) { ManagementTable.ledger(answer).text }
        }
    }
}
