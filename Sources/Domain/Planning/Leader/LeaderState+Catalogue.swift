// The catalogue: categories, worker groups and plugins, and what they mean for a run.

import Timetable

/// Why a run cannot be given to a worker as things stand (cronicle.md §2.7).
enum LaunchObstacle: Hashable, Sendable {
    /// What it refers to does not exist: it can never run.
    case missing(String)
    /// Somebody has switched off what it needs.
    case disabled(String)
    /// Too many run already.
    case limit(String)
    /// There is no worker for it.
    case nowhere(String)

    var text: String {
        switch self {
        case .missing(let text), .disabled(let text), .limit(let text), .nowhere(let text): text
        }
    }
}

extension LeaderState {
    // MARK: Changing it

    mutating func putCatalogue(_ item: CatalogueItem, mode: PutMode, now: Moment) throws(DomainError) {
        let existing = catalogue[item.key]
        switch mode {
        case .createOnly where existing != nil:
            throw DomainError(.conflict, "\(item.kind.rawValue) '\(item.id)' exists already")
        case .updateOnly where existing == nil, .replace where existing == nil:
            throw .notFound("\(item.kind.rawValue) '\(item.id)' not found")
        default: break
        }
        guard catalogue.count < Limits.catalogueItems || existing != nil else {
            throw DomainError(.tooMany, "the catalogue has \(catalogue.count) members, its limit")
        }
        if case .group(let group) = item { try group.validate() }
        catalogue.put(item)
        groupMembers.removeAll()
        changes.deletedCatalogue.removeAll { $0 == item.key }
        changes.putCatalogue.removeAll { $0.key == item.key }
        changes.putCatalogue.append(item)
        releaseHeld()
    }

    mutating func deleteCatalogue(_ key: CatalogueKey) throws(DomainError) {
        guard catalogue[key] != nil else { throw .notFound("\(key.kind.rawValue) '\(key.id)' not found") }
        let changed = jobsOfTurn.values.lazy.compactMap { $0 }.first { $0.definition.refers(to: key) }
        if let user = changed ?? facts.user(of: key), jobsOfTurn[user.id].map({ $0 != nil }) ?? true {
            throw DomainError(
                .conflict, "\(key.kind.rawValue) '\(key.id)' is still used by job '\(user.definition.name)'")
        }
        catalogue.remove(key)
        groupMembers.removeAll()
        changes.putCatalogue.removeAll { $0.key == key }
        changes.deletedCatalogue.append(key)
    }

    mutating func setScheduling(_ isEnabled: Bool) {
        guard catalogue.isSchedulingEnabled != isEnabled else { return }
        catalogue.isSchedulingEnabled = isEnabled
        changes.isSchedulingEnabled = isEnabled
        if isEnabled { releaseHeld() }
    }

    // MARK: What it means for runs

    func category(of definition: JobDefinition) -> Category? {
        catalogue.categories[definition.category.isEmpty ? "general" : definition.category]
    }

    /// What keeps the job's schedule from launching anything, without being a limit; nil where nothing does.
    func suspension(of definition: JobDefinition) -> String? {
        guard catalogue.isSchedulingEnabled else { return "the scheduler is switched off" }
        return switchedOff(definition)?.text
    }

    /// What the definition refers to and does not exist.
    func missing(_ definition: JobDefinition) -> LaunchObstacle? {
        if !definition.plugin.isEmpty, catalogue.plugins[definition.plugin] == nil {
            return .missing("Plugin not found: \(definition.plugin)")
        }
        if !definition.category.isEmpty, category(of: definition) == nil {
            return .missing("Category not found: \(definition.category)")
        }
        return nil
    }

    func switchedOff(_ definition: JobDefinition) -> LaunchObstacle? {
        if let category = category(of: definition), !category.isEnabled {
            return .disabled("Category '\(category.displayTitle)' is disabled.")
        }
        if let plugin = catalogue.plugins[definition.plugin], !plugin.isEnabled {
            return .disabled("Plugin '\(plugin.displayTitle)' is disabled.")
        }
        return nil
    }

    func categoryLimit(_ definition: JobDefinition) -> LaunchObstacle? {
        guard let category = category(of: definition), category.maximumActive > 0,
            activeOfCategory[category.id, default: 0] >= category.maximumActive
        else { return nil }
        return .limit(Self.maximum(category.maximumActive, "category: \(category.displayTitle)"))
    }

    static func maximum(_ count: Int, _ what: String) -> String {
        "Maximum of \(count) \(count == 1 ? "job" : "jobs") already running for \(what)"
    }

    /// The first thing that keeps a run of the job from being given to a worker now, in Cronicle's order of checks.
    func obstacle(_ definition: JobDefinition, job: JobID) -> LaunchObstacle? {
        let target = definition.target.name
        if !target.isEmpty, catalogue.groups[target] == nil, workers[target] == nil, groupMembers[target] == nil {
            return .missing("Server or Server Group not found: \(target)")
        }
        if let missing = missing(definition) { return missing }
        let active = runsOfJob[job]?.count ?? 0
        if definition.overlap != .allow, active >= max(1, definition.maximumActive) {
            return .limit(Self.maximum(max(1, definition.maximumActive), "event: \(definition.displayTitle)"))
        }
        if let full = categoryLimit(definition) ?? switchedOff(definition) { return full }
        let usable = workers.values.contains { worker in
            worker.isLive && !worker.worker.isDrained && matches(worker.worker.description.name, definition.target)
                && definition.requirements.allSatisfy { $0.isSatisfied(by: worker.worker.description.attributes) }
        }
        guard !usable else { return nil }
        if let group = catalogue.groups[target], workers[target] == nil {
            return .nowhere("Could not find any servers for group: \(group.displayTitle)")
        }
        return .nowhere(
            target.isEmpty ? "Could not find any servers." : "Target server is not available: \(target)")
    }

    /// What the definition leaves open is its category's.
    func limits(of definition: JobDefinition) -> RunLimits {
        var limits = definition.limits
        guard let defaults = category(of: definition)?.limits else { return limits }
        if limits.cpuPercent == 0 {
            limits.cpuPercent = defaults.cpuPercent
            limits.cpuSustain = defaults.cpuSustain
        }
        if limits.memoryBytes == 0 {
            limits.memoryBytes = defaults.memoryBytes
            limits.memorySustain = defaults.memorySustain
        }
        if limits.logBytes == 0 { limits.logBytes = defaults.logBytes }
        if limits.processes == 0 { limits.processes = defaults.processes }
        return limits
    }

    func notifications(of definition: JobDefinition) -> NotificationSettings {
        var settings = definition.notifications
        guard let defaults = category(of: definition)?.notifications else { return settings }
        if settings.mailOnSuccess.isEmpty { settings.mailOnSuccess = defaults.mailOnSuccess }
        if settings.mailOnFailure.isEmpty { settings.mailOnFailure = defaults.mailOnFailure }
        if settings.webHook.isEmpty { settings.webHook = defaults.webHook }
        return settings
    }

    // MARK: Targets

    /// Whether the worker is among those that the target names: the one of that name, else those of the group.
    func matches(_ worker: String, _ target: Target) -> Bool {
        guard case .named(let name) = target, !name.isEmpty else { return true }
        if workers[name] != nil { return worker == name }
        return groupMembers[name]?.contains(worker) ?? false
    }

    /// Finds out who is in each group, where that is not known; groups that jobs refer to are few, and patterns slow.
    mutating func sortIntoGroups() {
        guard groupMembers.isEmpty else { return }
        // A host is the group of the workers on it, unless a group has its name.
        for description in workers.values.map(\.worker.description) {
            groupMembers[description.hostName, default: []].insert(description.name)
        }
        for group in catalogue.groups.values {
            let pattern = group.compiled
            groupMembers[group.id] = Set(
                workers.values.map(\.worker.description).filter { pattern?.matches($0.hostName) ?? false }.map(\.name))
        }
    }
}

extension Catalogue {
    var count: Int { categories.count + groups.count + plugins.count }
}

extension WorkerDescription {
    /// What groups match: the attribute `hostname`, else the name.
    public var hostName: String { attributes["hostname"] ?? name }
}

extension WorkerGroup {
    /// Nil for a pattern that is none.
    var compiled: Pattern? {
        // Whoever stored the group has been told; one that is wrong all the same has no members.
        try? Pattern(anywhere: pattern)
    }

    /// - Throws: `.invalid` where the pattern is no regular expression, or too long.
    public func validate() throws(DomainError) {
        guard pattern.utf8.count <= Limits.constraintPattern else {
            throw .invalid("the pattern of a worker group may have at most \(Limits.constraintPattern) bytes")
        }
        do { _ = try Pattern(anywhere: pattern) } catch {
            throw .invalid("'\(pattern)' is not a regular expression: \(error.message)")
        }
    }

    public var displayTitle: String { title.isEmpty ? id : title }

    /// Whether a host of that name belongs to the group.
    public func matches(host: String) -> Bool { compiled?.matches(host) ?? false }

    /// The same where it is asked of many hosts.
    public var membership: (String) -> Bool {
        let pattern = compiled
        return { host in pattern?.matches(host) ?? false }
    }
}

extension Category {
    public var displayTitle: String { title.isEmpty ? id : title }
}

extension Plugin {
    public var displayTitle: String { title.isEmpty ? id : title }
}

extension JobDefinition {
    /// As people call it.
    public var displayTitle: String { title.isEmpty ? name : title }
}
