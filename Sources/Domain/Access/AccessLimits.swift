/// What narrows privileges: which categories and which worker groups they are good for (cronicle.md §4.1).
public struct AccessLimits: Hashable, Sendable {
    /// Identifiers of categories; nil: all.
    public var categories: Set<String>?
    /// Identifiers of worker groups; nil: all.
    public var groups: Set<String>?
    /// Runs only as the job says: whatever a request would change for its run is left out.
    public var runsUnchanged = false

    public static let none = AccessLimits()

    public init() {}

    /// - Parameter names: of all privileges that are granted, those that this release does not know among them.
    public init(names: some Sequence<String>) {
        let names = Set(names)
        if names.contains("cat_limit") { categories = Self.identifiers(after: "cat_", in: names, but: "cat_limit") }
        if names.contains("grp_limit") { groups = Self.identifiers(after: "grp_", in: names, but: "grp_limit") }
        runsUnchanged = names.contains("job_read_only")
    }

    private static func identifiers(after prefix: String, in names: Set<String>, but limit: String) -> Set<String> {
        Set(names.filter { $0.hasPrefix(prefix) && $0 != limit }.map { String($0.dropFirst(prefix.count)) })
    }
}
