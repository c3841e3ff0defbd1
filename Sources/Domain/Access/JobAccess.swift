/// Which jobs a caller may see and touch, by categories and worker groups (cronicle.md §4.1), whatever API he asks by.
public struct JobAccess: Sendable {
    public let principal: Principal
    /// Of the groups that the caller holds.
    public let held: [WorkerGroup]
    private let groups: [String: WorkerGroup]

    public init(_ principal: Principal, _ catalogue: Catalogue) {
        self.principal = principal
        groups = catalogue.groups
        held = (principal.limits.groups ?? []).compactMap { catalogue.groups[$0] }
    }

    private var isUnlimited: Bool { principal.has(.admin) }

    public func maySee(category: String) -> Bool {
        guard !isUnlimited, let allowed = principal.limits.categories else { return true }
        return allowed.contains(category)
    }

    /// A group that is held, or a host that one of them matches. A group's own name is no host, even where a pattern
    /// would match it.
    public func maySee(target: String) -> Bool {
        maySee(target: target) { host in held.contains { $0.matches(host: host) } }
    }

    /// - Parameter isMember: whether a host is in one of the groups that the caller holds.
    public func maySee(target: String, isMember: (String) -> Bool) -> Bool {
        guard !isUnlimited, let allowed = principal.limits.groups else { return true }
        if allowed.contains(target) { return true }
        guard groups[target] == nil else { return false }
        return isMember(target)
    }

    public func maySee(_ definition: JobDefinition) -> Bool {
        maySee(category: definition.shownCategory) && maySee(target: definition.shownTarget)
    }

    /// - Throws: `DomainError.forbidden` that names what the caller lacks.
    public func require(_ definition: JobDefinition) throws(DomainError) {
        let (category, target) = (definition.shownCategory, definition.shownTarget)
        guard maySee(category: category) else { throw lacks("cat_\(category)", "the job's category") }
        guard maySee(target: target) else { throw lacks("grp_\(target)", "the job's target") }
    }

    private func lacks(_ privilege: String, _ what: String) -> DomainError {
        DomainError(
            .forbidden,
            "'\(principal.name)' is limited, and lacks '\(privilege)' for \(what), which this request needs")
    }
}

extension Principal {
    /// Neither categories nor groups hide anything.
    public var seesAll: Bool { has(.admin) || limits.categories == nil && limits.groups == nil }
}

extension JobDefinition {
    /// The category that a job without one is in counts as its own.
    public var shownCategory: String { category.isEmpty ? "general" : category }
    /// The group of all workers where none is named.
    public var shownTarget: String { target.name.isEmpty ? "allgrp" : target.name }
}
