import Domain
import JSON
import Operations

/// What a caller may see and touch, with this dialect's errors.
struct EventAccess: Sendable {
    let access: JobAccess

    init(_ principal: Principal, _ catalogue: Catalogue) { access = JobAccess(principal, catalogue) }

    func maySee(category: String) -> Bool { access.maySee(category: category) }

    func maySee(target: String) -> Bool { access.maySee(target: target) }

    func require(category: String, target: String) throws(CronicleFailure) {
        guard maySee(category: category) else { throw access.principal.lacks("cat_\(category)") }
        guard maySee(target: target) else { throw access.principal.lacks("grp_\(target)") }
    }

    func require(_ definition: JobDefinition) throws(CronicleFailure) {
        try require(category: definition.shownCategory, target: definition.shownTarget)
    }

    func maySee(_ definition: JobDefinition) -> Bool { access.maySee(definition) }

    var seesAll: Bool { access.principal.seesAll }

    /// The events that may be seen, by what all events have.
    func selection(of places: [JobPlace]) -> JobSelection {
        var categories: [String: Bool] = [:]
        var targets: [String: Bool] = [:]
        let memberships = access.held.map(\.membership)
        var count: Int64 = 0
        for place in places {
            let category = categories[place.category] ?? maySee(category: place.category)
            let target =
                targets[place.target]
                ?? access.maySee(target: place.target) { host in memberships.contains { $0(host) } }
            categories[place.category] = category
            targets[place.target] = target
            if category, target { count += place.count }
        }
        func seen(_ places: [String: Bool], _ allowed: Set<String>?) -> [String]? {
            allowed == nil ? nil : places.compactMap { $0.value ? $0.key : nil }.sorted()
        }
        return JobSelection(
            JobFilter(
                categories: seen(categories, access.principal.limits.categories),
                targets: seen(targets, access.principal.limits.groups)), count: count)
    }
}
