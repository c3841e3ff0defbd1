import Domain
import JSON
import Operations
import Timetable

/// What a directory of files wants the cluster to be.
struct WantedConfiguration: Sendable {
    var jobs: [ConfiguredJob] = []
    var items: [CatalogueItem] = []
    /// What is not among them is removed.
    var prunes = false
}

/// What the cluster has.
struct PresentConfiguration: Sendable {
    /// Those that the files speak of; all of them where the rest is to be removed.
    var jobs: [Job] = []
    /// Jobs that are not among these.
    var otherJobs = 0
    var catalogue = Catalogue()
}

/// What would change, and the commands that change it.
struct ConfigurationPlan: Sendable {
    enum Action: String, Sendable { case create, update, delete }

    struct Change: Sendable {
        var action: Action
        var kind: String
        var name: String
        /// Members of the file that differ.
        var members: [String] = []
        /// The next due instants, as things are and as they would be.
        var before: [Instant] = []
        var after: [Instant] = []
    }

    static let dueInstants = 3

    private(set) var changes: [Change] = []
    private(set) var unchanged = 0
    /// Present, not among the files, and left alone.
    private(set) var others = 0
    private(set) var commands: [LeaderCommand] = []

    private let zones: any ZoneDatabase
    private let now: Instant
    private let principal: Principal
    /// The catalogue as it is and will be.
    private let members: Set<CatalogueKey>

    /// - Throws: `.invalid` for what cannot be, naming it; nothing of it is done then.
    init(
        from present: PresentConfiguration, to wanted: WantedConfiguration, principal: Principal, now: Instant,
        zones: any ZoneDatabase
    ) throws(DomainError) {
        self.zones = zones
        self.now = now
        self.principal = principal
        members = Set(wanted.items.map(\.key)).union(present.catalogue.all.map(\.key))
        try refuseDoubles(wanted)
        for item in wanted.items { planItem(item, present.catalogue) }
        try planJobs(wanted, present)
        try planRemovals(wanted, present)
    }

    private func refuseDoubles(_ wanted: WantedConfiguration) throws(DomainError) {
        var names: Set<String> = []
        var ids: Set<JobID> = []
        for job in wanted.jobs {
            guard names.insert(job.definition.name).inserted else {
                throw .invalid("the job '\(job.definition.name)' is there twice")
            }
            if let id = job.id, !ids.insert(id).inserted { throw .invalid("two jobs have the id '\(id)'") }
        }
        var keys: Set<CatalogueKey> = []
        for item in wanted.items where !keys.insert(item.key).inserted {
            throw .invalid("the \(item.kind.rawValue) '\(item.id)' is there twice")
        }
    }

    // MARK: Catalogue

    private mutating func planItem(_ item: CatalogueItem, _ present: Catalogue) {
        let former = present[item.key]
        let new = ConfigurationDocument.encode(item)
        let old = former.map(ConfigurationDocument.encode)
        let members = Self.differences(old ?? [:], new)
        guard old == nil || !members.isEmpty else {
            unchanged += 1
            return
        }
        changes.append(
            Change(action: old == nil ? .create : .update, kind: item.kind.rawValue, name: item.id, members: members))
        var item = item
        let made = former?.authorship.created ?? now
        item.authorship = Authorship(
            username: former?.authorship.username ?? principal.owner, created: made, modified: now)
        commands.append(.putCatalogue(item, mode: .upsert))
    }

    // MARK: Jobs

    private mutating func planJobs(_ wanted: WantedConfiguration, _ present: PresentConfiguration) throws(DomainError) {
        let byName = Dictionary(present.jobs.map { ($0.definition.name, $0) }, uniquingKeysWith: { first, _ in first })
        let byID = Dictionary(present.jobs.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        let validator = JobValidator(zones: zones)
        for job in try Self.parentsFirst(wanted.jobs) {
            let former = job.id.flatMap { byID[$0] } ?? byName[job.definition.name]
            try planJob(job, former, validator, isTaken: job.id.map { byID[$0] != nil } ?? false)
        }
    }

    private mutating func planJob(
        _ job: ConfiguredJob, _ former: Job?, _ validator: JobValidator, isTaken: Bool
    ) throws(DomainError) {
        var job = job
        var new = ConfigurationDocument.encode(job)
        var old = former.map { ConfigurationDocument.encode($0) }
        if case .schedule(var text) = job.definition.trigger {
            text.anchor = now
            // The same schedule goes on as it was written, and where it stands.
            if case .schedule(let same)? = former?.definition.trigger, old?["schedule"] == new["schedule"] {
                text = same
            }
            job.definition.trigger = .schedule(text)
        }
        do { try validator.validate(job.definition) } catch {
            throw DomainError(error.code, "job '\(job.definition.name)': \(error.message)")
        }
        // The files of another cluster name identifiers that mean nothing where the job was made by its name.
        if let former { job.id = former.id }
        new["id"] = nil
        old?["id"] = nil
        let members = Self.differences(old ?? [:], new)
        guard old == nil || !members.isEmpty else {
            unchanged += 1
            return
        }
        try requireReferences(of: job.definition, former?.definition)
        changes.append(
            Change(
                action: old == nil ? .create : .update, kind: "job", name: job.definition.name, members: members,
                before: former.map { dues($0.definition, isEnabled: $0.isEnabled) } ?? [],
                after: dues(job.definition, isEnabled: job.isEnabled)))
        var options = PutOptions()
        options.keepsCounters = true
        options.id = job.id
        commands.append(
            .putJob(
                job.definition, isEnabled: job.isEnabled, counters: nil,
                mode: former.map { .replace(version: $0.version) } ?? .createOnly, options: options))
    }

    /// What a job newly refers to must be there, or come with it.
    private func requireReferences(
        of job: JobDefinition, _ former: JobDefinition?
    ) throws(DomainError) {
        for (kind, id, before) in [
            (CatalogueItem.Kind.plugin, job.plugin, former?.plugin),
            (.category, job.category, former?.category),
        ] where !id.isEmpty && id != before && !members.contains(CatalogueKey(kind, id)) {
            throw .invalid("job '\(job.name)': there is no \(kind.rawValue) '\(id)'")
        }
    }

    private func dues(_ definition: JobDefinition, isEnabled: Bool) -> [Instant] {
        // One that cannot be computed any more is due never.
        guard isEnabled, case .schedule(let text) = definition.trigger, let schedule = try? text.schedule(zones: zones)
        else { return [] }
        return schedule.dues(after: now, count: Self.dueInstants)
    }

    /// Jobs whose parents are among them come after these, so that each finds its parents.
    private static func parentsFirst(_ jobs: [ConfiguredJob]) throws(DomainError) -> [ConfiguredJob] {
        let byName = Dictionary(jobs.map { ($0.definition.name, $0) }, uniquingKeysWith: { first, _ in first })
        var ordered: [ConfiguredJob] = []
        var placed: Set<String> = []
        var waiting = jobs.sorted { $0.definition.name < $1.definition.name }
        while !waiting.isEmpty {
            var left: [ConfiguredJob] = []
            for job in waiting {
                var parents: [String] = []
                if case .parents(let names) = job.definition.trigger { parents = names }
                guard parents.allSatisfy({ byName[$0] == nil || placed.contains($0) }) else {
                    left.append(job)
                    continue
                }
                ordered.append(job)
                placed.insert(job.definition.name)
            }
            guard left.count < waiting.count else {
                let names = left.map(\.definition.name).joined(separator: ", ")
                throw .invalid("these jobs are parents of each other in a circle: \(names)")
            }
            waiting = left
        }
        return ordered
    }

    // MARK: Removals

    private mutating func planRemovals(
        _ wanted: WantedConfiguration, _ present: PresentConfiguration
    ) throws(DomainError) {
        let names = Set(wanted.jobs.map(\.definition.name))
        let ids = Set(wanted.jobs.compactMap(\.id))
        let jobs = present.jobs.filter { !names.contains($0.definition.name) && !ids.contains($0.id) }
        let keys = Set(wanted.items.map(\.key))
        let items = present.catalogue.all.filter { !keys.contains($0.key) }
        guard wanted.prunes else {
            others = jobs.count + present.otherJobs + items.count
            return
        }
        for job in jobs {
            changes.append(
                Change(
                    action: .delete, kind: "job", name: job.definition.name,
                    before: dues(job.definition, isEnabled: job.isEnabled)))
            commands.append(.deleteJob(.id(job.id)))
        }
        for item in items {
            changes.append(Change(action: .delete, kind: item.kind.rawValue, name: item.id))
            commands.append(.deleteCatalogue(item.kind, id: item.id))
        }
    }

    private static func differences(_ old: JSONObject, _ new: JSONObject) -> [String] {
        Set(old.keys).union(new.keys).filter { old[$0] != new[$0] }.sorted()
    }
}

extension Catalogue {
    /// By kind and identifier.
    var all: [CatalogueItem] {
        categories.values.sorted { $0.id < $1.id }.map { .category($0) }
            + groups.values.sorted { $0.id < $1.id }.map { .group($0) }
            + plugins.values.sorted { $0.id < $1.id }.map { .plugin($0) }
    }
}

extension CatalogueItem {
    var authorship: Authorship {
        get {
            switch self {
            case .category(let category): category.authorship
            case .group(let group): group.authorship
            case .plugin(let plugin): plugin.authorship
            }
        }
        set {
            switch self {
            case .category(var category):
                category.authorship = newValue
                self = .category(category)
            case .group(var group):
                group.authorship = newValue
                self = .group(group)
            case .plugin(var plugin):
                plugin.authorship = newValue
                self = .plugin(plugin)
            }
        }
    }
}

extension Schedule {
    /// The next due instants, at most so many.
    func dues(after now: Instant, count: Int) -> [Instant] {
        var dues: [Instant] = []
        var instant = now
        while dues.count < count, let next = next(after: instant) {
            dues.append(next.due)
            instant = next.due
        }
        return dues
    }
}
