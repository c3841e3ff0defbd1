import Domain
import JSON
import Timetable

/// What an event may be (cronicle.md §2.1), with Cronicle's words for what it may not.
struct EventRules: Sendable {
    let zones: any ZoneDatabase

    static let required: [(key: String, check: Validation.Check)] = [
        ("title", Validation.isNotBlank), ("enabled", Validation.isSwitch), ("category", Validation.isWord),
        ("target", Validation.isHost), ("plugin", Validation.isWord),
    ]

    /// In Cronicle's order, which is the alphabet's: the first one that is broken is the one that is told.
    static let rules: [Validation.Rule] = [
        .text("algo", Validation.isWord), .text("api_key", Validation.isWord), .flag("catch_up"),
        .text("category", Validation.isWord), .text("chain", Validation.isWordOrEmpty),
        .text("chain_error", Validation.isWordOrEmpty), .number("cpu_limit"), .number("cpu_sustain"),
        .number("created"), .flag("detached"), .flag("enabled"), .text("id", Validation.isWord),
        .number("log_max_size"), .number("max_children"), .number("memory_limit"), .number("memory_sustain"),
        .number("modified"), .flag("multiplex"), .text("notes", Validation.isAnything),
        .text("notify_fail", Validation.isAddressList), .text("notify_success", Validation.isAddressList),
        .text("plugin", Validation.isWord), .flag("queue"), .number("queue_max"), .number("retries"),
        .number("retry_delay"), .number("stagger"), .text("target", Validation.isHost), .number("timeout"),
        .text("timezone", Validation.isAnything), .text("title", Validation.isNotBlank),
        .text("username", Validation.isHost), .text("web_hook", Validation.isHook),
    ]

    /// Properties that only a job has, not its event: dropped from what is sent.
    static let launchContext: Set<String> = ["cwd", "uid", "gid", "env"]
    /// What says who asks, not what the event is.
    static let credentials: Set<String> = ["session_id", "api_key"]
    static let algorithms: Set<String> = [
        "random", "round_robin", "least_cpu", "least_mem", "prefer_first", "prefer_last", "multiplex", "spread",
    ]

    func check(_ values: JSONObject) throws(CronicleFailure) {
        var values = values
        for key in Self.credentials { values[key] = nil }
        try Validation.permit(values, Self.rules)
        try Validation.refuseMarkup(values, ["title", "notes"])
        if let params = values["params"], params.scriptType != "object" {
            throw CronicleFailure("api", "Malformed event parameter: params (must be object)")
        }
        if let timing = values["timing"], timing.isTruthy { try Self.check(timing: timing) }
        if let name = values["timezone"]?.stringValue, !name.isEmpty, zones.rules(named: name) == nil, name != "UTC" {
            throw CronicleFailure("api", "Malformed or unknown timezone: \(name)")
        }
        if let algorithm = values["algo"]?.stringValue, !Self.algorithms.contains(algorithm) {
            let list = Self.algorithms.subtracting(["spread"]).sorted().joined(separator: ", ")
            throw CronicleFailure("api", "Malformed parameter value: algo (must be one of \(list))")
        }
    }

    /// Seconds since 1970 that a request may name: what lies outside of the years that calendars know is the nearest
    /// that they do.
    static func moment(_ seconds: Int) -> Int64 {
        let lastSecondOf9999: Int64 = 253_402_300_799
        return min(max(0, Int64(seconds)), lastSecondOf9999)
    }

    private static func check(timing: JSONValue) throws(CronicleFailure) {
        guard timing.scriptType == "object" else {
            throw CronicleFailure("api", "Malformed event parameter: timing (must be object)")
        }
        for (key, value) in timing.members {
            guard let range = ranges[key] else {
                throw CronicleFailure("api", "Unknown event timing parameter: \(key)")
            }
            let what = "Malformed event timing parameter: \(key)"
            guard let elements = value.arrayValue else { throw CronicleFailure("api", "\(what) (must be array)") }
            for element in elements {
                guard let number = element.doubleValue else {
                    throw CronicleFailure("api", "\(what) (must be array of numbers)")
                }
                guard range.contains(number) else {
                    throw CronicleFailure("api", "\(what) (value out of range: \(element.scriptText))")
                }
            }
        }
    }

    private static let ranges: [String: ClosedRange<Double>] = [
        "years": 1...Double.greatestFiniteMagnitude, "months": 1...12, "days": 1...31, "weekdays": 0...6,
        "hours": 0...23, "minutes": 0...59,
    ]

    /// Names of the parameters must be those of the plugin.
    static func check(params: JSONValue?, of plugin: Plugin) throws(CronicleFailure) {
        guard let params, !params.members.isEmpty else { return }
        let known = Set(plugin.parameterDefinitions.compactMap { $0["id"]?.stringValue })
        for (key, _) in params.members where !known.contains(key) {
            throw CronicleFailure("event", "Unknown Plugin parameter: \(key)")
        }
    }
}

extension JSONValue {
    /// Members of an object; of an array its elements by their positions, as JavaScript has them.
    var members: [(key: String, value: JSONValue)] {
        switch self {
        case .object(let object): Array(object)
        case .array(let elements): elements.enumerated().map { (String($0.offset), $0.element) }
        default: []
        }
    }
}

extension Plugin {
    /// Definitions of the parameters; none where they cannot be read.
    var parameterDefinitions: [JSONObject] {
        (JSONValue.read(parameters)?.arrayValue ?? []).compactMap(\.objectValue)
    }
}

extension JSONValue {
    /// A text that Carillon itself has written; nil where it is no JSON all the same.
    static func read(_ text: String) -> JSONValue? {
        let limits = JSONLimits(bytes: 64 * 1024 * 1024, values: 4_000_000)
        return try? JSONValue(parsing: Array(text.utf8), limits: limits)  // the caller has an answer for nil
    }
}
