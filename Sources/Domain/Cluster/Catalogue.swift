public import Timetable

/// What jobs refer to by identifier: categories, worker groups, plugins. Small; the leader holds all of it.
public struct Catalogue: Hashable, Sendable {
    public var categories: [String: Category] = [:]
    public var groups: [String: WorkerGroup] = [:]
    public var plugins: [String: Plugin] = [:]
    /// False: no schedule launches anything; manual runs, chains and queued runs go on.
    public var isSchedulingEnabled = true

    public init() {}
}

/// Identity of a member of the catalogue.
public struct CatalogueKey: Hashable, Sendable {
    public var kind: CatalogueItem.Kind
    public var id: String
    public init(_ kind: CatalogueItem.Kind, _ id: String) {
        self.kind = kind
        self.id = id
    }
}

extension Catalogue {
    public subscript(key: CatalogueKey) -> CatalogueItem? {
        switch key.kind {
        case .category: categories[key.id].map { .category($0) }
        case .group: groups[key.id].map { .group($0) }
        case .plugin: plugins[key.id].map { .plugin($0) }
        }
    }

    public mutating func put(_ item: CatalogueItem) {
        switch item {
        case .category(let category): categories[category.id] = category
        case .group(let group): groups[group.id] = group
        case .plugin(let plugin): plugins[plugin.id] = plugin
        }
    }

    public mutating func remove(_ key: CatalogueKey) {
        switch key.kind {
        case .category: categories[key.id] = nil
        case .group: groups[key.id] = nil
        case .plugin: plugins[key.id] = nil
        }
    }
}

extension JobDefinition {
    public func refers(to key: CatalogueKey) -> Bool {
        switch key.kind {
        case .category: category == key.id
        case .group: target.name == key.id
        case .plugin: plugin == key.id
        }
    }
}

/// One member of the catalogue.
public enum CatalogueItem: Hashable, Sendable {
    case category(Category)
    case group(WorkerGroup)
    case plugin(Plugin)

    public enum Kind: String, Sendable, CaseIterable { case category, group, plugin }

    public var kind: Kind {
        switch self {
        case .category: .category
        case .group: .group
        case .plugin: .plugin
        }
    }
    public var id: String {
        switch self {
        case .category(let category): category.id
        case .group(let group): group.id
        case .plugin(let plugin): plugin.id
        }
    }
    public var key: CatalogueKey { CatalogueKey(kind, id) }
}

/// Who made a member of the catalogue, and when.
public struct Authorship: Hashable, Sendable {
    public var username: String
    public var created: Instant
    public var modified: Instant
    public init(username: String, created: Instant, modified: Instant) {
        self.username = username
        self.created = created
        self.modified = modified
    }
}

/// Jobs that share limits and notifications (cronicle.md §1, "Categories").
public struct Category: Hashable, Sendable {
    public var id: String
    public var title = ""
    public var description = ""
    public var color = ""
    public var isEnabled = true
    /// Runs of all its jobs at once; 0: not limited.
    public var maximumActive = 0
    /// For jobs that have none of their own.
    public var limits = RunLimits.none
    public var notifications = NotificationSettings.none
    public var authorship: Authorship
    /// JSON object text of what the dialect keeps and the core has no meaning for.
    public var dialectFields = "{}"

    public init(id: String, title: String, authorship: Authorship) {
        self.id = id
        self.title = title
        self.authorship = authorship
    }
}

/// Workers whose host name (attribute `hostname`, else the worker's name) matches a pattern.
public struct WorkerGroup: Hashable, Sendable {
    public var id: String
    public var title = ""
    /// Unanchored, case-sensitive, in the syntax of constraints' patterns.
    public var pattern = ""
    public var authorship: Authorship
    public var dialectFields = "{}"

    public init(id: String, title: String, pattern: String, authorship: Authorship) {
        self.id = id
        self.title = title
        self.pattern = pattern
        self.authorship = authorship
    }
}

/// A program that runs jobs by Cronicle's plugin protocol (cronicle.md §3).
public struct Plugin: Hashable, Sendable {
    public var id: String
    public var title = ""
    /// Program and arguments. `bin/shell-plugin.js`, `bin/url-plugin.js` and `bin/test-plugin.js`, which are Cronicle's
    /// stock plugins, are built into the worker and known by these texts.
    public var command = ""
    public var isEnabled = true
    public var workingDirectory = ""
    public var user = ""
    public var group = ""
    /// JSON array text of parameter definitions (cronicle.md §3.6).
    public var parameters = "[]"
    /// JSON object text of further environment variables.
    public var environment = "{}"
    public var authorship: Authorship
    public var dialectFields = "{}"

    public init(id: String, title: String, command: String, authorship: Authorship) {
        self.id = id
        self.title = title
        self.command = command
        self.authorship = authorship
    }
}
