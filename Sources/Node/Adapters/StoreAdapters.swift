import Coordination
import Domain
import Operations
import Storage
import Timetable

/// Storage's façades as the ports of the use cases.
struct JobReadingAdapter: JobReading {
    let store: JobStore
    let statistics: StatisticsStore
    let cache: JobCache

    func job(named name: String) async throws(StoreError) -> Job? {
        try await cache.job(named: name) { () async throws(StoreError) in try await store.job(named: name) }
    }

    func job(_ id: JobID) async throws(StoreError) -> Job? { try await store.job(id) }

    func jobs(after name: String?, limit: Int) async throws(StoreError) -> [Job] {
        try await cache.page(after: name, limit: limit) { () async throws(StoreError) in
            try await store.page(after: name, limit: limit)
        }
    }

    func search(_ search: JobSearch) async throws(StoreError) -> [Job] {
        try await store.search(
            .init(name: search.name ?? "", command: search.command ?? "", any: search.any ?? ""), limit: search.limit,
            offset: search.offset)
    }

    func marks() async throws(StoreError) -> [JobMark] { try await statistics.marks() }

    func definition(_ version: JobVersion) async throws(StoreError) -> JobDefinition? {
        try await store.definition(version)
    }
}

struct PluginReadingAdapter: PluginReading {
    let store: CatalogueStore

    func plugin(_ id: String) async throws(StoreError) -> Plugin? {
        guard case .plugin(let plugin)? = try await store.item(CatalogueKey(.plugin, id)) else { return nil }
        return plugin
    }
}

struct RunReadingAdapter: RunReading {
    let stores: Stores

    func activity() async throws(StoreError) -> [JobID: JobActivity] { try await stores.statistics.activity() }

    func durations(of jobs: [JobID]) async throws(StoreError) -> [JobID: RunDurations] {
        try await stores.statistics.durations(of: jobs)
    }

    func active(of job: JobID) async throws(StoreError) -> [Run] { try await stores.runs.active(of: job) }

    func history(
        of job: JobID, before position: HistoryPosition?, limit: Int
    ) async throws(StoreError) -> [Run] {
        try await stores.runs.history(of: job, before: position, limit: limit)
    }

    func attempts(of runs: [Run]) async throws(StoreError) -> [AttemptRecord] {
        try await stores.runs.attempts(of: runs)
    }

    func run(of job: JobID, dueMilliseconds: Int64) async throws(StoreError) -> Run? {
        try await stores.runs.run(of: job, dueMilliseconds: dueMilliseconds)
    }

    func progress(of runs: [RunID]) async throws(StoreError) -> [AttemptID: Int64] {
        try await stores.progress.counts(of: runs)
    }

    func addProgress(_ count: Int64, to attempt: AttemptID, at now: Instant) async throws(StoreError) {
        try await stores.progress.add(count, to: attempt, at: now)
    }
}

struct KeyAdapter: KeyReading, KeyWriting {
    let store: KeyStore
    let clock: any WallClock
    func key(prefix: String) async throws(StoreError) -> StoredKey? { try await store.find(prefix: prefix) }
    func insert(_ key: StoredKey) async throws(StoreError) { try await store.insert(key, created: clock.now()) }
}

/// The row as it is now, and nobody while the lock is free.
struct LeaderReadingAdapter: LeaderReading {
    let store: LeaderReader
    func leader() async throws(StoreError) -> LeaderRecord? {
        let view = try await store.read()
        return view.isHeld ? view.leader : nil
    }
}

struct ReplayAdapter: ReplayStoring {
    let store: ReplayStore

    func put(_ request: StoredRequest) async throws(StoreError) {
        let result = try await store.put(
            .init(
                method: request.method, target: request.target,
                headers: request.headers.map { .init(name: $0.0, value: $0.1) }, body: request.body),
            tokenHash: request.tokenHash, credentialsHash: request.credentialsHash, now: request.created,
            expires: request.expires)
        switch result {
        case .stored: return
        case .full: throw StoreError(.conflict, "too many redirected writes wait for their clients; repeat the request")
        case .tooLarge: throw StoreError(.data, "the request is too large to be redirected: send it to the leader")
        }
    }

    func take(
        tokenHash: [UInt8], credentialsHash: [UInt8]?, now: Instant
    ) async throws(StoreError) -> StoredRequest? {
        guard let stored = try await store.take(tokenHash: tokenHash, credentialsHash: credentialsHash, now: now) else {
            return nil
        }
        return StoredRequest(
            tokenHash: tokenHash, method: stored.method, target: stored.target,
            headers: stored.headers.map { ($0.name, $0.value) }, body: stored.body,
            credentialsHash: credentialsHash ?? [], created: now, expires: now)
    }
}
