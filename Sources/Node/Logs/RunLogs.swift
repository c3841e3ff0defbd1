import Domain
import HTTP
import Operations
import Runtime
import Storage
import Synchronization
import WorkerProtocol

/// Reads logs of runs for this node's clients: from the database what has ended, from the worker what runs (or has
/// ended and is not stored yet). A log is stored before its worker deletes it, so it is always found in one of the two.
final class RunLogs: RunLogReading {
    let runs: RunStore
    let logs: LogStore
    let workers: WorkerStore
    let relay: WorkerLogRelay
    let timekeeper: any Timekeeper
    private let readers = Mutex(Readers())

    private struct Readers {
        var once = 0
        var following = 0
        var isClosed = false
    }

    /// Readers at once: of logs as they are, each of which costs the database, and of logs that are followed.
    static let onceLimit = 64
    static let followingLimit = 512

    init(stores: Stores, relay: WorkerLogRelay, timekeeper: any Timekeeper) {
        runs = stores.runs
        logs = stores.logs
        workers = stores.workers
        self.relay = relay
        self.timekeeper = timekeeper
    }

    /// Ends all reading: who follows a log goes on at another node.
    func close() {
        readers.withLock { $0.isClosed = true }
        relay.close()
    }

    var isClosed: Bool { readers.withLock { $0.isClosed } }

    func status(of id: RunID) async throws(DomainError) -> RunLogStatus? {
        do {
            guard let run = try await runs.run(id) else { return nil }
            let entries = try await logs.list(id)
            return RunLogStatus(
                run: run,
                isComplete: run.state.isTerminal
                    && (run.startedAt == nil || entries.contains { $0.attempt.number == run.attempt }),
                stored: entries.map(\.attempt.number), bytes: entries.reduce(0) { $0 + $1.extent.size })
        } catch {
            throw DomainError(store: error)
        }
    }

    func read(
        _ query: RunLogQuery, to write: @escaping @Sendable (RunLogChunk) async throws -> Void
    ) async throws {
        try enter(follows: query.follows)
        defer { leave(follows: query.follows) }
        var reading = RunLogPass(logs: self, query: query, write: write)
        do { try await reading.run() } catch let error as StoreError { throw DomainError(store: error) }
    }

    private func enter(follows: Bool) throws(DomainError) {
        let refusal = readers.withLock { readers -> DomainError? in
            if readers.isClosed { return .unavailable("this node is stopping; ask another one") }
            if follows {
                guard readers.following < Self.followingLimit else {
                    return DomainError(.tooMany, "this node sends \(Self.followingLimit) logs as they grow already")
                }
                readers.following += 1
            } else {
                guard readers.once < Self.onceLimit else {
                    return DomainError(.tooMany, "this node sends \(Self.onceLimit) logs already; repeat the request")
                }
                readers.once += 1
            }
            return nil
        }
        if let refusal { throw refusal }
    }

    private func leave(follows: Bool) {
        readers.withLock { readers in
            if follows { readers.following -= 1 } else { readers.once -= 1 }
        }
    }
}
