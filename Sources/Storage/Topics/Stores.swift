public import Domain
public import PostgresClient

/// The façades by topic, over one pool. They need no term: what they write is decided by no leader.
///
/// Each call is one statement with a deadline. Errors are `StoreError`s: `.connection` when the database did not answer
/// (whether a write took effect is unknown), `.data` for a value that it refuses or that this release cannot read.
/// Cancelling a call does not recall what has been sent.
public struct Stores: Sendable {
    public let jobs: JobStore
    public let catalogue: CatalogueStore
    public let runs: RunStore
    public let logs: LogStore
    public let keys: KeyStore
    public let replays: ReplayStore
    public let nodes: NodeStore
    public let workers: WorkerStore
    public let leader: LeaderReader
    public let ledger: LedgerStore
    public let accounts: AccountStore
    public let activity: ActivityStore
    public let statistics: StatisticsStore
    public let progress: ProgressStore
    public let upkeep: Upkeep
    public let outbox: OutboxStore
    public let examination: ExaminationStore
    private let access: Access

    public init(pool: PostgresPool) {
        let access = Access(pool)
        self.access = access
        jobs = JobStore(access: access)
        catalogue = CatalogueStore(access: access)
        runs = RunStore(access: access)
        logs = LogStore(access: access)
        keys = KeyStore(access: access)
        replays = ReplayStore(access: access)
        nodes = NodeStore(access: access)
        workers = WorkerStore(access: access)
        leader = LeaderReader(access: access)
        ledger = LedgerStore(access: access)
        accounts = AccountStore(access: access)
        activity = ActivityStore(access: access)
        statistics = StatisticsStore(access: access)
        progress = ProgressStore(access: access)
        upkeep = Upkeep(access: access)
        outbox = OutboxStore(access: access)
        examination = ExaminationStore(access: access)
    }

    /// One round trip, for health checks.
    public func ping(deadline: Duration = .seconds(1)) async throws(StoreError) {
        _ = try await access.query(Statement("SELECT 1"), deadline: deadline)
    }

    /// For what a person waits for.
    static let deadline: Duration = .seconds(5)
    /// For answers that may be long.
    static let longDeadline: Duration = .seconds(15)

    /// A page size within the store's bounds.
    static func page(_ limit: Int) -> PostgresValue { .int(Int64(min(max(0, limit), StorageLimits.page))) }
}
