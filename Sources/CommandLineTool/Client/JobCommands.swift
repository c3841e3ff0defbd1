import HTTP
import JSON

/// `carillon job …`: definitions, over the Chronos dialect.
enum JobCommands {
    static let all = [
        list, show, add, JobEditing.edit, delete, run, kill, enable, disable, next, history, explain,
    ]

    /// The largest file of jobs that is read.
    static let largestFile = 16 << 20

    private static let scheduler = "/v1/scheduler/"
    static let name = Command.Positional(name: "NAME", help: "the job's name")
    private static let commandArguments = Option<String>.text(
        "arguments", "TEXT", "arguments for this run, appended to the job's command", default: "")

    private static func path(_ prefix: String, _ name: String) -> String {
        scheduler + prefix + PercentCoding.encodePathSegment(name)
    }

    static let list = Command(
        path: ["job", "list"], summary: "List all jobs", options: ClientCommands.shared
    ) { arguments in
        try ClientCommands.perform(arguments) { client, output in
            let answer = try await client.json(.get, scheduler + "jobs")
            output.show(answer) { table(answer, output.style).text }
        }
    }

    static func table(_ jobs: JSONValue, _ style: Style = .plain) -> Table {
        var table = Table(
            ["NAME", "LAST", "SUCCEEDED", "FAILED", "ENABLED", "WHEN"], rightAligned: [2, 3], style: style)
        let jobs = (jobs.arrayValue ?? []).sorted { ($0["name"]?.stringValue ?? "") < ($1["name"]?.stringValue ?? "") }
        for job in jobs {
            let parents = (job["parents"]?.arrayValue ?? []).compactMap(\.stringValue)
            let schedule = ManagementTable.text(job["schedule"])
            table.add([
                ManagementTable.text(job["name"]), lastOutcome(job),
                ManagementTable.text(job["successCount"]), ManagementTable.text(job["errorCount"]),
                job["disabled"]?.boolValue == true ? "no" : "yes",
                parents.isEmpty ? schedule : "after " + parents.sorted().joined(separator: ", "),
            ])
        }
        return table
    }

    /// As Chronos' summary says it: the later of the two instants counts, and equal ones are a failure. Both are texts
    /// of one form, so that their order is that of the instants.
    private static func lastOutcome(_ job: JSONValue) -> String {
        let success = job["lastSuccess"]?.stringValue ?? ""
        let failure = job["lastError"]?.stringValue ?? ""
        if success.isEmpty, failure.isEmpty { return "fresh" }
        return success > failure ? "success" : "failure"
    }

    static let show = Command(
        path: ["job", "show"], summary: "Show a job's definition", positionals: [name], options: ClientCommands.shared
    ) { arguments in
        try ClientCommands.perform(arguments) { client, output in
            let job = try await client.json(.get, path("job/", arguments.positionals[0]))
            output.show(job) { String(decoding: job.serialized(pretty: true), as: UTF8.self) }
        }
    }

    static let add = Command(
        path: ["job", "add"], summary: "Add or replace a job",
        details: """
            The file holds a job as the Chronos API takes it, with a schedule (an ISO 8601 repeating interval) or with \
            parents; or a list of such jobs, which are added in order.
            """,
        examples: [
            "echo '{\"name\":\"hello\",\"command\":\"date\",\"schedule\":\"R//PT1M\"}' | carillon job add -"
        ],
        positionals: [.init(name: "FILE", help: "a file with JSON; '-' is standard input")],
        options: ClientCommands.shared
    ) { arguments in
        let jobs = try definitions(in: arguments.positionals[0])
        return try ClientCommands.perform(arguments) { client, output in
            for job in jobs {
                let route = job["parents"] == nil ? "iso8601" : "dependency"
                _ = try await client.send(.post, scheduler + route, body: job.serialized())
                output.done("added \(ManagementTable.text(job["name"]))")
            }
        }
    }

    /// The jobs that a file holds.
    /// - Throws: `UsageError` if it cannot be read or holds something else.
    static func definitions(in path: String) throws(UsageError) -> [JSONValue] {
        let text: String
        do { text = try SmallFile.read(path, limit: largestFile) } catch {
            throw UsageError("cannot read '\(path)': \(error)", command: add.path)
        }
        return try definitions(text: text, path: path)
    }

    static func definitions(text: String, path: String) throws(UsageError) -> [JSONValue] {
        let value: JSONValue
        do { value = try JSONValue(parsing: Array(text.utf8), limits: .generous) } catch {
            throw UsageError("'\(path)' is not JSON: \(error.message) at byte \(error.offset)", command: add.path)
        }
        let jobs = value.arrayValue ?? [value]
        guard !jobs.isEmpty, jobs.allSatisfy({ $0["name"]?.stringValue != nil }) else {
            throw UsageError(
                "'\(path)' must hold a job, an object with a \"name\", or a list of jobs", command: add.path)
        }
        return jobs
    }

    static let delete = Command(
        path: ["job", "delete"], summary: "Delete a job and end its runs", positionals: [name],
        options: ClientCommands.shared
    ) { arguments in
        try simple(arguments, .delete, path("job/", arguments.positionals[0]), "deleted")
    }

    private static let follow = Option<Bool>.flag(
        "follow", letter: "f", "print the run's log until it has ended; exit status 1 unless it succeeds")

    static let run = Command(
        path: ["job", "run"], summary: "Run a job now", positionals: [name],
        options: [commandArguments.declaration, follow.declaration] + ClientCommands.shared
    ) { arguments in
        let text = try arguments.get(commandArguments)
        let follows = try arguments.get(follow)
        let body: JSONValue = text.isEmpty ? [:] : ["arguments": .string(text)]
        let outcome = Outcome()
        let status = try ClientCommands.perform(arguments) { client, output in
            let name = arguments.positionals[0]
            let answer = try await client.json(.post, ManagementRoute.job(name, "run"), body: body.serialized())
            guard follows, let run = answer["run"]?.stringValue else {
                return output.show(answer) { "queued a run of \(name): \(ManagementTable.text(answer["run"]))" }
            }
            output.done("run \(run)")
            outcome.succeeded = try await LogFollower(client: client).follow(run, attempt: nil) == "succeeded"
        }
        return outcome.succeeded ? status : 1
    }

    static let kill = Command(
        path: ["job", "kill"], summary: "End what runs of a job", positionals: [name],
        options: ClientCommands.shared
    ) { arguments in
        try simple(arguments, .delete, path("task/kill/", arguments.positionals[0]), "ended the runs of")
    }

    static let enable = switching("enable", "Let a job's schedule run again")
    static let disable = switching("disable", "Suspend a job's schedule")

    private static func switching(_ word: String, _ summary: String) -> Command {
        Command(
            path: ["job", word], summary: summary, positionals: [name], options: ClientCommands.shared
        ) { arguments in
            try ClientCommands.perform(arguments) { client, output in
                let target = ManagementRoute.job(arguments.positionals[0], word)
                let answer = try await client.json(.post, target, repeatable: true)
                output.show(answer) { "\(word)d \(arguments.positionals[0])" }
            }
        }
    }

    // MARK: Looking at one job

    private static let count = Option<Int>.integer(
        "count", "N", "how many due instants", in: 1...1_000, default: 5)

    static let next = Command(
        path: ["job", "next"], summary: "Show when a job is due next", positionals: [name],
        options: [count.declaration] + ClientCommands.shared
    ) { arguments in
        let count = try arguments.get(count)
        return try ClientCommands.perform(arguments) { client, output in
            let answer = try await client.json(
                .get, ManagementRoute.job(arguments.positionals[0], "next") + "?count=\(count)")
            output.show(answer) { dues(answer, output.style) }
        }
    }

    static func dues(_ answer: JSONValue, _ style: Style) -> String {
        var lines: [String] = []
        if answer["enabled"]?.boolValue == false { lines.append("disabled: none of these will be launched") }
        if let parents = answer["parents"]?.arrayValue {
            lines.append("after " + parents.map { ManagementTable.text($0) }.joined(separator: ", "))
        }
        for due in answer["due"]?.arrayValue ?? [] {
            let text = ManagementTable.text(due)
            lines.append(style.now == nil ? text : "\(text)  \(style.when(due))")
        }
        return lines.isEmpty ? "never" : lines.joined(separator: "\n")
    }

    private static let limit = Option<Int>.integer("limit", "N", "at most so many", in: 1...1000, default: 20)

    static let history = Command(
        path: ["job", "history"], summary: "List a job's runs, newest first", positionals: [name],
        options: [limit.declaration] + ClientCommands.shared
    ) { arguments in
        let target = ManagementRoute.runs(job: arguments.positionals[0], limit: try arguments.get(limit))
        return try ClientCommands.perform(arguments) { client, output in
            let answer = try await client.json(.get, target)
            output.show(answer) { ManagementTable.runs(answer, output.style).text }
        }
    }

    static let explain = Command(
        path: ["job", "explain"], summary: "Say why a job runs or does not run", positionals: [name],
        options: ClientCommands.shared
    ) { arguments in
        try ClientCommands.perform(arguments) { client, output in
            let answer = try await client.json(.get, ManagementRoute.job(arguments.positionals[0], "explanation"))
            output.show(answer) {
                (answer["lines"]?.arrayValue ?? []).map { ManagementTable.text($0) }.joined(separator: "\n")
            }
        }
    }

    /// A request whose answer has no body.
    private static func simple(
        _ arguments: Arguments, _ method: HTTPMethod, _ target: String, _ done: String
    ) throws -> Int32 {
        try ClientCommands.perform(arguments) { client, output in
            _ = try await client.send(method, target)
            output.done("\(done) \(arguments.positionals[0])")
        }
    }

    /// Written by the one task, read after it has ended: that is the reason for `@unchecked Sendable`.
    private final class Outcome: @unchecked Sendable { var succeeded = true }
}
