public import Domain
public import JSON
import Timetable

/// Members of the catalogue. The identifier is part of the text.
public enum CatalogueCoding {
    public static func text(_ item: CatalogueItem) -> String { encode(item).text }

    public static func encode(_ item: CatalogueItem) -> JSONValue {
        switch item {
        case .category(let category): encode(category)
        case .group(let group): encode(group)
        case .plugin(let plugin): encode(plugin)
        }
    }

    public static func decode(_ kind: CatalogueItem.Kind, _ value: JSONValue) throws(StoreError) -> CatalogueItem {
        switch kind {
        case .category: .category(try decodeCategory(value))
        case .group: .group(try decodeGroup(value))
        case .plugin: .plugin(try decodePlugin(value))
        }
    }

    private static func encode(_ category: Category) -> JSONValue {
        var object = head(category.id, category.title, category.authorship, category.dialectFields)
        object["description"] = .string(category.description)
        object["color"] = .string(category.color)
        object["enabled"] = .bool(category.isEnabled)
        object["maximum_active"] = .integer(Int64(category.maximumActive))
        object["limits"] = LimitsCoding.encode(category.limits)
        object["notifications"] = LimitsCoding.encode(category.notifications)
        return .object(object)
    }

    private static func decodeCategory(_ value: JSONValue) throws(StoreError) -> Category {
        let fields = try Fields(value, of: "a category")
        var category = Category(
            id: try fields.string("id", else: ""), title: try fields.string("title", else: ""),
            authorship: try authorship(fields))
        category.description = try fields.string("description", else: "")
        category.color = try fields.string("color", else: "")
        category.isEnabled = try fields.bool("enabled", else: true)
        category.maximumActive = Int(clamping: try fields.integer("maximum_active", else: 0))
        if let limits = fields["limits"] { category.limits = try LimitsCoding.decode(limits) }
        if let settings = fields["notifications"] {
            category.notifications = try LimitsCoding.decodeNotifications(settings)
        }
        category.dialectFields = try fields.string("dialect_fields", else: "{}")
        return category
    }

    private static func encode(_ group: WorkerGroup) -> JSONValue {
        var object = head(group.id, group.title, group.authorship, group.dialectFields)
        object["pattern"] = .string(group.pattern)
        return .object(object)
    }

    private static func decodeGroup(_ value: JSONValue) throws(StoreError) -> WorkerGroup {
        let fields = try Fields(value, of: "a worker group")
        var group = WorkerGroup(
            id: try fields.string("id", else: ""), title: try fields.string("title", else: ""),
            pattern: try fields.string("pattern", else: ""), authorship: try authorship(fields))
        group.dialectFields = try fields.string("dialect_fields", else: "{}")
        return group
    }

    public static func encode(_ plugin: Plugin) -> JSONValue {
        var object = head(plugin.id, plugin.title, plugin.authorship, plugin.dialectFields)
        object["command"] = .string(plugin.command)
        object["enabled"] = .bool(plugin.isEnabled)
        object["working_directory"] = .string(plugin.workingDirectory)
        object["user"] = .string(plugin.user)
        object["group"] = .string(plugin.group)
        object["parameters"] = .string(plugin.parameters)
        object["environment"] = .string(plugin.environment)
        return .object(object)
    }

    public static func decodePlugin(_ value: JSONValue) throws(StoreError) -> Plugin {
        let fields = try Fields(value, of: "a plugin")
        var plugin = Plugin(
            id: try fields.string("id", else: ""), title: try fields.string("title", else: ""),
            command: try fields.string("command", else: ""), authorship: try authorship(fields))
        plugin.isEnabled = try fields.bool("enabled", else: true)
        plugin.workingDirectory = try fields.string("working_directory", else: "")
        plugin.user = try fields.string("user", else: "")
        plugin.group = try fields.string("group", else: "")
        plugin.parameters = try fields.string("parameters", else: "[]")
        plugin.environment = try fields.string("environment", else: "{}")
        plugin.dialectFields = try fields.string("dialect_fields", else: "{}")
        return plugin
    }

    private static func head(
        _ id: String, _ title: String, _ authorship: Authorship, _ dialectFields: String
    ) -> JSONObject {
        var object: JSONObject = [
            "id": .string(id), "title": .string(title), "username": .string(authorship.username),
            "created_us": .integer(authorship.created.microseconds),
            "modified_us": .integer(authorship.modified.microseconds),
        ]
        if dialectFields != "{}" { object["dialect_fields"] = .string(dialectFields) }
        return object
    }

    private static func authorship(_ fields: Fields) throws(StoreError) -> Authorship {
        Authorship(
            username: try fields.string("username", else: ""),
            created: Instant(microseconds: try fields.integer("created_us", else: 0)),
            modified: Instant(microseconds: try fields.integer("modified_us", else: 0)))
    }
}
