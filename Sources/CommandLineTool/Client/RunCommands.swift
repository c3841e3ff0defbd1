import JSON

/// `carillon run …`: executions, over the management routes.
enum RunCommands {
    static let all = [list, show, abort, logs, explain, ledger]

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
            output.show(answer) { ManagementTable.runs(answer, output.style).text }
        }
    }

    static let show = Command(
        path: ["run", "show"], summary: "Show a run, its tries and the end of their output",
        positionals: [.init(name: "ID", help: "the run's id, as 'carillon run list' shows it")],
        options: ClientCommands.shared
    ) { arguments in
        try ClientCommands.perform(arguments) { client, output in
            let answer = try await client.json(.get, ManagementRoute.run(arguments.positionals[0]))
            output.show(answer) { ManagementTable.run(answer, output.style) }
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
        let (id, follows) = (arguments.positionals[0], try arguments.get(follow))
        return try ClientCommands.perform(arguments) { [number] client, _ in
            if follows {
                _ = try await LogFollower(client: client).follow(id, attempt: number)
            } else {
                try await client.stream(ManagementRoute.log(id, attempt: number, follows: false)) {
                    Console.out(bytes: $0)
                }
            }
        }
    }

    private static let id = Command.Positional(name: "ID", help: "the run's id, as 'carillon run list' shows it")

    static let abort = Command(
        path: ["run", "abort"], summary: "End a run, whatever it is at", positionals: [id],
        options: ClientCommands.shared
    ) { arguments in
        try ClientCommands.perform(arguments) { client, output in
            let answer = try await client.json(.post, ManagementRoute.run(arguments.positionals[0]) + "/abort")
            output.show(answer) { "aborted \(arguments.positionals[0])" }
        }
    }

    static let explain = Command(
        path: ["run", "explain"], summary: "Say why a run waits, or how it ended", positionals: [id],
        options: ClientCommands.shared
    ) { arguments in
        try ClientCommands.perform(arguments) { client, output in
            let id = arguments.positionals[0]
            let run = try await client.json(.get, ManagementRoute.run(id) + "/explanation")
            output.show(run) { sentences(run, output.style).joined(separator: "\n") }
        }
    }

    static func sentences(_ run: JSONValue, _ style: Style) -> [String] {
        let state = ManagementTable.text(run["state"])
        let reason = run["reason"]?.stringValue ?? ""
        var lines = [
            "Run \(ManagementTable.text(run["id"])) of job '\(ManagementTable.text(run["job"]))' is "
                + style.paint(state, Style.colour(of: state)) + (reason.isEmpty ? "." : ": \(Table.safe(reason)).")
        ]
        let cause =
            switch run["cause"]?.stringValue {
            case "schedule": "its schedule"
            case "manual": "a request"
            case "parents": "its parents' success"
            case "chain": "the end of another run"
            default: "something unknown"
            }
        lines.append("It came from \(cause), and was due \(style.when(run["due"])).")
        if let worker = run["worker"]?.stringValue { lines.append("Its worker is \(Table.safe(worker)).") }
        if run["started"]?.stringValue != nil { lines.append("It started \(style.when(run["started"])).") }
        for attempt in run["attempts"]?.arrayValue ?? [] {
            let why = attempt["reason"]?.stringValue ?? ""
            lines.append(
                "Try \(ManagementTable.text(attempt["number"])) \(ManagementTable.text(attempt["state"])) on "
                    + ManagementTable.text(attempt["worker"]) + (why.isEmpty ? "." : ": \(Table.safe(why))."))
        }
        return lines
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
            output.show(answer) { ManagementTable.ledger(answer, output.style).text }
        }
    }
}
