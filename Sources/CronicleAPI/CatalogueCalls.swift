import Domain
import JSON
import Operations
import Timetable

/// Categories and server groups (cronicle.md §1.10). What was sent is kept with each and returned as it came.
struct CatalogueCalls: Sendable {
    let dependencies: CronicleDependencies

    init(_ dependencies: CronicleDependencies) { self.dependencies = dependencies }

    var all: [Call] {
        [
            Call("get_categories") { try await list($0, .category) },
            Call("create_category") { try await createCategory($0) },
            Call("update_category") { try await updateCategory($0) },
            Call("delete_category") { try await deleteCategory($0) },
            Call("get_server_groups") { try await list($0, .group) },
            Call("create_server_group") { try await createGroup($0) },
            Call("update_server_group") { try await updateGroup($0) },
            Call("delete_server_group") { try await deleteGroup($0) },
        ]
    }

    private func list(_ context: CallContext, _ kind: CatalogueItem.Kind) async throws -> JSONObject {
        _ = try await context.authenticate()
        return try await Self.list(context, kind, dependencies)
    }

    static func list(
        _ context: CallContext, _ kind: CatalogueItem.Kind, _ dependencies: CronicleDependencies
    ) async throws -> JSONObject {
        let items = try await dependencies.events.items(kind)
        let start = context.integer("offset") ?? 0
        let limit = context.integer("limit") ?? 0
        let end = limit == 0 ? nil : start.addingReportingOverflow(limit).partialValue
        let rows = items[ScriptSlice.range(start, end, of: items.count)]
        // Past the end Cronicle tells of no list at all.
        let count = start < items.count ? items.count : 0
        return Page.listing(rows.map { .object(CatalogueShape.object($0)) }, count: Int64(count))
    }

    // MARK: Categories

    private static let categoryRules: [Validation.Rule] = [
        .text("color", Validation.isWord), .number("cpu_limit"), .number("cpu_sustain"), .number("created"),
        .text("description", Validation.isAnything), .number("enabled", Validation.isOneOrZero),
        .text("id", Validation.isWord), .number("log_max_size"), .number("max_children"), .number("memory_limit"),
        .number("memory_sustain"), .number("modified"), .text("notify_fail", Validation.isAddressList),
        .text("notify_success", Validation.isAddressList), .text("title", Validation.isNotBlank),
        .text("username", Validation.isHost), .text("web_hook", Validation.isHook),
    ]

    private func createCategory(_ context: CallContext) async throws -> JSONObject {
        try Validation.require(
            context.values, [("title", Validation.isNotBlank), ("max_children", Validation.isDigits)])
        try Validation.permit(context.values, Self.categoryRules)
        try Validation.refuseMarkup(context.values, ["title", "description"])
        let principal = try await context.requireAdministrator()
        var values = CatalogueShape.sent(context.values)
        for (key, value) in principal.signature { values[key] = .string(value) }
        let id = try CatalogueShape.identifier(context.values, prefix: "c")
        let category = CatalogueShape.category(
            id, values, Authorship(username: principal.owner, created: now, modified: now))
        try await CatalogueShape.put(.category(category), .createOnly, principal, dependencies, code: "category")
        await note("cat_create", principal, context, "cat", .category(category))
        return ["id": .string(id)]
    }

    private func updateCategory(_ context: CallContext) async throws -> JSONObject {
        try Validation.require(context.values, [("id", Validation.isWord)])
        try Validation.permit(context.values, Self.categoryRules)
        try Validation.refuseMarkup(context.values, ["title", "description"])
        let principal = try await context.requireAdministrator()
        let id = context.values["id"]?.scriptText ?? ""
        guard let old = try await dependencies.events.catalogue().categories[id] else {
            throw CronicleFailure("event", "Failed to locate category: \(id)")
        }
        var values = CatalogueShape.kept(.category(old))
        for (key, value) in CatalogueShape.sent(context.values) where key != "abort_jobs" { values[key] = value }
        let category = CatalogueShape.category(id, values, old.authorship.changed(at: now))
        try await CatalogueShape.put(.category(category), .updateOnly, principal, dependencies, code: "category")
        if context.isTrue("abort_jobs"), !category.isEnabled {
            let running = try await dependencies.runs.active().filter { record in
                record.definition.shownCategory == id && !record.definition.isDetached
            }
            _ = try await dependencies.runs.abort(
                principal, running.map(\.run.id), reason: "Category '\(category.title)' has been disabled.",
                rewinds: true)
        }
        await note("cat_update", principal, context, "cat", .category(category))
        return [:]
    }

    private func deleteCategory(_ context: CallContext) async throws -> JSONObject {
        try Validation.require(context.values, [("id", Validation.isWord)])
        let principal = try await context.requireAdministrator()
        let id = context.values["id"]?.scriptText ?? ""
        let old = try await dependencies.events.catalogue().categories[id]
        do { try await dependencies.events.deleteCatalogue(principal, .category, id: id) } catch {
            switch error.code {
            case .conflict:
                throw CronicleFailure("plugin", "Failed to delete category: Still in use by one or more events.")
            case .notFound: throw CronicleFailure("category", "Failed to delete category: Error: Item not found")
            default: throw error
            }
        }
        if let old { await note("cat_delete", principal, context, "cat", .category(old)) }
        return [:]
    }

    // MARK: Groups

    private func createGroup(_ context: CallContext) async throws -> JSONObject {
        try Validation.require(
            context.values, [("title", Validation.isNotBlank), ("regexp", Validation.isNotBlank)])
        try Validation.refuseMarkup(context.values, ["title"])
        let principal = try await context.requireAdministrator()
        let id = try CatalogueShape.identifier(context.values, prefix: "g")
        let values = CatalogueShape.sent(context.values)
        let group = CatalogueShape.group(
            id, values, Authorship(username: principal.owner, created: now, modified: now))
        try await CatalogueShape.put(.group(group), .createOnly, principal, dependencies, code: "group")
        await note("group_create", principal, context, "group", .group(group))
        return ["id": .string(id)]
    }

    private func updateGroup(_ context: CallContext) async throws -> JSONObject {
        try Validation.require(context.values, [("id", Validation.isWord)])
        try Validation.refuseMarkup(context.values, ["title"])
        let principal = try await context.requireAdministrator()
        let id = context.values["id"]?.scriptText ?? ""
        guard let old = try await dependencies.events.catalogue().groups[id] else {
            throw CronicleFailure("group", "Failed to update server group: Error: Item not found")
        }
        var values = CatalogueShape.kept(.group(old))
        for (key, value) in CatalogueShape.sent(context.values) { values[key] = value }
        let group = CatalogueShape.group(id, values, old.authorship.changed(at: now))
        try await CatalogueShape.put(.group(group), .updateOnly, principal, dependencies, code: "group")
        await note("group_update", principal, context, "group", .group(group))
        return [:]
    }

    private func deleteGroup(_ context: CallContext) async throws -> JSONObject {
        try Validation.require(context.values, [("id", Validation.isWord)])
        let principal = try await context.requireAdministrator()
        let id = context.values["id"]?.scriptText ?? ""
        let old = try await dependencies.events.catalogue().groups[id]
        do { try await dependencies.events.deleteCatalogue(principal, .group, id: id) } catch {
            switch error.code {
            case .conflict:
                throw CronicleFailure(
                    "plugin", "Failed to delete server group: Still targeted by one or more events.")
            case .notFound: throw CronicleFailure("group", "Failed to delete server group: Error: Item not found")
            default: throw error
            }
        }
        if let old { await note("group_delete", principal, context, "group", .group(old)) }
        return [:]
    }

    private var now: Instant { dependencies.clock.now() }

    private func note(
        _ action: String, _ principal: Principal, _ context: CallContext, _ key: String, _ item: CatalogueItem
    ) async {
        await dependencies.activity.record(
            action, by: principal, from: context.request.remoteAddress, [key: .object(CatalogueShape.object(item))])
    }
}

extension Authorship {
    func changed(at now: Instant) -> Authorship {
        Authorship(username: username, created: created, modified: now)
    }
}
