public import Domain
public import JSON

/// Limits and notification settings, of jobs, categories and offers.
public enum LimitsCoding {
    public static func encode(_ limits: RunLimits) -> JSONValue {
        var object = JSONObject()
        if limits.cpuPercent != 0 { object["cpu_percent"] = .number(limits.cpuPercent) }
        if limits.cpuSustain != .zero { object["cpu_sustain_us"] = .integer(limits.cpuSustain.wholeMicroseconds) }
        if limits.memoryBytes != 0 { object["memory_bytes"] = .integer(limits.memoryBytes) }
        if limits.memorySustain != .zero {
            object["memory_sustain_us"] = .integer(limits.memorySustain.wholeMicroseconds)
        }
        if limits.logBytes != 0 { object["log_bytes"] = .integer(limits.logBytes) }
        if limits.processes != 0 { object["processes"] = .integer(limits.processes) }
        return .object(object)
    }

    public static func decode(_ value: JSONValue) throws(StoreError) -> RunLimits {
        let fields = try Fields(value, of: "the limits of a run")
        var limits = RunLimits()
        limits.cpuPercent = try fields.double("cpu_percent", else: 0)
        limits.cpuSustain = try fields.duration("cpu_sustain_us") ?? .zero
        limits.memoryBytes = try fields.integer("memory_bytes", else: 0)
        limits.memorySustain = try fields.duration("memory_sustain_us") ?? .zero
        limits.logBytes = try fields.integer("log_bytes", else: 0)
        limits.processes = try fields.integer("processes", else: 0)
        return limits
    }

    public static func encode(_ settings: NotificationSettings) -> JSONValue {
        var object = JSONObject()
        if !settings.mailOnSuccess.isEmpty { object["mail_on_success"] = .string(settings.mailOnSuccess) }
        if !settings.mailOnFailure.isEmpty { object["mail_on_failure"] = .string(settings.mailOnFailure) }
        if !settings.webHook.isEmpty { object["web_hook"] = .string(settings.webHook) }
        return .object(object)
    }

    public static func decodeNotifications(_ value: JSONValue) throws(StoreError) -> NotificationSettings {
        let fields = try Fields(value, of: "the notification settings")
        var settings = NotificationSettings()
        settings.mailOnSuccess = try fields.string("mail_on_success", else: "")
        settings.mailOnFailure = try fields.string("mail_on_failure", else: "")
        settings.webHook = try fields.string("web_hook", else: "")
        return settings
    }
}
