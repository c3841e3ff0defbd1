import Domain
import JSON
import Timetable

extension ChronosJobCoding {
    /// A job as Chronos' serialiser writes it: its keys in its order, resources as Java's doubles, one line.
    static func encode(_ job: Job, zones: any ZoneDatabase) -> [UInt8] {
        let definition = job.definition
        let fields = ChronosFields(text: definition.dialectFields)
        let listing = fields.listing(of: definition)
        let typicalSize = 1_024
        var writer = JSONWriter(reserving: typicalSize)
        writer.beginObject()
        writeHead(definition, fields, to: &writer)
        write(job.counters, to: &writer)
        writeMiddle(job, fields, to: &writer)
        writer.member("fetch", listing.fetch.map(\.json))
        writer.member("uris", listing.uris.map(JSONValue.string))
        writeTail(job, fields, container: listing.container, zones, to: &writer)
        writer.endObject()
        return writer.bytes
    }

    private static func writeHead(_ job: JobDefinition, _ fields: ChronosFields, to writer: inout JSONWriter) {
        writer.member("name", job.name)
        writer.member("command", job.command)
        writer.member("shell", job.shell)
        // 2.x lists epsilon and async always, 3.x never. Shown where they say something: a tool that synchronises posts
        // a job for ever if a key that it posted is not listed.
        if let epsilon = epsilon(job, fields) { writer.member("epsilon", epsilon) }
        writer.member("executor", job.plugin)
        writer.member("executorFlags", fields.executorFlags)
        writer.member("taskInfoData", fields.taskInfoData)
        writer.member("retries", Int64(job.retries))
        writer.member("owner", job.owner)
        writer.member("ownerName", job.ownerName)
        writer.member("description", job.description)
        if fields.async != nil || job.reportsCompletion { writer.member("async", job.reportsCompletion) }
    }

    private static func write(_ counters: JobCounters, to writer: inout JSONWriter) {
        writer.member("successCount", counters.successes)
        writer.member("errorCount", counters.errors)
        writer.member("lastSuccess", counters.lastSuccess?.iso8601 ?? "")
        writer.member("lastError", counters.lastError?.iso8601 ?? "")
    }

    private static func writeMiddle(_ job: Job, _ fields: ChronosFields, to writer: inout JSONWriter) {
        let resources = job.definition.resources
        for (key, amount) in [("cpus", resources.cpus), ("disk", resources.disk), ("mem", resources.memory)] {
            writer.key(key)
            writer.javaDouble(amount)
        }
        writer.member("disabled", !job.isEnabled)
        writer.member("softError", job.definition.softError)
        writer.member("dataProcessingJobType", fields.dataProcessingJobType)
        if let dataJob = fields.dataJob { writer.member("dataJob", dataJob) }
        writer.member("errorsSinceLastSuccess", job.counters.errorsSinceLastSuccess)
    }

    private static func writeTail(
        _ job: Job, _ fields: ChronosFields, container: JSONValue?, _ zones: any ZoneDatabase,
        to writer: inout JSONWriter
    ) {
        let definition = job.definition
        writer.member(
            "environmentVariables",
            definition.environment.map { ["name": .string($0.name), "value": .string($0.value)] })
        writer.member("arguments", definition.arguments.map(JSONValue.string))
        writer.member("highPriority", definition.highPriority)
        writer.member("runAsUser", definition.runAsUser)
        writer.member("concurrent", definition.overlap == .allow)
        writer.member("maxCompletionTime", definition.timeout?.components.seconds ?? 0)
        writeAdditions(definition, fields, to: &writer)
        if let container {
            writer.key("container")
            writer.value(container)
        }
        writer.member(
            "constraints",
            definition.constraints.map {
                [.string($0.attribute), .string($0.comparison.rawValue), .string($0.value)]
            })
        write(definition.trigger, of: job, zones, to: &writer)
    }

    /// What Chronos does not have is shown where it says something, so that its clients see nothing new in its jobs.
    private static func writeAdditions(_ job: JobDefinition, _ fields: ChronosFields, to writer: inout JSONWriter) {
        if fields.hasTimeout, let timeout = job.timeout {
            writer.key("timeout")
            writer.double(seconds(timeout))
        }
        if let delay = job.retryDelay {
            writer.key("retryDelay")
            writer.double(seconds(delay))
        }
        if !job.onFailure.isEmpty { writer.member("onFailure", job.onFailure) }
    }

    private static func seconds(_ duration: Duration) -> Double {
        let (seconds, attoseconds) = duration.components
        return Double(seconds) + Double(attoseconds) / 1e18
    }

    /// Never both schedule and parents: the presence of the key tells clients the kind of the job.
    private static func write(
        _ trigger: Trigger, of job: Job, _ zones: any ZoneDatabase, to writer: inout JSONWriter
    ) {
        switch trigger {
        case .parents(let parents):
            writer.member("parents", parents.map(JSONValue.string))
        case .schedule, .manual:
            let shown = shownSchedule(of: job, zones: zones)
            writer.member("schedule", shown?.text ?? "")
            writer.member("scheduleTimeZone", shown?.zone ?? "")
        }
    }

    /// Byte for byte what was posted until the first occurrence was decided, by which clients tell that nothing has
    /// happened yet; from then on what remains. Nil for dependent jobs.
    static func shownSchedule(of job: Job, zones: any ZoneDatabase) -> (text: String, zone: String)? {
        switch job.definition.trigger {
        case .parents: return nil
        case .manual: return (never, "")
        case .schedule(let text):
            // It was readable when it was stored. Should the zone have left the system since, its text tells most.
            guard let decidedThrough = job.decidedThrough, let schedule = try? text.schedule(zones: zones) else {
                return (text.text, text.zone)
            }
            return (schedule.remainingText(after: decidedThrough), text.zone)
        }
    }

    /// As it was posted, unless something else has changed the job's start window since.
    private static func epsilon(_ job: JobDefinition, _ fields: ChronosFields) -> String? {
        guard let window = job.startWindow else { return nil }
        // A text that no duration can be read from is not ours: then the window is what counts.
        if let posted = fields.epsilon, let duration = try? ISODuration(posted),
            (duration.fixed ?? duration.approximate) == window
        {
            return posted
        }
        return "PT\(window.components.seconds)S"
    }
}

extension JSONWriter {
    fileprivate mutating func member(_ key: String, _ value: String) {
        self.key(key)
        string(value)
    }

    fileprivate mutating func member(_ key: String, _ value: Bool) {
        self.key(key)
        bool(value)
    }

    fileprivate mutating func member(_ key: String, _ value: Int64) {
        self.key(key)
        integer(value)
    }

    fileprivate mutating func member(_ key: String, _ elements: [JSONValue]) {
        self.key(key)
        value(.array(elements))
    }
}
