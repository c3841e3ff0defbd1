import Domain
import JSON
import Operations
import Timetable

/// Plugins (cronicle.md §3.6).
struct PluginCalls: Sendable {
    let dependencies: CronicleDependencies

    init(_ dependencies: CronicleDependencies) { self.dependencies = dependencies }

    var all: [Call] {
        [
            Call("get_plugins") { context in
                _ = try await context.authenticate()
                return try await CatalogueCalls.list(context, .plugin, dependencies)
            },
            Call("create_plugin") { try await create($0) },
            Call("update_plugin") { try await update($0) },
            Call("delete_plugin") { try await delete($0) },
        ]
    }

    private static let isDirectory: Validation.Check = { text in
        text.unicodeScalars.allSatisfy { scalar in
            scalar.properties.isWhitespace
                || scalar.isASCII
                    && (Validation.isWordByte(UInt8(scalar.value)) || "-/.".unicodeScalars.contains(scalar))
        }
    }
    private static let isOwner: Validation.Check = { text in text.isEmpty || Validation.isHost(text) }

    private static let rules: [Validation.Rule] = [
        .text("command", Validation.isNotBlank), .number("created"), .text("cwd", isDirectory),
        .number("enabled", Validation.isOneOrZero), .text("gid", isOwner), .text("id", Validation.isWord),
        .number("modified"), .text("title", Validation.isNotBlank), .text("uid", isOwner),
        .text("username", Validation.isHost),
    ]

    private func create(_ context: CallContext) async throws -> JSONObject {
        let values = context.values
        try Validation.require(
            values, [("title", Validation.isNotBlank), ("command", Validation.isNotBlank)])
        try Validation.permit(values, Self.rules)
        try Validation.refuseMarkup(values, ["title"])
        try Self.check(command: values["command"]?.scriptText ?? "")
        guard let params = values["params"] else {
            throw CronicleFailure("plugin", "Plugin params object not present.")
        }
        try PluginParameters.check(params)
        let principal = try await context.requireAdministrator()
        let id = try CatalogueShape.identifier(values, prefix: "p")
        let now = dependencies.clock.now()
        let plugin = CatalogueShape.plugin(
            id, CatalogueShape.sent(values), Authorship(username: principal.owner, created: now, modified: now))
        try await CatalogueShape.put(.plugin(plugin), .createOnly, principal, dependencies, code: "plugin")
        await note("plugin_create", principal, context, plugin)
        return ["id": .string(id)]
    }

    private func update(_ context: CallContext) async throws -> JSONObject {
        let sent = context.values
        try Validation.require(sent, [("id", Validation.isWord)])
        try Validation.permit(sent, Self.rules)
        try Validation.refuseMarkup(sent, ["title"])
        if let command = sent["command"]?.stringValue { try Self.check(command: command) }
        if let params = sent["params"] { try PluginParameters.check(params) }
        let principal = try await context.requireAdministrator()
        let id = sent["id"]?.scriptText ?? ""
        guard let old = try await dependencies.events.catalogue().plugins[id] else {
            throw CronicleFailure("event", "Failed to locate plugin: \(id)")
        }
        var values = CatalogueShape.kept(.plugin(old))
        for (key, value) in CatalogueShape.sent(sent) where key != "abort_jobs" { values[key] = value }
        let plugin = CatalogueShape.plugin(id, values, old.authorship.changed(at: dependencies.clock.now()))
        try await CatalogueShape.put(.plugin(plugin), .updateOnly, principal, dependencies, code: "plugin")
        if context.isTrue("abort_jobs"), !plugin.isEnabled {
            let running = try await dependencies.runs.active().filter { record in
                record.definition.plugin == id && !record.definition.isDetached
            }
            _ = try await dependencies.runs.abort(
                principal, running.map(\.run.id), reason: "Plugin '\(plugin.title)' has been disabled.", rewinds: true)
        }
        await note("plugin_update", principal, context, plugin)
        return [:]
    }

    private func delete(_ context: CallContext) async throws -> JSONObject {
        try Validation.require(context.values, [("id", Validation.isWord)])
        let principal = try await context.requireAdministrator()
        let id = context.values["id"]?.scriptText ?? ""
        let old = try await dependencies.events.catalogue().plugins[id]
        do { try await dependencies.events.deleteCatalogue(principal, .plugin, id: id) } catch {
            switch error.code {
            case .conflict:
                throw CronicleFailure("plugin", "Failed to delete plugin: Still assigned to one or more events.")
            case .notFound: throw CronicleFailure("plugin", "Failed to delete plugin: Error: Item not found")
            default: throw error
            }
        }
        if let old { await note("plugin_delete", principal, context, old) }
        return [:]
    }

    /// Commands are executed without a shell: what only one would understand is somebody's mistake.
    private static func check(command: String) throws(CronicleFailure) {
        let arguments = command.drop { !$0.isWhitespace }
        guard !arguments.contains(where: { "<>|".contains($0) }) else {
            throw CronicleFailure("plugin", "Plugin executable cannot contain any shell redirects or pipes.")
        }
    }

    private func note(_ action: String, _ principal: Principal, _ context: CallContext, _ plugin: Plugin) async {
        await dependencies.activity.record(
            action, by: principal, from: context.request.remoteAddress,
            ["plugin": .object(CatalogueShape.object(.plugin(plugin)))])
    }
}

/// The definitions of a plugin's parameters.
enum PluginParameters {
    static func check(_ params: JSONValue) throws(CronicleFailure) {
        guard let list = params.arrayValue else { throw wrong("Plugin params is not an array.") }
        guard list.count <= 1_000 else { throw wrong("Plugin params has more than 1000 elements.") }
        for element in list {
            guard let param = element.objectValue else { throw wrong("Plugin Parameter is not an object.") }
            try check(param)
        }
    }

    private static func check(_ param: JSONObject) throws(CronicleFailure) {
        guard let id = param["id"]?.stringValue, Validation.isWord(id) else {
            throw wrong("Plugin Parameter ID is invalid (must be alphanumeric).")
        }
        guard let type = param["type"]?.stringValue, Validation.isWord(type) else {
            throw wrong("Plugin Parameter Type is invalid (must be alphanumeric).")
        }
        guard let title = param["title"]?.stringValue, !title.isEmpty else {
            throw wrong("Plugin Parameter Title is missing.")
        }
        guard !hasMarkup(title) else { throw wrong("Plugin Parameter Title is invalid.") }
        let value = param["value"]
        switch type {
        case "text":
            try requireNumber(param, "size")
            try requireText(value)
        case "textarea": try requireNumber(param, "rows")
        case "checkbox":
            guard value == nil || value == 0 || value == 1, value?.scriptType ?? "number" == "number" else {
                throw wrong("Plugin Parameter checkbox value is invalid (must be 1 or 0).")
            }
        case "hidden": try requireText(value)
        case "select":
            guard let items = param["items"]?.arrayValue else {
                throw wrong("Plugin param select items is not an array.")
            }
            guard !items.isEmpty else { throw wrong("Plugin param select items is empty.") }
            for item in items {
                guard let text = item.stringValue, !text.isEmpty, !hasMarkup(text) else {
                    throw wrong("Plugin param select item is invalid.")
                }
            }
            try requireText(value)
        default: break
        }
    }

    private static func requireNumber(_ param: JSONObject, _ key: String) throws(CronicleFailure) {
        guard let number = param[key]?.doubleValue else { throw wrong("Plugin Parameter \(key) is not a number.") }
        guard number >= 1 else { throw wrong("Plugin Parameter \(key) must be a positive number.") }
    }

    private static func requireText(_ value: JSONValue?) throws(CronicleFailure) {
        guard let value else { return }
        guard let text = value.stringValue, !hasMarkup(text) else { throw wrong("Plugin Parameter value is invalid.") }
    }

    private static func hasMarkup(_ text: String) -> Bool { text.utf8.contains { $0 == 0x3C || $0 == 0x3E } }

    private static func wrong(_ text: String) -> CronicleFailure { CronicleFailure("plugin", text) }
}
