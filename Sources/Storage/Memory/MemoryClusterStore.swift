public import Domain
import Synchronization
public import Timetable

/// The twin of `PostgresClusterStore` for simulations: the same answers and the same refusals, without a database.
///
/// Each call is atomic and takes no time; whoever simulates delays, losses and crashes wraps it. The epoch is set from
/// outside, as an election would. What is written can be looked at through `contents`.
public final class MemoryClusterStore: ClusterStore {
    private let state: Mutex<MemoryContents>

    public init(term: Term = .none) {
        state = Mutex(MemoryContents(term: term))
    }

    /// The term that the fence lets pass. Setting it is what taking office does.
    public var currentTerm: Term {
        get { state.withLock { $0.term } }
        set { state.withLock { $0.term = newValue } }
    }

    /// A copy of all that is stored.
    public var contents: MemoryContents { state.withLock { $0 } }

    public func loadOffice(_ term: Term) async throws(StoreError) -> OfficeSnapshot {
        try read(term) { $0.tables.snapshot() }
    }

    public func agenda(_ term: Term, before: Instant, limit: Int) async throws(StoreError) -> [Job] {
        try read(term) { Array($0.tables.agenda(before: before).prefix(max(0, limit))) }
    }

    public func jobs(_ term: Term, _ wanted: JobsWanted) async throws(StoreError) -> [Job] {
        try read(term) { $0.tables.jobs(wanted) }
    }

    public func commit(_ term: Term, _ changes: Changes) async throws(StoreError) {
        try state.withLock { contents throws(StoreError) in
            try contents.fence(term)
            try contents.commit(changes)
        }
    }

    public func claim(_ request: ClaimRequest, now: Instant) async throws(StoreError) -> ClaimReply {
        state.withLock { $0.tables.claim(request, now: now) }
    }

    private func read<Value: Sendable>(
        _ term: Term, _ body: (MemoryContents) -> Value
    ) throws(StoreError) -> Value {
        try state.withLock { contents throws(StoreError) in
            try contents.fence(term)
            return body(contents)
        }
    }
}
