public import Domain
public import Storage
public import Timetable

/// Jobs of some categories and targets, and how many there are.
public struct JobSelection: Hashable, Sendable {
    public var filter: JobFilter
    public var count: Int64

    public init(_ filter: JobFilter, count: Int64) {
        self.filter = filter
        self.count = count
    }
}

/// Use cases on jobs as the Cronicle dialect has them: by identifier, with titles that need not be unique, and with
/// what they refer to. Who may do what to which is decided by the caller, who knows categories and groups; the
/// privilege for the kind of deed is required here again.
///
/// Errors: `DomainError`; `.unavailable` after a write means that its outcome is unknown.
public struct EventOperations: Sendable {
    /// Two titles may give the same name; then the identifier makes it unique.
    private static let nameTries = 3

    private let stores: Stores
    private let office: any LeaderOffice
    private let validator: JobValidator
    private let ownHost: String
    private let clock: any WallClock

    /// Of what there is one only.
    private enum Sole: Hashable { case itself }
    private enum JobCriterion: Hashable {
        case id(String)
        case title(String)
    }
    private let jobCache: VouchedCache<JobCriterion, Job>
    private let countCache: VouchedCache<Sole, Int64>
    private let catalogueCache: VouchedCache<Sole, Catalogue>
    private let itemCache: VouchedCache<CatalogueItem.Kind, [CatalogueItem]>
    private let hostCache: VouchedCache<Sole, [String: String]>
    private let placeCache: VouchedCache<Sole, [JobPlace]>

    /// Jobs that are skipped without a thought.
    private static let skippedGladly = 5_000
    /// Jobs that are kept at most; they take a kilobyte or two each.
    private static let jobsKept = 4_096

    /// - Parameter ownHost: stands for the workers' hosts until there are workers.
    public init(
        stores: Stores, office: any LeaderOffice, zones: any ZoneDatabase, clock: any WallClock, ownHost: String = ""
    ) {
        self.ownHost = ownHost
        self.stores = stores
        self.office = office
        self.clock = clock
        validator = JobValidator(zones: zones)
        jobCache = VouchedCache(office: office, clock: clock, limit: Self.jobsKept)
        countCache = VouchedCache(office: office, clock: clock, limit: 1)
        catalogueCache = VouchedCache(office: office, clock: clock, limit: 1)
        itemCache = VouchedCache(office: office, clock: clock, limit: CatalogueItem.Kind.allCases.count)
        hostCache = VouchedCache(office: office, clock: clock, limit: 1)
        placeCache = VouchedCache(office: office, clock: clock, limit: 1)
    }

    /// For what a dialect makes of what is read here.
    /// - Parameter limit: the sum of the weights of what is kept.
    public func cache<Key: Hashable & Sendable, Value: Sendable>(
        _ key: Key.Type, _ value: Value.Type, limit: Int
    ) -> VouchedCache<Key, Value> {
        VouchedCache(office: office, clock: clock, limit: limit)
    }

    // MARK: Reading

    public func job(_ id: String) async throws(DomainError) -> Job? {
        guard JobID.isPossible(id) else { return nil }
        let ticket = jobCache.ticket()
        if let known = jobCache.value(for: .id(id), ticket) { return known }
        let job: Job?
        do { job = try await stores.jobs.job(JobID(id)) } catch { throw DomainError(error) }
        if let job { jobCache.keep(job, for: .id(id), ticket) }
        return job
    }

    /// The same where that is known without asking the store.
    public func known(_ id: String) -> Job? { jobCache.value(for: .id(id)) }

    public func job(titled title: String) async throws(DomainError) -> Job? {
        guard !title.utf8.contains(0) else { return nil }
        let ticket = jobCache.ticket()
        if let known = jobCache.value(for: .title(title), ticket) { return known }
        let job: Job?
        do { job = try await stores.jobs.titled(title) } catch { throw DomainError(error) }
        if let job { jobCache.keep(job, for: .title(title), ticket) }
        return job
    }

    /// Newest first.
    /// - Parameter selection: nil: of all jobs.
    public func jobs(
        offset: Int = 0, limit: Int? = nil, of selection: JobSelection? = nil
    ) async throws(DomainError) -> [Job] {
        // What is skipped costs time: it is counted from the nearer end.
        var all: Int64 = 0
        if offset > Self.skippedGladly {
            if let selection { all = selection.count } else { all = try await count() }
        }
        let count = Int(clamping: all)
        do {
            guard let limit, offset > count / 2, offset < count else {
                return try await stores.jobs.newest(offset: offset, limit: limit, of: selection?.filter)
            }
            let wanted = min(limit, count - offset)
            return try await stores.jobs.newest(
                beforeOldest: count - offset - wanted, limit: wanted, of: selection?.filter)
        } catch { throw DomainError(error) }
    }

    /// Those that follow a job in the order of `jobs`; nil: the first.
    public func jobs(
        olderThan job: Job?, limit: Int, of selection: JobSelection? = nil
    ) async throws(DomainError) -> [Job] {
        do { return try await stores.jobs.newest(olderThan: job, limit: limit, of: selection?.filter) } catch {
            throw DomainError(error)
        }
    }

    /// All pairs of category and target that jobs have, and how many have them.
    public func places() async throws(DomainError) -> [JobPlace] {
        let ticket = placeCache.ticket()
        if let known = placeCache.value(for: .itself, ticket) { return known }
        let places: [JobPlace]
        do { places = try await stores.jobs.places() } catch { throw DomainError(error) }
        placeCache.keep(places, for: .itself, ticket)
        return places
    }

    public func count() async throws(DomainError) -> Int64 {
        let ticket = countCache.ticket()
        if let known = countCache.value(for: .itself, ticket) { return known }
        let count: Int64
        do { count = try await stores.jobs.count() } catch { throw DomainError(error) }
        countCache.keep(count, for: .itself, ticket)
        return count
    }

    public func catalogue() async throws(DomainError) -> Catalogue {
        let ticket = catalogueCache.ticket()
        if let known = catalogueCache.value(for: .itself, ticket) { return known }
        var catalogue: Catalogue
        do {
            catalogue = try await stores.catalogue.catalogue()
            if let main = catalogue.groups[Self.mainGroup], Self.isUntouched(main) {
                catalogue.groups[Self.mainGroup] = try await naming(main)
            }
        } catch { throw DomainError(error) }
        catalogueCache.keep(catalogue, for: .itself, ticket)
        return catalogue
    }

    /// Cronicle's setup writes the name of its host into this group. A fresh cluster's has whatever workers there are,
    /// and is shown with the names of their hosts until somebody changes it.
    private static let mainGroup = "maingrp"

    private static func isUntouched(_ group: WorkerGroup) -> Bool {
        group.id == mainGroup && group.pattern == ".+" && group.authorship.created == group.authorship.modified
    }

    private func naming(_ group: WorkerGroup) async throws(StoreError) -> WorkerGroup {
        var hosts = Set(try await stores.workers.list().map(\.description.hostName)).sorted()
        if hosts.isEmpty, !ownHost.isEmpty { hosts = [ownHost] }
        var group = group
        let pattern = "^(\(hosts.joined(separator: "|")))$"
        if !hosts.isEmpty, pattern.utf8.count <= Limits.constraintPattern { group.pattern = pattern }
        return group
    }

    /// Members of a kind, the newest first.
    public func items(_ kind: CatalogueItem.Kind) async throws(DomainError) -> [CatalogueItem] {
        let ticket = itemCache.ticket()
        if let known = itemCache.value(for: kind, ticket) { return known }
        var items: [CatalogueItem]
        do {
            items = try await stores.catalogue.items(kind)
            for index in items.indices {
                if case .group(let group) = items[index], Self.isUntouched(group) {
                    items[index] = .group(try await naming(group))
                }
            }
        } catch { throw DomainError(error) }
        itemCache.keep(items, for: kind, ticket)
        return items
    }

    /// Names of hosts by names of workers.
    public func hosts() async throws(DomainError) -> [String: String] {
        let ticket = hostCache.ticket()
        if let known = hostCache.value(for: .itself, ticket) { return known }
        let hosts: [String: String]
        do {
            hosts = Dictionary(
                try await stores.workers.list().map { ($0.description.name, $0.description.hostName) },
                uniquingKeysWith: { first, _ in first })
        } catch { throw DomainError(error) }
        hostCache.keep(hosts, for: .itself, ticket)
        return hosts
    }

    public func workers() async throws(DomainError) -> [Worker] {
        do { return try await stores.workers.list() } catch { throw DomainError(error) }
    }

    public func nodes() async throws(DomainError) -> [NodeStore.Entry] {
        do { return try await stores.nodes.list() } catch { throw DomainError(error) }
    }

    // MARK: Jobs

    /// - Parameters:
    ///   - definition: its name is what the job is to be called where that is free.
    ///   - id: nil: one is made.
    /// - Throws: `.conflict` when the identifier is in use.
    public func create(
        _ principal: Principal, _ definition: JobDefinition, isEnabled: Bool, id: String?
    ) async throws(DomainError) -> Job {
        try principal.require(.createEvents)
        var definition = definition
        var options = PutOptions()
        if let id {
            guard JobID.isPossible(id) else { throw .invalid("'\(id)' cannot identify an event") }
            if try await job(id) != nil { throw DomainError(.conflict, "an event with the id '\(id)' exists already") }
            options.id = JobID(id)
        }
        definition.name = Self.name(for: definition.displayTitle)
        for attempt in 0..<Self.nameTries {
            if attempt > 0 { definition.name = try Self.unique(definition.displayTitle) }
            // Only a look: should somebody take the name meanwhile, the leader refuses, and another one is tried.
            do { if try await stores.jobs.job(named: definition.name) != nil { continue } } catch {
                throw DomainError(error)
            }
            try validator.validate(definition)
            do {
                return try await put(definition, isEnabled: isEnabled, mode: .createOnly, options: options)
            } catch {
                guard error.code == .conflict, attempt + 1 < Self.nameTries else { throw error }
                if let id, try await job(id) != nil { throw error }
            }
        }
        throw DomainError(.conflict, "no free name was found for '\(definition.displayTitle)': choose another title")
    }

    /// Replaces the definition of the job; its counters go on.
    public func update(
        _ principal: Principal, _ job: Job, _ definition: JobDefinition, isEnabled: Bool, options: PutOptions
    ) async throws(DomainError) -> Job {
        try principal.require(.editEvents)
        try validator.validate(definition)
        var options = options
        options.id = job.id
        options.keepsCounters = true
        let stored = try await put(definition, isEnabled: isEnabled, mode: .updateOnly, options: options)
        // What waited in a queue that there is no longer has nothing to wait for.
        if job.definition.overlap == .queue, definition.overlap != .queue {
            _ = try await office.submit(.flushQueue(.id(job.id)))
        }
        return stored
    }

    private func put(
        _ definition: JobDefinition, isEnabled: Bool, mode: PutMode, options: PutOptions
    ) async throws(DomainError) -> Job {
        guard
            case .job(let job) = try await office.submit(
                .putJob(definition, isEnabled: isEnabled, counters: nil, mode: mode, options: options))
        else { throw .unavailable("the leader gave an answer that does not belong to the question") }
        return job
    }

    /// - Throws: `.conflict` while it has runs that have not ended.
    public func delete(_ principal: Principal, _ job: Job) async throws(DomainError) -> JobDeletion {
        try principal.require(.deleteEvents)
        return try await office.submit(.deleteJob(.id(job.id), onlyIfIdle: true)).deletion()
    }

    public func run(
        _ principal: Principal, _ job: Job, _ request: RunRequest
    ) async throws(DomainError) -> LaunchReport {
        try principal.require(.runEvents)
        if let definition = request.context?.definition { try validator.validate(definition) }
        guard case .launched(let report) = try await office.submit(.runJob(.id(job.id), request)) else {
            throw .unavailable("the leader gave an answer that does not belong to the question")
        }
        return report
    }

    public func flushQueue(_ principal: Principal, _ job: Job) async throws(DomainError) -> Int {
        try principal.require(.abortEvents)
        guard case .runs(let runs) = try await office.submit(.flushQueue(.id(job.id))) else { return 0 }
        return runs.count
    }

    // MARK: Catalogue and cluster

    public func putCatalogue(
        _ principal: Principal, _ item: CatalogueItem, mode: PutMode
    ) async throws(DomainError) {
        try principal.require(.admin)
        _ = try await office.submit(.putCatalogue(item, mode: mode))
    }

    /// - Throws: `.conflict` while a job refers to it.
    public func deleteCatalogue(
        _ principal: Principal, _ kind: CatalogueItem.Kind, id: String
    ) async throws(DomainError) {
        try principal.require(.admin)
        _ = try await office.submit(.deleteCatalogue(kind, id: id))
    }

    public func setScheduling(_ principal: Principal, isEnabled: Bool) async throws(DomainError) {
        try principal.require(.stateUpdate)
        _ = try await office.submit(.setScheduling(isEnabled: isEnabled))
    }

    public func drain(_ principal: Principal, worker: String, _ isDrained: Bool) async throws(DomainError) {
        try principal.require(.admin)
        _ = try await office.submit(.drainWorker(name: worker, isDrained: isDrained))
    }

    /// Strikes a node from the list that has not been seen for a while. It comes back as soon as it runs again.
    /// - Returns: false where it has been seen lately, or is not in the list.
    public func forget(_ principal: Principal, node: String) async throws(DomainError) -> Bool {
        try principal.require(.admin)
        let silent = clock.now().advanced(by: .zero - Self.silence)
        do { return try await stores.nodes.delete(node, unseenSince: silent) } catch { throw DomainError(error) }
    }

    /// A node that has not been seen for so long does not run.
    public static let silence = Duration.seconds(20)

    /// What a dialect keeps for the cluster as a whole.
    public func setting(_ name: String) async throws(DomainError) -> String? {
        do { return try await stores.accounts.setting(name) } catch { throw DomainError(error) }
    }

    public func set(_ name: String, to value: String) async throws(DomainError) {
        do { try await stores.accounts.set(name, to: value) } catch { throw DomainError(error) }
    }

    // MARK: Names

    /// The title with what no name may have replaced.
    static func name(for title: String) -> String {
        var name = ""
        for character in title.unicodeScalars.prefix(Limits.jobName) {
            let isAllowed =
                character.isASCII
                && (character.properties.isAlphabetic || character.properties.numericType != nil
                    || " .#_-".unicodeScalars.contains(character))
            name.unicodeScalars.append(isAllowed ? character : "_")
        }
        let trimmed = name.trimmed
        return trimmed.isEmpty ? "event" : trimmed
    }

    private static func unique(_ title: String) throws(DomainError) -> String {
        let suffix: String
        do { suffix = try APIKey.randomSuffix() } catch { throw .unavailable("no name can be made: \(error)") }
        return "\(String(name(for: title).prefix(Limits.jobName - suffix.utf8.count - 1)).trimmed)-\(suffix)"
    }
}

extension String {
    fileprivate var trimmed: String {
        var text = self[...]
        while text.first == " " { text.removeFirst() }
        while text.last == " " { text.removeLast() }
        return String(text)
    }
}
