import Domain
import JSON
import Operations
import Timetable

/// Members of the catalogue as they were sent, and as what they mean.
enum CatalogueShape {
    private static let stamps: Set<String> = ["id", "created", "modified"]

    /// What is kept of a request.
    static func sent(_ values: JSONObject) -> JSONObject {
        var kept = values
        for key in stamps.union(EventRules.credentials).union(["username"]) { kept[key] = nil }
        return kept
    }

    /// As it was sent, or what it would have been.
    static func kept(_ item: CatalogueItem) -> JSONObject {
        switch item {
        case .category(let category):
            let kept = JSONValue.read(category.dialectFields)?.objectValue ?? JSONObject()
            guard kept.isEmpty else { return kept }
            return [
                "title": .string(category.title), "description": .string(category.description),
                "enabled": category.isEnabled ? 1 : 0, "max_children": .integer(Int64(category.maximumActive)),
                "username": .string(category.authorship.username),
            ]
        case .group(let group):
            var kept = JSONValue.read(group.dialectFields)?.objectValue ?? JSONObject()
            kept["title"] = .string(group.title)
            kept["regexp"] = .string(group.pattern)
            kept["master"] = kept["master"] ?? 0
            return kept
        case .plugin(let plugin):
            let kept = JSONValue.read(plugin.dialectFields)?.objectValue ?? JSONObject()
            guard kept.isEmpty else { return kept }
            var object: JSONObject = [
                "title": .string(plugin.title), "command": .string(plugin.command),
                "enabled": plugin.isEnabled ? 1 : 0, "params": JSONValue.read(plugin.parameters) ?? [],
            ]
            if !plugin.workingDirectory.isEmpty { object["cwd"] = .string(plugin.workingDirectory) }
            if !plugin.user.isEmpty { object["uid"] = .string(plugin.user) }
            if !plugin.group.isEmpty { object["gid"] = .string(plugin.group) }
            return object
        }
    }

    static func object(_ item: CatalogueItem) -> JSONObject {
        var object: JSONObject = ["id": .string(item.id)]
        for (key, value) in kept(item) { object[key] = value }
        switch item {
        case .category(let category): stamp(&object, category.authorship)
        case .plugin(let plugin):
            object["username"] = .string(plugin.authorship.username)
            stamp(&object, plugin.authorship)
        case .group: break
        }
        return object
    }

    private static func stamp(_ object: inout JSONObject, _ authorship: Authorship) {
        object["modified"] = authorship.modified.epochSeconds
        object["created"] = authorship.created.epochSeconds
    }

    // MARK: What it means

    static func category(_ id: String, _ values: JSONObject, _ authorship: Authorship) -> Category {
        var category = Category(id: id, title: values["title"]?.scriptText ?? id, authorship: authorship)
        category.description = values["description"]?.stringValue ?? ""
        category.color = values["color"]?.stringValue ?? ""
        category.isEnabled = values["enabled"]?.isTruthy ?? false
        category.maximumActive = Int(clamping: values["max_children"]?.wholeNumber ?? 0)
        var job = JobDefinition(name: "")
        EventCoding.apply(
            JSONObject(
                values.filter { entry in
                    [
                        "cpu_limit", "cpu_sustain", "memory_limit", "memory_sustain", "log_max_size",
                        "notify_success", "notify_fail", "web_hook",
                    ].contains(entry.key)
                }.map { ($0.key, $0.value) }), to: &job, now: authorship.modified)
        category.limits = job.limits
        category.notifications = job.notifications
        category.dialectFields = JSONValue.object(values).text
        return category
    }

    static func group(_ id: String, _ values: JSONObject, _ authorship: Authorship) -> WorkerGroup {
        var group = WorkerGroup(
            id: id, title: values["title"]?.scriptText ?? id, pattern: values["regexp"]?.scriptText ?? "",
            authorship: authorship)
        group.dialectFields = JSONValue.object(values).text
        return group
    }

    static func plugin(_ id: String, _ values: JSONObject, _ authorship: Authorship) -> Plugin {
        var plugin = Plugin(
            id: id, title: values["title"]?.scriptText ?? id, command: values["command"]?.scriptText ?? "",
            authorship: authorship)
        plugin.isEnabled = values["enabled"]?.isTruthy ?? false
        plugin.workingDirectory = values["cwd"]?.stringValue ?? ""
        plugin.user = values["uid"]?.scriptText ?? ""
        plugin.group = values["gid"]?.scriptText ?? ""
        plugin.parameters = values["params"]?.text ?? "[]"
        plugin.environment = values["env"]?.objectValue.map { JSONValue.object($0).text } ?? "{}"
        plugin.dialectFields = JSONValue.object(values).text
        return plugin
    }

    // MARK: Storing

    /// The one that was sent, in lower case and without what no identifier has; else a new one.
    static func identifier(_ values: JSONObject, prefix: String) throws(CronicleFailure) -> String {
        if let sent = values["id"]?.scriptText, !sent.isEmpty {
            let id = String(decoding: sent.lowercased().utf8.filter(Validation.isWordByte), as: UTF8.self)
            guard !id.isEmpty, id.utf8.count <= 32 else {
                throw CronicleFailure("api", "Malformed parameter value: id (use 1 to 32 word characters)")
            }
            return id
        }
        do { return try prefix + Identifiers.make() } catch { throw CronicleFailure(error) }
    }

    static func put(
        _ item: CatalogueItem, _ mode: PutMode, _ principal: Principal, _ dependencies: CronicleDependencies,
        code: String
    ) async throws {
        do { try await dependencies.events.putCatalogue(principal, item, mode: mode) } catch {
            switch error.code {
            case .invalid: throw CronicleFailure("api", error.message)
            case .conflict, .notFound, .tooMany: throw CronicleFailure(code, error.message)
            default: throw error
            }
        }
    }
}
