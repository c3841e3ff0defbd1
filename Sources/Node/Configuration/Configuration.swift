// Configuration: jobs and catalogue as files that people read and keep in Git.
//
// One JSON object for each thing, made from what the database stores (DomainCoding): what has its default is left out,
// JSON in texts stands as JSON, times are in seconds, keys are in one order. Who made it and when is left out: that is
// history, not configuration. Two of these objects are equal exactly when nothing would change.
//
// It refuses to apply anything: plans become commands of the leader, all of them in one transaction.

import Domain
import DomainCoding
import JSON
import Timetable

/// A job as a file says it.
struct ConfiguredJob: Sendable {
    var definition: JobDefinition
    var isEnabled = true
    /// Nil: found by its name.
    var id: JobID?
}

enum ConfigurationDocument {
    /// Members that hold JSON as text in the database.
    private static let texts: Set<String> = ["dialect_fields", "plugin_parameters", "parameters"]
    private static let first = ["name", "id", "title", "description", "enabled", "schedule", "parents", "command"]
    private static let historic: Set<String> = ["username", "created_us", "modified_us"]
    private static let jobKeys: Set<String> = {
        var definition = JobDefinition(name: "x")
        definition.title = "x"
        return Set(JobDefinitionCoding.encode(definition).keys.map(readable)).subtracting(["trigger"]).union([
            "id", "enabled", "schedule", "parents", "retries_after_limit", "plugin", "plugin_parameters",
            "run_as_group", "working_directory", "container", "artifacts", "limits", "detached", "category", "target",
            "algorithm", "multiplex", "stagger_seconds", "maximum_active", "queue_limit", "on_success", "on_failure",
            "notifications", "retry_delay_seconds", "timeout_seconds", "start_window_seconds",
        ])
    }()

    // MARK: Writing

    static func encode(_ job: Job) -> JSONObject {
        encode(ConfiguredJob(definition: job.definition, isEnabled: job.isEnabled, id: job.id))
    }

    static func encode(_ job: ConfiguredJob) -> JSONObject {
        var object = without(
            defaultsOf: JobDefinitionCoding.encode(JobDefinition(name: "")), JobDefinitionCoding.encode(job.definition))
        object["name"] = .string(job.definition.name)
        object["trigger"] = nil
        switch job.definition.trigger {
        case .schedule(let text):
            var schedule: JSONObject = [text.notation.rawValue: .string(text.text)]
            if text.notation == .minutes, let matrix = parsed(text.text) { schedule[text.notation.rawValue] = matrix }
            if !text.zone.isEmpty { schedule["zone"] = .string(text.zone) }
            object["schedule"] = .object(schedule)
        case .parents(let names): object["parents"] = .array(names.sorted().map { .string($0) })
        case .manual: break
        }
        object["id"] = job.id.map { .string($0.rawValue) }
        if !job.isEnabled { object["enabled"] = false }
        return ordered(object)
    }

    static func encode(_ item: CatalogueItem) -> JSONObject {
        let nobody = Authorship(username: "", created: .distantPast, modified: .distantPast)
        let empty: CatalogueItem =
            switch item {
            case .category: .category(Category(id: "", title: "", authorship: nobody))
            case .group: .group(WorkerGroup(id: "", title: "", pattern: "", authorship: nobody))
            case .plugin: .plugin(Plugin(id: "", title: "", command: "", authorship: nobody))
            }
        var object = without(
            defaultsOf: CatalogueCoding.encode(empty).objectValue ?? [:],
            CatalogueCoding.encode(item).objectValue ?? [:])
        for key in historic { object[key] = nil }
        object["id"] = .string(item.id)
        return ordered(object)
    }

    private static func without(defaultsOf empty: JSONObject, _ object: JSONObject) -> JSONObject {
        JSONObject(object.filter { key, value in empty[key] != value }.map { ($0.0, $0.1) })
    }

    /// With readable members, in the order of the files.
    private static func ordered(_ object: JSONObject) -> JSONObject {
        var members: [String: JSONValue] = [:]
        for (key, value) in object {
            let isText = texts.contains(key) || key == "environment"
            if isText, let text = value.stringValue {
                members[key] = parsed(text) ?? value
            } else {
                members[readable(key)] = key.hasSuffix("_us") ? inSeconds(value) : sorted(value, inSeconds: true)
            }
        }
        let known = first.filter { members[$0] != nil }
        let rest = members.keys.filter { !first.contains($0) }.sorted()
        return JSONObject((known + rest).map { ($0, members[$0] ?? .null) })
    }

    private static func readable(_ key: String) -> String {
        key.hasSuffix("_us") ? key.dropLast(3) + "_seconds" : key
    }

    private static func inSeconds(_ value: JSONValue) -> JSONValue {
        guard let microseconds = value.int64Value else { return value }
        let isWhole = microseconds % 1_000_000 == 0
        return isWhole ? .integer(microseconds / 1_000_000) : .number(Double(microseconds) / 1_000_000)
    }

    /// Nil for a text that is no JSON, which stays a text.
    private static func parsed(_ text: String) -> JSONValue? {
        // What cannot be read is shown as it is. Names in it are its author's.
        (try? JSONValue(parsing: Array(text.utf8))).map { sorted($0, inSeconds: false) }
    }

    /// Members of objects by name, at every depth.
    private static func sorted(_ value: JSONValue, inSeconds converts: Bool) -> JSONValue {
        if let values = value.arrayValue { return .array(values.map { sorted($0, inSeconds: converts) }) }
        guard let object = value.objectValue else { return value }
        return .object(
            JSONObject(
                object.sorted { $0.0 < $1.0 }.map { key, value in
                    let isTime = converts && key.hasSuffix("_us")
                    return isTime ? (readable(key), inSeconds(value)) : (key, sorted(value, inSeconds: converts))
                }))
    }

    // MARK: Reading

    /// - Throws: `.invalid` that names the member.
    static func job(_ value: JSONValue) throws(DomainError) -> ConfiguredJob {
        guard var object = value.objectValue else { throw .invalid("a job must be a JSON object") }
        guard let name = object["name"]?.stringValue, !name.isEmpty else { throw .invalid("a job needs a \"name\"") }
        for key in object.keys where !jobKeys.contains(key) {
            throw .invalid(
                "job '\(name)': unknown member \"\(key)\"; known are \(jobKeys.sorted().joined(separator: ", "))")
        }
        let isEnabled = try flag(object, "enabled", of: "job '\(name)'")
        var id: JobID?
        if let text = object["id"] {
            guard let text = text.stringValue, JobID.isPossible(text) else {
                throw .invalid("job '\(name)': \"id\" must be 1 to \(Limits.identifier) characters of a-z, 0-9 and '_'")
            }
            id = JobID(text)
        }
        let trigger = try trigger(object, of: name)
        for key in ["id", "enabled", "schedule", "parents"] { object[key] = nil }
        do {
            var definition = try JobDefinitionCoding.decode(stored(object))
            definition.trigger = trigger
            return ConfiguredJob(definition: definition, isEnabled: isEnabled, id: id)
        } catch {
            throw .invalid("job '\(name)': \(reading(error))")
        }
    }

    private static func flag(_ object: JSONObject, _ key: String, of what: String) throws(DomainError) -> Bool {
        guard let value = object[key] else { return true }
        guard let flag = value.boolValue else { throw .invalid("\(what): \"\(key)\" must be true or false") }
        return flag
    }

    private static func trigger(_ object: JSONObject, of name: String) throws(DomainError) -> Trigger {
        if let parents = object["parents"] {
            guard object["schedule"] == nil else {
                throw .invalid("job '\(name)' has both a schedule and parents; it can have one of them")
            }
            guard let names = parents.arrayValue?.compactMap(\.stringValue), names.count == parents.arrayValue?.count
            else { throw .invalid("job '\(name)': \"parents\" must be a list of names") }
            return .parents(names)
        }
        guard let value = object["schedule"] else { return .manual }
        let forms = ScheduleText.Notation.allCases.map(\.rawValue).joined(separator: ", ")
        let shape = "job '\(name)': \"schedule\" must be an object with one of \(forms), and \"zone\" if wanted"
        guard let schedule = value.objectValue,
            let notation = ScheduleText.Notation.allCases.first(where: { schedule[$0.rawValue] != nil }),
            schedule.keys.allSatisfy({ $0 == notation.rawValue || $0 == "zone" })
        else { throw .invalid(shape) }
        let written = schedule[notation.rawValue]
        guard let text = written?.stringValue ?? (notation == .minutes ? written?.text : nil) else {
            throw .invalid(shape)
        }
        let zone = schedule["zone"]
        guard zone == nil || zone?.stringValue != nil else { throw .invalid(shape) }
        return .schedule(
            ScheduleText(notation: notation, text: text, zone: zone?.stringValue ?? "", anchor: .distantPast))
    }

    static func item(_ kind: CatalogueItem.Kind, _ value: JSONValue) throws(DomainError) -> CatalogueItem {
        guard let object = value.objectValue, let id = object["id"]?.stringValue, !id.isEmpty else {
            throw .invalid("a \(kind.rawValue) must be a JSON object with an \"id\"")
        }
        do { return try CatalogueCoding.decode(kind, stored(object)) } catch {
            throw .invalid("\(kind.rawValue) '\(id)': \(reading(error))")
        }
    }

    /// The reader of the database's form is used here for what a person has written.
    private static func reading(_ error: StoreError) -> String {
        error.message.replacing(" in the database", with: "").replacing(": use a newer carillon", with: "")
    }

    /// The form that the database has.
    private static func stored(_ object: JSONObject) -> JSONValue {
        var members: [(String, JSONValue)] = []
        for (key, value) in object {
            // A job's environment is a list; a plugin's is the text of an object.
            let isText = texts.contains(key) || (key == "environment" && value.objectValue != nil)
            members.append(isText && value.stringValue == nil ? (key, .string(value.text)) : storedMember(key, value))
        }
        return .object(JSONObject(members))
    }

    private static func storedMember(_ key: String, _ value: JSONValue) -> (String, JSONValue) {
        if key.hasSuffix("_seconds"), let seconds = value.doubleValue, seconds.magnitude < 9e12 {
            return (key.dropLast(8) + "_us", .integer(Int64((seconds * 1_000_000).rounded())))
        }
        if let values = value.arrayValue { return (key, .array(values.map { storedMember("", $0).1 })) }
        guard let object = value.objectValue else { return (key, value) }
        return (key, .object(JSONObject(object.map { storedMember($0.0, $0.1) })))
    }
}
