import HTTP
import JSON

/// `carillon job …`: definitions, over the Chronos dialect.
enum JobCommands {
    static let all = [list, show, add, delete, run, kill, enable, disable]

    /// The largest file of jobs that is read.
    static let largestFile = 16 << 20

    private static let scheduler = "/v1/scheduler/"
    private static let name = Command.Positional(name: "NAME", help: "the job's name")
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
            output.show(answer) { table(answer).text }
        }
    }

    static func table(_ jobs: JSONValue) -> Table {
        var table = Table(["NAME", "LAST", "SUCCEEDED", "FAILED", "ENABLED", "WHEN"], rightAligned: [2, 3])
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

    static let run = Command(
        path: ["job", "run"], summary: "Run a job now", positionals: [name],
        options: [commandArguments.declaration] + ClientCommands.shared
    ) { arguments in
        let text = try arguments.get(commandArguments)
        let query = text.isEmpty ? "" : "?arguments=" + PercentCoding.encodeQueryValue(text)
        return try simple(arguments, .put, path("job/", arguments.positionals[0]) + query, "queued a run of")
    }

    static let kill = Command(
        path: ["job", "kill"], summary: "End all runs of a job", positionals: [name], options: ClientCommands.shared
    ) { arguments in
        try simple(arguments, .delete, path("task/kill/", arguments.positionals[0]), "asked to end the runs of")
    }

    static let enable = switching(["job", "enable"], "Let a job's schedule run again", disabled: false)
    static let disable = switching(["job", "disable"], "Suspend a job's schedule", disabled: true)

    /// The dialect has no route of its own for this: the definition is read and written back, counters included.
    private static func switching(_ words: [String], _ summary: String, disabled: Bool) -> Command {
        Command(path: words, summary: summary, positionals: [name], options: ClientCommands.shared) { arguments in
            try ClientCommands.perform(arguments) { client, output in
                let answer = try await client.json(.get, path("job/", arguments.positionals[0]))
                guard var job = answer.objectValue else {
                    throw APIClient.Failure(status: nil, message: "the server's answer is not a job")
                }
                job["disabled"] = .bool(disabled)
                let route = job["parents"] == nil ? "iso8601" : "dependency"
                _ = try await client.send(.post, scheduler + route, body: JSONValue.object(job).serialized())
                output.done("\(disabled ? "disabled" : "enabled") \(arguments.positionals[0])")
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
}
