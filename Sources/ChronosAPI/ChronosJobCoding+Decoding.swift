import Domain
import JSON
import Operations
import Timetable

extension ChronosJobCoding {
    /// The name of a posted job.
    /// - Throws: `DomainError.invalid`.
    static func name(of object: JSONObject) throws(DomainError) -> String {
        guard let name = try ChronosBody(object).text("name") else {
            throw .invalid("the job has no name: the key \"name\" is missing")
        }
        return name
    }

    /// Reads a posted job. Unknown keys are ignored.
    /// - Parameters:
    ///   - existing: the job that it replaces. What Chronos' JSON can say of a job is as posted, or has its default;
    ///     what it cannot say, since another dialect made the job, stays.
    ///   - now: the start of a schedule that names none.
    /// - Throws: `DomainError.invalid`, naming the key.
    static func decode(
        _ object: JSONObject, as kind: Kind, onto existing: Job?, zones: any ZoneDatabase, now: Instant
    ) throws(DomainError) -> JobDraft {
        let body = ChronosBody(object)
        let name = try name(of: object)
        let standard = JobDefinition(name: name)
        var job = existing?.definition ?? standard
        try decodeTexts(body, into: &job)
        job.shell = body.flag("shell") ?? true
        job.arguments = try body.texts("arguments")
        job.environment = try environment(body)
        job.constraints = try constraints(body)
        job.trigger = try ChronosTrigger(existing: existing, zones: zones, now: now).decode(body, as: kind)
        job.resources = Resources(
            cpus: amount(body.number("cpus"), or: Resources.standard.cpus),
            memory: amount(body.number("mem"), or: Resources.standard.memory),
            disk: amount(body.number("disk"), or: Resources.standard.disk))
        job.highPriority = body.flag("highPriority") ?? false
        job.softError = body.flag("softError") ?? false
        if body.flag("concurrent") ?? false {
            job.overlap = .allow
        } else if job.overlap == .allow {
            // Whether an occurrence waits or is skipped meanwhile is not Chronos' to say.
            job.overlap = .skip
        }
        job.retries = body.integer("retries").map { Int(clamping: max(0, $0)) } ?? standard.retries
        job.retryDelay = try seconds(body, "retryDelay")
        job.timeout = try timeout(body)
        job.onFailure = try body.text("onFailure") ?? ""
        try decodePlugin(body, existing: existing?.definition, into: &job)
        let fields = try ChronosFields(posted: body)
        job.startWindow = try fields.epsilon.map(startWindow)
        job.reportsCompletion = fields.async ?? false
        job.container = fields.container.map(ChronosContainer.spec)
        job.artifacts = fields.artifacts
        job.dialectFields = fields.text(within: job.dialectFields)
        return JobDraft(
            definition: job, isEnabled: !(body.flag("disabled") ?? false), counters: try counters(body))
    }

    // MARK: Time limits

    /// `timeout` is what Carillon calls Chronos' `maxCompletionTime`; either may be given.
    private static func timeout(_ body: ChronosBody) throws(DomainError) -> Duration? {
        let limit = body.integer("maxCompletionTime").flatMap { $0 > 0 ? Duration.seconds($0) : nil }
        let timeout = try seconds(body, "timeout").flatMap { $0 > .zero ? $0 : nil }
        guard let limit, let timeout, limit != timeout else { return timeout ?? limit }
        throw .invalid("timeout and maxCompletionTime are both given and differ: use one of them")
    }

    /// Seconds as a number, or an ISO 8601 duration. Nil when absent.
    private static func seconds(_ body: ChronosBody, _ key: String) throws(DomainError) -> Duration? {
        let wanted = "\(body.path(key)) must be a number of seconds or an ISO 8601 duration such as PT5M"
        guard let value = body.value(key), value != .string("") else { return nil }
        if case .string(let text) = value, text.hasPrefix("P") {
            guard let duration = try? ISODuration(text), !duration.hasNegativePart else {  // said in words of ours
                throw .invalid("\(wanted), not \(quoted(text))")
            }
            return duration.fixed ?? duration.approximate
        }
        let text = try ChronosBody.text(value, at: body.path(key))
        let longest = Double(Limits.runSeconds)
        guard let number = Double(text), number >= 0 else { throw .invalid("\(wanted), not \(quoted(text))") }
        guard number <= longest else {
            throw .invalid("\(body.path(key)) must be at most \(Limits.runSeconds) seconds")
        }
        return .milliseconds(Int64((number * 1_000).rounded()))
    }

    // MARK: Plugins

    /// `executor` names the plugin that runs the job. Its parameters are `taskInfoData`, a JSON object; without that
    /// the command is its script.
    private static func decodePlugin(
        _ body: ChronosBody, existing: JobDefinition?, into job: inout JobDefinition
    ) throws(DomainError) {
        job.plugin = try body.text("executor") ?? ""
        guard !job.plugin.isEmpty else {
            job.pluginParameters = "{}"
            return
        }
        let data = try body.text("taskInfoData") ?? ""
        if !data.isEmpty {
            // What is wrong with it, the message below says.
            guard let value = try? JSONValue(parsing: Array(data.utf8)), value.objectValue != nil else {
                throw .invalid(
                    "taskInfoData must be the parameters of the plugin \(quoted(job.plugin)) as a JSON object in a text"
                )
            }
            job.pluginParameters = value.text
        } else if existing?.plugin != job.plugin || existing?.command != job.command {
            job.pluginParameters = job.command.isEmpty ? "{}" : JSONValue.object(["script": .string(job.command)]).text
        }
    }

    private static func decodeTexts(_ body: ChronosBody, into job: inout JobDefinition) throws(DomainError) {
        job.command = try body.text("command") ?? ""
        job.owner = try body.text("owner") ?? ""
        job.ownerName = try body.text("ownerName") ?? ""
        job.description = try body.text("description") ?? ""
        job.runAsUser = try body.text("runAsUser") ?? ""
    }

    /// Chronos takes its defaults for 0 and for what is no number, and at launch for what is negative.
    private static func amount(_ posted: Double?, or standard: Double) -> Double {
        guard let posted, posted > 0 else { return standard }
        return posted
    }

    private static func startWindow(_ epsilon: String) throws(DomainError) -> Duration {
        let duration: ISODuration
        do { duration = try ISODuration(epsilon) } catch {
            throw .invalid(
                "epsilon must be an ISO 8601 duration such as PT15M, not \(quoted(epsilon)): \(error.message)")
        }
        guard !duration.hasNegativePart else {
            throw .invalid("epsilon must not be negative, as \(quoted(epsilon)) is")
        }
        return duration.fixed ?? duration.approximate
    }

    // MARK: Lists

    private static func environment(_ body: ChronosBody) throws(DomainError) -> [EnvironmentVariable] {
        let key = "environmentVariables"
        if let value = body.value(key), value.objectValue != nil {
            throw .invalid("\(key) must be an array like [{\"name\": \"MODE\", \"value\": \"prod\"}], not an object")
        }
        var variables: [EnvironmentVariable] = []
        for entry in try body.objects(key) {
            variables.append(
                EnvironmentVariable(name: try entry.requiredText("name"), value: try entry.requiredText("value")))
        }
        return variables
    }

    private static func constraints(_ body: ChronosBody) throws(DomainError) -> [Constraint] {
        var constraints: [Constraint] = []
        for (position, element) in try body.list("constraints").enumerated() {
            let place = "constraints[\(position)]"
            guard let parts = element.arrayValue, parts.count == 3 else {
                throw .invalid("\(place) must be an array of three, like [\"rack\", \"EQUALS\", \"rack-1\"]")
            }
            var texts: [String] = []
            for part in parts { texts.append(try ChronosBody.text(part, at: place)) }
            constraints.append(try Constraint(attribute: texts[0], comparison: texts[1], value: texts[2]))
        }
        return constraints
    }

    // MARK: Counters

    /// Nil, which resets all, unless the body carries one of them. Clients keep a job's past by posting back what they
    /// read; what such a body lacks starts anew.
    private static func counters(_ body: ChronosBody) throws(DomainError) -> JobCounters? {
        let keys = ["successCount", "errorCount", "errorsSinceLastSuccess", "lastSuccess", "lastError"]
        guard keys.contains(where: { body.value($0) != nil }) else { return nil }
        var counters = JobCounters()
        counters.successes = try count(body, "successCount")
        counters.errors = try count(body, "errorCount")
        counters.errorsSinceLastSuccess = try count(body, "errorsSinceLastSuccess")
        counters.lastSuccess = try instant(body, "lastSuccess")
        counters.lastError = try instant(body, "lastError")
        return counters
    }

    private static func count(_ body: ChronosBody, _ key: String) throws(DomainError) -> Int64 {
        let count = body.integer(key) ?? 0
        guard count >= 0 else { throw .invalid("\(key) must not be negative") }
        return count
    }

    private static func instant(_ body: ChronosBody, _ key: String) throws(DomainError) -> Instant? {
        guard let text = try body.text(key), !text.isEmpty else { return nil }
        guard let instant = Instant(iso8601: text) else {
            throw .invalid("\(key) must be a time such as 2026-02-28T01:00:42.117Z, or empty, not \(quoted(text))")
        }
        return instant
    }
}
