import Domain
import JSON

/// What a task has said by the plugin protocol so far: the last value of each key (cronicle.md §3.2).
struct TaskReport: Sendable {
    private(set) var values = JSONObject()
    private(set) var isComplete = false
    private var sizes: [String: Int] = [:]

    /// Takes a message. What came after the task's own end of it is ignored, as is every key that is not known.
    /// - Returns: lines for the log: values that were left out, and why.
    mutating func take(_ message: JSONObject) -> [String] {
        isComplete ? [] : add(message)
    }

    /// Also after the end: what the worker itself adds.
    @discardableResult
    mutating func add(_ message: JSONObject) -> [String] {
        var notes: [String] = []
        for (key, value) in message {
            guard let kept = Self.kept(key, value) else { continue }
            let size = kept.serialized().count + key.utf8.count + 4
            let others = sizes.reduce(2) { $0 + ($1.key == key ? 0 : $1.value) }
            guard others + size <= PluginLimits.reported else {
                notes.append("[carillon: '\(key)' was left out: a task may report \(PluginLimits.reported) bytes]\n")
                continue
            }
            sizes[key] = size
            values[key] = kept
        }
        if let complete = message["complete"], complete.isTruthy { isComplete = true }
        return notes
    }

    /// The same, as if the task had said that this was all.
    var completed: TaskReport {
        var report = self
        report.isComplete = true
        return report
    }

    mutating func set(progress: Double) { _ = take(["progress": .number(progress)]) }

    /// JSON object text of all of it.
    var text: String { values.isEmpty ? "{}" : JSONValue.object(values).text }

    /// What is told while the task runs.
    var liveText: String {
        guard sizes.reduce(2, { $0 + $1.value }) > PluginLimits.live else { return text }
        var short = JSONObject()
        for key in ["progress", "label"] { short[key] = values[key] }
        return JSONValue.object(short).text
    }

    /// Nil for what is no key of the protocol, or not of its type.
    private static func kept(_ key: String, _ value: JSONValue) -> JSONValue? {
        switch key {
        case "progress":
            guard let number = value.doubleValue, number.isFinite else { return nil }
            let share = min(max(number, 0), 1)
            return share == share.rounded() ? .integer(Int64(share)) : .number(share)
        case "complete": return only(.integer(1), if: value.isTruthy)
        case "code":
            // Numbers, words such as "ECONNREFUSED"; true and false are 1 and 0 to JavaScript.
            if let flag = value.boolValue { return .integer(flag ? 1 : 0) }
            if value.isNull { return .integer(0) }
            return only(value, if: value.stringValue != nil || value.doubleValue != nil)
        case "description", "label": return text(value)
        case "perf": return only(value, if: value.stringValue != nil || value.objectValue != nil)
        case "table", "chain_params": return only(value, if: value.objectValue != nil)
        case "html": return html(value)
        case "chain", "chain_error":
            if value.isNull { return .string("") }
            return only(value, if: value.stringValue.map { $0.isEmpty || JobID.isWord($0) } ?? false)
        case "chain_data": return value
        case "notify_success", "notify_fail":
            if value.isNull { return .string("") }
            return only(value, if: value.stringValue.map { $0.utf8.count <= Limits.text } ?? false)
        default: return nil
        }
    }

    /// `nil` would be JSON's null in an expression that is a value of JSON otherwise.
    private static func only(_ value: JSONValue, if isKept: Bool) -> JSONValue? { isKept ? .some(value) : .none }

    private static func text(_ value: JSONValue) -> JSONValue? {
        if value.stringValue != nil { return value }
        if value.isNull { return .string("") }
        return only(.string(value.text), if: value.objectValue == nil && value.arrayValue == nil)
    }

    private static func html(_ value: JSONValue) -> JSONValue? {
        if let text = value.stringValue { return .object(["content": .string(ReportHTML.sanitised(text))]) }
        guard var object = value.objectValue else { return nil }
        guard let content = object["content"]?.stringValue else { return nil }
        object["content"] = .string(ReportHTML.sanitised(content))
        for key in ["title", "caption"] {
            guard let text = object[key] else { continue }
            object[key] = text.stringValue.map { .string(ReportHTML.sanitised($0)) }
        }
        return .object(object)
    }
}

extension JobID {
    static func isWord(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count)
            && text.unicodeScalars.allSatisfy { scalar in
                switch scalar {
                case "a"..."z", "A"..."Z", "0"..."9", "_": true
                default: false
                }
            }
    }
}

extension JSONValue {
    /// As JavaScript sees it.
    var isTruthy: Bool {
        if isNull { return false }
        if let flag = boolValue { return flag }
        if let text = stringValue { return !text.isEmpty }
        if let number = doubleValue { return number != 0 && !number.isNaN }
        return true
    }
}
