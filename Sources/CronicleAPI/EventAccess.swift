import Domain
import JSON
import Operations

/// What a caller may see and touch, by categories and worker groups (cronicle.md §4.1).
struct EventAccess: Sendable {
    let principal: Principal
    /// Of the groups that the caller holds.
    private let held: [WorkerGroup]
    private let groups: [String: WorkerGroup]

    init(_ principal: Principal, _ catalogue: Catalogue) {
        self.principal = principal
        groups = catalogue.groups
        held = (principal.limits.groups ?? []).compactMap { catalogue.groups[$0] }
    }

    private var isUnlimited: Bool { principal.has(.admin) }

    func maySee(category: String) -> Bool {
        guard !isUnlimited, let allowed = principal.limits.categories else { return true }
        return allowed.contains(category)
    }

    /// A group that is held, or a host that one of them matches. A group's own name is no host, even where a pattern
    /// would match it.
    func maySee(target: String) -> Bool {
        maySee(target: target) { host in held.contains { $0.matches(host: host) } }
    }

    private func maySee(target: String, isMember: (String) -> Bool) -> Bool {
        guard !isUnlimited, let allowed = principal.limits.groups else { return true }
        if allowed.contains(target) { return true }
        guard groups[target] == nil else { return false }
        return isMember(target)
    }

    func require(category: String, target: String) throws(CronicleFailure) {
        guard maySee(category: category) else { throw principal.lacks("cat_\(category)") }
        guard maySee(target: target) else { throw principal.lacks("grp_\(target)") }
    }

    func require(_ definition: JobDefinition) throws(CronicleFailure) {
        try require(category: definition.shownCategory, target: definition.shownTarget)
    }

    func maySee(_ definition: JobDefinition) -> Bool {
        maySee(category: definition.shownCategory) && maySee(target: definition.shownTarget)
    }

    var seesAll: Bool { principal.seesAll }

    /// The events that may be seen, by what all events have.
    func selection(of places: [JobPlace]) -> JobSelection {
        var categories: [String: Bool] = [:]
        var targets: [String: Bool] = [:]
        let memberships = held.map(\.membership)
        var count: Int64 = 0
        for place in places {
            let category = categories[place.category] ?? maySee(category: place.category)
            let target =
                targets[place.target] ?? maySee(target: place.target) { host in memberships.contains { $0(host) } }
            categories[place.category] = category
            targets[place.target] = target
            if category, target { count += place.count }
        }
        func seen(_ places: [String: Bool], _ allowed: Set<String>?) -> [String]? {
            allowed == nil ? nil : places.compactMap { $0.value ? $0.key : nil }.sorted()
        }
        return JobSelection(
            JobFilter(
                categories: seen(categories, principal.limits.categories),
                targets: seen(targets, principal.limits.groups)), count: count)
    }
}

extension Principal {
    /// Neither categories nor groups hide anything.
    var seesAll: Bool { has(.admin) || limits.categories == nil && limits.groups == nil }
}

extension JobDefinition {
    var shownCategory: String { category.isEmpty ? "general" : category }
    var shownTarget: String { target.name.isEmpty ? "allgrp" : target.name }
}
