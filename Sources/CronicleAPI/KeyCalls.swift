import Domain
import JSON
import Operations

/// API keys. A key is shown once, by the call that makes it; afterwards its public beginning stands in its place.
struct KeyCalls: Sendable {
    let dependencies: CronicleDependencies

    init(_ dependencies: CronicleDependencies) { self.dependencies = dependencies }

    var all: [Call] {
        [
            Call("get_api_keys") { try await list($0) },
            Call("get_api_key") { try await read($0) },
            Call("create_api_key") { try await create($0) },
            Call("update_api_key") { try await update($0) },
            Call("delete_api_key") { try await delete($0) },
        ]
    }

    private static let rules: [Validation.Rule] = [
        .number("active", Validation.isOneOrZero), .number("created"), .text("description", Validation.isAnything),
        .text("id", Validation.isWord), .text("key", Validation.isWord), .number("modified"),
        .text("title", Validation.isNotBlank), .text("username", Validation.isHost),
    ]

    private func list(_ context: CallContext) async throws -> JSONObject {
        let principal = try await context.requireAdministrator()
        let records = try await dependencies.keys.list(principal)
        return Page.listing(records.map { .object(Self.shape($0)) }, count: Int64(records.count))
    }

    private func read(_ context: CallContext) async throws -> JSONObject {
        try Validation.require(context.values, [("id", Validation.isWord)])
        let principal = try await context.requireAdministrator()
        let id = context.text("id") ?? ""
        guard let record = try await dependencies.keys.record(principal, id: id) else {
            throw CronicleFailure("api_key", "Failed to locate API Key: \(id)")
        }
        return ["api_key": .object(Self.shape(record))]
    }

    private func create(_ context: CallContext) async throws -> JSONObject {
        let values = context.values
        try Validation.require(
            values,
            [("title", Validation.isNotBlank), ("key", Validation.isWord), ("active", Validation.isOneOrZero)])
        try Validation.refuseMarkup(values, ["title", "description"])
        let principal = try await context.requireAdministrator()
        let secret = values["key"]?.scriptText ?? ""
        let privileges = try Self.privileges(values) ?? [:]
        var fields = JSONObject()
        fields["active"] = values["active"]
        fields["privileges"] = .object(privileges)
        let record: KeyRecord
        do {
            record = try await dependencies.keys.create(
                principal, secret: secret, title: values["title"]?.scriptText ?? "",
                description: context.text("description") ?? "", granted: privileges.granted,
                isActive: values["active"]?.scriptText == "1", fields: JSONValue.object(fields).text)
        } catch {
            guard error.code == .conflict else { throw error }
            throw CronicleFailure("api_key", error.message)
        }
        await dependencies.authenticator.forget()
        await dependencies.activity.record(
            "apikey_create", by: principal, from: context.request.remoteAddress, Self.activity(record))
        return ["id": .string(record.key.id), "key": .string(secret)]
    }

    private func update(_ context: CallContext) async throws -> JSONObject {
        let values = context.values
        try Validation.require(values, [("id", Validation.isWord)])
        try Validation.permit(values, Self.rules)
        try Validation.refuseMarkup(values, ["title", "description"])
        let principal = try await context.requireAdministrator()
        let id = context.text("id") ?? ""
        guard var record = try await dependencies.keys.record(principal, id: id) else {
            throw CronicleFailure("api_key", "Failed to update API Key: Error: Item not found")
        }
        var fields = Self.fields(record)
        if let title = context.text("title") { record.key.title = title }
        if let description = context.text("description") { record.description = description }
        if let active = values["active"] {
            record.key.isActive = active.scriptText == "1"
            fields["active"] = active
        }
        if let privileges = try Self.privileges(values) {
            record.granted = privileges.granted
            fields["privileges"] = .object(privileges)
        }
        record.fields = JSONValue.object(fields).text
        _ = try await dependencies.keys.update(principal, record)
        await dependencies.authenticator.forget()
        await dependencies.activity.record(
            "apikey_update", by: principal, from: context.request.remoteAddress, Self.activity(record))
        return [:]
    }

    private func delete(_ context: CallContext) async throws -> JSONObject {
        try Validation.require(context.values, [("id", Validation.isWord)])
        let principal = try await context.requireAdministrator()
        let id = context.text("id") ?? ""
        guard let record = try await dependencies.keys.record(principal, id: id),
            try await dependencies.keys.delete(principal, id: id)
        else { throw CronicleFailure("api_key", "Failed to delete API Key: Error: Item not found") }
        await dependencies.authenticator.forget()
        await dependencies.activity.record(
            "apikey_delete", by: principal, from: context.request.remoteAddress, Self.activity(record))
        return [:]
    }

    // MARK: Shapes

    /// What is granted; nil where nothing was sent.
    static func privileges(_ values: JSONObject) throws(CronicleFailure) -> JSONObject? {
        guard let value = values["privileges"] else { return nil }
        guard let object = value.objectValue, object.count <= 1_000 else {
            throw CronicleFailure("api", "Malformed parameter: privileges (must be an object such as {\"admin\": 1})")
        }
        return object
    }

    private static func fields(_ record: KeyRecord) -> JSONObject {
        // Written by this dialect; a key of the command line has none.
        (try? JSONValue(parsing: Array(record.fields.utf8)))?.objectValue ?? JSONObject()
    }

    private static func shape(_ record: KeyRecord) -> JSONObject {
        let fields = fields(record)
        var granted = JSONObject()
        for name in record.granted { granted[name] = 1 }
        return [
            "id": .string(record.key.id), "title": .string(record.key.title), "key": .string(record.shown),
            "active": fields["active"] ?? (record.key.isActive ? 1 : 0),
            "privileges": fields["privileges"] ?? .object(granted), "description": .string(record.description),
            "username": .string(record.username), "modified": record.modified.epochSeconds,
            "created": record.created.epochSeconds,
        ]
    }

    private static func activity(_ record: KeyRecord) -> JSONObject {
        ["key_id": .string(record.key.id), "key_title": .string(record.key.title)]
    }
}

extension JSONObject {
    /// Names whose value is true in JavaScript's sense.
    var granted: [String] { compactMap { $0.value.isTruthy ? $0.key : nil } }
}
