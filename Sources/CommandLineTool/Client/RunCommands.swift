/// `carillon run …`: executions, over the management routes.
enum RunCommands {
    static let all = [list, show, logs, ledger]

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

    private static let follow = Option<Bool>.flag("follow", letter: "f", "go on until the run has ended")
    private static let attempt = Option<String?>.optionalText("attempt", "N", "of this try only, from 0")

    static let logs = Command(
        path: ["run", "logs"], summary: "Print a run's log",
        details: "The log over all tries of the run, from wherever it is: any node will do.",
        positionals: [.init(name: "ID", help: "the run's id, as 'carillon run list' shows it")],
        options: [follow.declaration, attempt.declaration] + ClientCommands.shared
    ) { arguments in
        var number: Int?
        if let text = try arguments.get(attempt) {
            guard let parsed = Int(text), parsed >= 0 else {
                throw UsageError("--attempt: '\(text)' is not the number of a try, from 0")
            }
            number = parsed
        }
        let target = ManagementRoute.log(
            arguments.positionals[0], attempt: number, follows: try arguments.get(follow))
        return try ClientCommands.perform(arguments) { client, _ in
            try await client.stream(target) { Console.out(bytes: $0) }
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
