import Domain
import JSON
import Timetable

/// An event as clients read it: the values as they were sent, as long as they say what the job is now; else, and for
/// jobs of the other dialect, what the job is.
struct EventShape {
    let job: Job
    /// What was sent, without `params`.
    private let kept: JSONObject

    /// The plugin that stands for a command, and its parameter.
    static let shell = "shellplug"

    init(_ job: Job) {
        self.job = job
        kept = Self.kept(job.definition)
    }

    static func kept(_ definition: JobDefinition) -> JSONObject {
        guard definition.dialectFields != "{}" else { return JSONObject() }
        return JSONValue.read(definition.dialectFields)?[EventCoding.namespace]?.objectValue ?? JSONObject()
    }

    /// The job's other fields of dialects, with these as this one's.
    static func keeping(_ kept: JSONObject, in definition: JobDefinition) -> String {
        var fields = JSONValue.read(definition.dialectFields)?.objectValue ?? JSONObject()
        fields[EventCoding.namespace] = .object(kept)
        return JSONValue.object(fields).text
    }

    /// Made by the other dialect, or by an import: nothing was ever sent for it here.
    var isForeign: Bool { kept.isEmpty }

    var object: JSONObject {
        var object: JSONObject = ["id": .string(job.id.rawValue)]
        for (key, value) in kept where !["params", "modified", "created", "username", "api_key"].contains(key) {
            object[key] = current(key, value)
        }
        for key in ["title", "enabled", "category", "target", "plugin"] where object[key] == nil {
            object[key] = value(of: key)
        }
        object["params"] = params
        for key in Self.shownWhereSet where object[key] == nil {
            let value = value(of: key)
            if value.isTruthy || isForeign && Self.defaults.contains(key) { object[key] = value }
        }
        for key in ["max_children", "timeout", "timezone"] where object[key] == nil { object[key] = value(of: key) }
        object["modified"] = job.modified.epochSeconds
        object["created"] = kept["created"] ?? job.created.epochSeconds
        if let user = kept["username"] { object["username"] = user }
        if let key = kept["api_key"] { object["api_key"] = key }
        if isForeign { object["username"] = .string(job.definition.owner.isEmpty ? "admin" : "chronos") }
        switch job.definition.trigger {
        case .schedule(let text) where text.notation != .minutes: object["schedule"] = .string(text.text)
        case .parents(let names): object["parents"] = .array(names.map { .string($0) })
        default: break
        }
        return object
    }

    /// What is shown of the other dialect and cannot be changed here.
    static let shownOnly: Set<String> = ["schedule", "parents"]

    private static let shownWhereSet = [
        "timing", "algo", "catch_up", "chain", "chain_error", "cpu_limit", "cpu_sustain", "detached", "log_max_size",
        "memory_limit", "memory_sustain", "multiplex", "notes", "notify_fail", "notify_success", "queue", "queue_max",
        "retries", "retry_delay", "stagger", "web_hook",
    ]
    /// Of jobs of the other dialect these are shown even where they are nothing.
    private static let defaults: Set<String> = ["timing", "catch_up", "retries", "notes"]

    /// The kept value, unless the job says something else by now.
    private func current(_ key: String, _ value: JSONValue) -> JSONValue {
        if key == "enabled" { return value.isTruthy == job.isEnabled ? value : self.value(of: key) }
        guard Self.typed.contains(key) else { return value }
        // Values that mean something only together are looked at together.
        var values: JSONObject = [key: value]
        for partner in Self.partners[key] ?? [] { values[partner] = kept[partner] }
        var applied = job.definition
        EventCoding.apply(values, to: &applied, now: anchor)
        return applied == job.definition ? value : self.value(of: key)
    }

    private var anchor: Instant {
        if case .schedule(let text) = job.definition.trigger { return text.anchor }
        return job.created
    }

    private static let typed: Set<String> = Set(
        shownWhereSet + [
            "title", "category", "target", "plugin", "max_children", "timeout", "timezone",
        ])
    private static let partners = [
        "timing": ["timezone"], "timezone": ["timing"], "max_children": ["queue"], "queue": ["max_children"],
    ]

    var params: JSONValue {
        guard !job.definition.plugin.isEmpty else {
            return ["script": .string(Self.script(of: job.definition)), "annotate": 0, "json": 0]
        }
        return JSONValue.read(job.definition.pluginParameters) ?? [:]
    }

    /// A command as the shell plugin would run it.
    static func script(of definition: JobDefinition) -> String {
        let words = [definition.command] + definition.arguments
        return "#!/bin/sh\n\n\(definition.shell ? definition.command : words.joined(separator: " "))\n"
    }

    // MARK: From the job alone

    func value(of key: String) -> JSONValue {
        let job = job.definition
        switch key {
        case "title": return .string(job.displayTitle)
        case "enabled": return self.job.isEnabled ? 1 : 0
        case "category": return .string(job.category.isEmpty ? "general" : job.category)
        case "target": return .string(job.target.name.isEmpty ? "allgrp" : job.target.name)
        case "plugin": return .string(job.plugin.isEmpty ? Self.shell : job.plugin)
        case "algo": return job.algorithm == .spread ? "" : .string(job.algorithm.rawValue)
        case "catch_up": return job.catchUp == .all ? 1 : 0
        case "chain": return .string(job.onSuccess)
        case "chain_error": return .string(job.onFailure)
        case "detached": return job.isDetached ? 1 : 0
        case "max_children": return .integer(Int64(EventCoding.children(of: job)))
        case "multiplex": return job.isMultiplexed ? 1 : 0
        case "notes": return .string(job.description)
        case "notify_fail": return .string(job.notifications.mailOnFailure)
        case "notify_success": return .string(job.notifications.mailOnSuccess)
        case "web_hook": return .string(job.notifications.webHook)
        case "queue": return job.overlap == .queue ? 1 : 0
        case "queue_max": return .integer(job.overlap == .queue ? Int64(job.queueLimit) : 0)
        case "retries": return .integer(Int64(job.retries))
        case "retry_delay": return seconds(job.retryDelay ?? .zero)
        case "stagger": return seconds(job.stagger)
        case "timeout": return seconds(job.timeout ?? .zero)
        case "cpu_limit": return .integer(Int64(exactly: job.limits.cpuPercent.rounded()) ?? 0)
        case "cpu_sustain": return seconds(job.limits.cpuSustain)
        case "memory_limit": return .integer(job.limits.memoryBytes)
        case "memory_sustain": return seconds(job.limits.memorySustain)
        case "log_max_size": return .integer(job.limits.logBytes)
        case "timing": return timing
        case "timezone":
            if case .schedule(let text) = job.trigger, !text.zone.isEmpty { return .string(text.zone) }
            return "UTC"
        default: return .null
        }
    }

    private func seconds(_ duration: Duration) -> JSONValue { .integer(duration.components.seconds) }

    /// A timing object; false for what none can say.
    private var timing: JSONValue {
        guard case .schedule(let text) = job.definition.trigger, text.notation == .minutes,
            let matrix = try? MinuteMatrix(text: text.text)  // stored, and read before
        else { return false }
        var object = JSONObject()
        for (key, values) in [
            ("years", matrix.years), ("months", matrix.months), ("days", matrix.days), ("weekdays", matrix.weekdays),
            ("hours", matrix.hours), ("minutes", matrix.minutes),
        ] where !values.isEmpty {
            object[key] = .array(values.map { .integer(Int64($0)) })
        }
        return .object(object)
    }
}
