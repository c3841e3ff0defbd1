public import Domain
public import JSON
import Timetable

/// A definition as the JSON that is stored.
public enum JobDefinitionCoding {
    public static func text(_ definition: JobDefinition) -> String {
        JSONValue.object(encode(definition)).text
    }

    public static func encode(_ definition: JobDefinition) -> JSONObject {
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
        if !definition.retriesAfterLimit { object["retries_after_limit"] = false }
        encodeExecution(definition, &object)
        encodePlanning(definition, &object)
        object["retry_delay_us"] = definition.retryDelay.map { .integer($0.wholeMicroseconds) }
        object["timeout_us"] = definition.timeout.map { .integer($0.wholeMicroseconds) }
        object["start_window_us"] = definition.startWindow.map { .integer($0.wholeMicroseconds) }
        return object
    }

    private static func encodeExecution(_ definition: JobDefinition, _ object: inout JSONObject) {
        if !definition.plugin.isEmpty { object["plugin"] = .string(definition.plugin) }
        if definition.pluginParameters != "{}" { object["plugin_parameters"] = .string(definition.pluginParameters) }
        if !definition.runAsGroup.isEmpty { object["run_as_group"] = .string(definition.runAsGroup) }
        if !definition.workingDirectory.isEmpty { object["working_directory"] = .string(definition.workingDirectory) }
        object["container"] = definition.container.map(ContainerCoding.encode)
        if !definition.artifacts.isEmpty {
            object["artifacts"] = .array(definition.artifacts.map(ContainerCoding.encode))
        }
        if definition.limits != .none { object["limits"] = LimitsCoding.encode(definition.limits) }
        if definition.isDetached { object["detached"] = true }
    }

    private static func encodePlanning(_ definition: JobDefinition, _ object: inout JSONObject) {
        if !definition.title.isEmpty { object["title"] = .string(definition.title) }
        if !definition.category.isEmpty { object["category"] = .string(definition.category) }
        if definition.target != .any { object["target"] = .string(definition.target.name) }
        if definition.algorithm != .spread { object["algorithm"] = .string(definition.algorithm.rawValue) }
        if definition.isMultiplexed { object["multiplex"] = true }
        if definition.stagger != .zero { object["stagger_us"] = .integer(definition.stagger.wholeMicroseconds) }
        if definition.maximumActive != 1 { object["maximum_active"] = .integer(Int64(definition.maximumActive)) }
        if definition.queueLimit != 1 { object["queue_limit"] = .integer(Int64(definition.queueLimit)) }
        if !definition.onSuccess.isEmpty { object["on_success"] = .string(definition.onSuccess) }
        if !definition.onFailure.isEmpty { object["on_failure"] = .string(definition.onFailure) }
        if definition.notifications != .none {
            object["notifications"] = LimitsCoding.encode(definition.notifications)
        }
    }

    private static func decodeExecution(_ fields: Fields, _ definition: inout JobDefinition) throws(StoreError) {
        definition.plugin = try fields.string("plugin", else: "")
        definition.pluginParameters = try fields.string("plugin_parameters", else: "{}")
        definition.runAsGroup = try fields.string("run_as_group", else: "")
        definition.workingDirectory = try fields.string("working_directory", else: "")
        definition.container = try fields["container"].map(ContainerCoding.decode)
        definition.artifacts = try fields.list("artifacts", ContainerCoding.decodeArtifact)
        if let limits = fields["limits"] { definition.limits = try LimitsCoding.decode(limits) }
        definition.isDetached = try fields.bool("detached", else: false)
    }

    private static func decodePlanning(_ fields: Fields, _ definition: inout JobDefinition) throws(StoreError) {
        definition.title = try fields.string("title", else: "")
        definition.category = try fields.string("category", else: "")
        if fields["target"] != nil { definition.target = .named(try fields.string("target", else: "")) }
        definition.algorithm = try fields.word("algorithm", else: definition.algorithm)
        definition.isMultiplexed = try fields.bool("multiplex", else: false)
        definition.stagger = try fields.duration("stagger_us") ?? .zero
        definition.maximumActive = Int(
            clamping: try fields.integer("maximum_active", else: Int64(definition.maximumActive)))
        definition.queueLimit = Int(clamping: try fields.integer("queue_limit", else: Int64(definition.queueLimit)))
        definition.onSuccess = try fields.string("on_success", else: "")
        definition.onFailure = try fields.string("on_failure", else: "")
        if let settings = fields["notifications"] {
            definition.notifications = try LimitsCoding.decodeNotifications(settings)
        }
    }

    /// - Throws: `StoreError.data` that names the key.
    public static func decode(_ value: JSONValue) throws(StoreError) -> JobDefinition {
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
        definition.retriesAfterLimit = try fields.bool("retries_after_limit", else: true)
        definition.overlap = try fields.word("overlap", else: definition.overlap)
        definition.catchUp = try fields.word("catch_up", else: definition.catchUp)
        definition.reportsCompletion = try fields.bool("reports_completion", else: definition.reportsCompletion)
        definition.softError = try fields.bool("soft_error", else: definition.softError)
        try decodeExecution(fields, &definition)
        try decodePlanning(fields, &definition)
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
    public var kind: String {
        switch self {
        case .schedule(let schedule): schedule.notation.rawValue
        case .parents: "parents"
        case .manual: "manual"
        }
    }
}

extension Duration {
    /// Whole microseconds, towards zero; the nearest bound of Int64 for what lies beyond it.
    public var wholeMicroseconds: Int64 {
        let (seconds, attoseconds) = components
        let (scaled, overflowed) = seconds.multipliedReportingOverflow(by: 1_000_000)
        let (sum, carried) = scaled.addingReportingOverflow(attoseconds / 1_000_000_000_000)
        guard !overflowed, !carried else { return seconds < 0 ? .min : .max }
        return sum
    }
}
