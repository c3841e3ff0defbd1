import Domain
import JSON
import Timetable

/// A definition as the JSON that is stored.
///
/// Keys are in snake case, durations in microseconds, instants in microseconds since 1970. Reading is tolerant of what
/// time brings: a missing key (or null) has the default of a new definition, an unknown key is ignored. A value of the
/// wrong type or an unknown word is an error: a policy or constraint that was silently dropped would run commands where
/// or when nobody wanted them.
enum JobDefinitionCoding {
    static func text(_ definition: JobDefinition) -> String {
        JSONValue.object(encode(definition)).text
    }

    static func encode(_ definition: JobDefinition) -> JSONObject {
        var object: JSONObject = [
            "name": .string(definition.name),
            "description": .string(definition.description),
            "owner": .string(definition.owner),
            "owner_name": .string(definition.ownerName),
            "command": .string(definition.command),
            "shell": .bool(definition.shell),
            "arguments": .array(definition.arguments.map { .string($0) }),
            "environment": .array(
                definition.environment.map { ["name": .string($0.name), "value": .string($0.value)] }),
            "run_as_user": .string(definition.runAsUser),
            "trigger": encode(definition.trigger),
            "cpus": .number(definition.resources.cpus),
            "memory": .number(definition.resources.memory),
            "disk": .number(definition.resources.disk),
            "constraints": .array(
                definition.constraints.map {
                    .array([.string($0.attribute), .string($0.comparison.rawValue), .string($0.value)])
                }),
            "high_priority": .bool(definition.highPriority),
            "retries": .integer(Int64(definition.retries)),
            "overlap": .string(definition.overlap.rawValue),
            "catch_up": .string(definition.catchUp.rawValue),
            "reports_completion": .bool(definition.reportsCompletion),
            "soft_error": .bool(definition.softError),
            "dialect_fields": .string(definition.dialectFields),
        ]
        object["retry_delay_us"] = definition.retryDelay.map { .integer($0.wholeMicroseconds) }
        object["timeout_us"] = definition.timeout.map { .integer($0.wholeMicroseconds) }
        object["start_window_us"] = definition.startWindow.map { .integer($0.wholeMicroseconds) }
        return object
    }

    /// - Throws: `StoreError.data` that names the key.
    static func decode(_ value: JSONValue) throws(StoreError) -> JobDefinition {
        let fields = try Fields(value, of: "a job definition")
        var definition = JobDefinition(name: try fields.string("name", else: ""))
        definition.description = try fields.string("description", else: definition.description)
        definition.owner = try fields.string("owner", else: definition.owner)
        definition.ownerName = try fields.string("owner_name", else: definition.ownerName)
        definition.command = try fields.string("command", else: definition.command)
        definition.shell = try fields.bool("shell", else: definition.shell)
        definition.arguments = try fields.strings("arguments", else: definition.arguments)
        definition.environment = try fields.list("environment") { value throws(StoreError) in
            let pair = try Fields(value, of: "an environment variable")
            return EnvironmentVariable(
                name: try pair.string("name", else: ""), value: try pair.string("value", else: ""))
        }
        definition.runAsUser = try fields.string("run_as_user", else: definition.runAsUser)
        if let trigger = fields["trigger"] { definition.trigger = try decodeTrigger(trigger) }
        definition.resources.cpus = try fields.double("cpus", else: definition.resources.cpus)
        definition.resources.memory = try fields.double("memory", else: definition.resources.memory)
        definition.resources.disk = try fields.double("disk", else: definition.resources.disk)
        definition.constraints = try fields.list("constraints", decodeConstraint)
        definition.highPriority = try fields.bool("high_priority", else: definition.highPriority)
        definition.retries = Int(clamping: try fields.integer("retries", else: Int64(definition.retries)))
        definition.retryDelay = try fields.duration("retry_delay_us")
        definition.timeout = try fields.duration("timeout_us")
        definition.startWindow = try fields.duration("start_window_us")
        definition.overlap = try fields.word("overlap", else: definition.overlap)
        definition.catchUp = try fields.word("catch_up", else: definition.catchUp)
        definition.reportsCompletion = try fields.bool("reports_completion", else: definition.reportsCompletion)
        definition.softError = try fields.bool("soft_error", else: definition.softError)
        definition.dialectFields = try fields.string("dialect_fields", else: definition.dialectFields)
        return definition
    }

    private static func encode(_ trigger: Trigger) -> JSONValue {
        switch trigger {
        case .schedule(let schedule):
            [
                "kind": "schedule",
                "notation": .string(schedule.notation.rawValue),
                "text": .string(schedule.text),
                "zone": .string(schedule.zone),
                "anchor_us": .integer(schedule.anchor.microseconds),
            ]
        case .parents(let names): ["kind": "parents", "parents": .array(names.map { .string($0) })]
        case .manual: ["kind": "manual"]
        }
    }

    private static func decodeTrigger(_ value: JSONValue) throws(StoreError) -> Trigger {
        let fields = try Fields(value, of: "a trigger")
        switch try fields.string("kind", else: "manual") {
        case "schedule":
            return .schedule(
                ScheduleText(
                    notation: try fields.word("notation", else: .iso8601), text: try fields.string("text", else: ""),
                    zone: try fields.string("zone", else: ""),
                    anchor: Instant(microseconds: try fields.integer("anchor_us", else: 0))))
        case "parents": return .parents(try fields.strings("parents", else: []))
        case "manual": return .manual
        case let other:
            throw StoreError(.data, "the database holds an unknown trigger '\(other)': use a newer carillon")
        }
    }

    private static func decodeConstraint(_ value: JSONValue) throws(StoreError) -> Constraint {
        let parts = (value.arrayValue ?? []).compactMap(\.stringValue)
        guard parts.count == 3 else {
            throw StoreError(.data, "a stored constraint is not of the form [attribute, operator, value]")
        }
        do {
            return try Constraint(attribute: parts[0], comparison: parts[1], value: parts[2])
        } catch {
            throw StoreError(.data, "a stored constraint cannot be read: \(error.message)")
        }
    }
}

extension Trigger {
    /// The word by which the table of jobs tells kinds of jobs apart.
    var kind: String {
        switch self {
        case .schedule(let schedule): schedule.notation.rawValue
        case .parents: "parents"
        case .manual: "manual"
        }
    }
}

extension Duration {
    /// Whole microseconds, towards zero; the nearest bound of Int64 for what lies beyond it.
    var wholeMicroseconds: Int64 {
        let (seconds, attoseconds) = components
        let (scaled, overflowed) = seconds.multipliedReportingOverflow(by: 1_000_000)
        let (sum, carried) = scaled.addingReportingOverflow(attoseconds / 1_000_000_000_000)
        guard !overflowed, !carried else { return seconds < 0 ? .min : .max }
        return sum
    }
}
