import Domain
import JSON
import Operations
import Timetable

extension ChronosJobCoding {
    /// Reads a posted job. Unknown keys are ignored.
    /// - Parameter now: the start of a schedule that names none.
    /// - Throws: `DomainError.invalid`, naming the key.
    static func decode(_ object: JSONObject, as kind: Kind, now: Instant) throws(DomainError) -> JobDraft {
        let body = ChronosBody(object)
        guard let name = try body.text("name") else {
            throw .invalid("the job has no name: the key \"name\" is missing")
        }
        var job = JobDefinition(name: name)
        try decodeTexts(body, into: &job)
        job.shell = body.flag("shell") ?? true
        job.arguments = try body.texts("arguments")
        job.environment = try environment(body)
        job.constraints = try constraints(body)
        job.trigger = try trigger(body, kind, now)
        job.resources = Resources(
            cpus: amount(body.number("cpus"), or: Resources.standard.cpus),
            memory: amount(body.number("mem"), or: Resources.standard.memory),
            disk: amount(body.number("disk"), or: Resources.standard.disk))
        job.highPriority = body.flag("highPriority") ?? false
        job.softError = body.flag("softError") ?? false
        job.overlap = body.flag("concurrent") ?? false ? .allow : .skip
        if let retries = body.integer("retries") { job.retries = Int(clamping: max(0, retries)) }
        if let seconds = body.integer("maxCompletionTime"), seconds > 0 { job.timeout = .seconds(seconds) }
        let fields = try ChronosFields(posted: body)
        job.startWindow = try fields.epsilon.map(startWindow)
        job.reportsCompletion = fields.async ?? false
        job.container = fields.container.map(ChronosContainer.spec)
        job.artifacts = fields.artifacts
        job.dialectFields = fields.text
        return JobDraft(
            definition: job, isEnabled: !(body.flag("disabled") ?? false), counters: try counters(body))
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

    // MARK: Triggers

    private static func trigger(_ body: ChronosBody, _ kind: Kind, _ now: Instant) throws(DomainError) -> Trigger {
        let schedule = try body.text("schedule")
        let parents = try body.texts("parents")
        let hasSchedule = schedule.map { !$0.allSatisfy(\.isWhitespace) } ?? false
        guard parents.isEmpty || !hasSchedule else {
            throw .invalid(
                "a job has either a schedule, and is posted to …/iso8601, or parents, and is posted to …/dependency:"
                    + " leave one of the two out")
        }
        switch kind {
        case .scheduled:
            guard parents.isEmpty else {
                throw .invalid("a job with parents is posted to …/dependency, not to …/iso8601")
            }
            let zone = try body.text("scheduleTimeZone") ?? ""
            return .schedule(
                ScheduleText(notation: .iso8601, text: schedule ?? onceNow, zone: zone, anchor: now))
        case .dependent:
            guard !parents.isEmpty else {
                throw .invalid(
                    hasSchedule
                        ? "a job with a schedule is posted to …/iso8601, not to …/dependency"
                        : "a dependent job needs parents: an array with the name of at least one job")
            }
            // A set in Chronos.
            var seen: Set<String> = []
            return .parents(parents.filter { seen.insert($0).inserted })
        }
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
