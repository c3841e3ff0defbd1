// Tests of Storage, on a real PostgreSQL.
//
// The suite `ClusterStoreConformance` runs on both stores, PostgreSQL's and the one in memory: whatever the simulation
// relies on is asserted there. The other suites are about what only a database has: migrations, locks, waiting, plans,
// partitions, and the façades.

import Domain
import PostgresClient
import Runtime
import Storage
import TestSupport
import Testing
import Timetable

/// Which store a conformance test runs on.
enum Backend: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case memory, postgres
    var testDescription: String { rawValue }
}

/// A store, and the means to look at what only the façades show.
struct Bench: Sendable {
    let store: any ClusterStore
    let setTerm: @Sendable (Term) async throws -> Void
    let history: @Sendable (JobID) async throws -> [Run]
    let attempts: @Sendable (RunID) async throws -> [AttemptRecord]
    let ledger: @Sendable (JobVersion) async throws -> [LedgerEntry]
    let eras: @Sendable () async throws -> [ScheduleEra]

    func commit(_ term: Term = .first, _ change: (inout Changes) -> Void) async throws {
        var changes = Changes()
        change(&changes)
        try await store.commit(term, changes)
    }

    func job(named name: String) async throws -> Job? {
        try await store.jobs(.first, named: [name]).first
    }

    func run(_ id: RunID) async throws -> Run? {
        try await store.loadOffice(.first).runs.first { $0.id == id }
    }
}

extension Term {
    static let first = Term(timeline: 1, epoch: 1)
    static let second = Term(timeline: 1, epoch: 2)
}

/// Runs the body with an empty store whose term is `Term.first`.
func withStore(_ backend: Backend, _ body: @escaping @Sendable (Bench) async throws -> Void) async throws {
    switch backend {
    case .memory:
        let store = MemoryClusterStore(term: .first)
        try await body(
            Bench(
                store: store, setTerm: { store.currentTerm = $0 },
                history: { job in
                    store.contents.history.filter { $0.job.job == job }
                        .sorted { ($0.finishedAt ?? .distantPast, $0.id) > ($1.finishedAt ?? .distantPast, $1.id) }
                },
                attempts: { run in store.contents.attempts.filter { $0.attempt.run == run } },
                ledger: { job in
                    store.contents.ledger.filter { $0.job == job }.sorted { $0.firstIndex < $1.firstIndex }
                },
                eras: {
                    store.contents.tables.eras.values.sorted {
                        ($0.job.job, $0.job.version) < ($1.job.job, $1.job.version)
                    }
                }
            ))
    case .postgres:
        try await withDatabase { database in
            let stores = Stores(pool: database.pool)
            try await database.setTerm(.first)
            try await body(
                Bench(
                    store: PostgresClusterStore(pool: database.pool), setTerm: { try await database.setTerm($0) },
                    history: { try await stores.runs.history(of: $0, limit: 1_000) },
                    attempts: { try await stores.runs.attempts(of: $0) },
                    ledger: { try await stores.ledger.entries(of: $0, limit: 1_000) },
                    eras: { try await stores.ledger.eras(from: .distantPast, limit: 1_000) }))
        }
    }
}

/// A migrated database of the test's own.
struct TestDatabase: Sendable {
    let url: String
    let loop: EventLoop
    let pool: PostgresPool

    /// What an election would do.
    func setTerm(_ term: Term) async throws {
        _ = try await pool.query(
            Statement(
                "UPDATE carillon.leadership SET timeline = $1, epoch = $2 WHERE id = 1", .int(term.timeline),
                .int(term.epoch)),
            deadline: .seconds(10))
    }

    @discardableResult
    func query(_ sql: String, _ parameters: [PostgresValue] = []) async throws -> [[String?]] {
        let result = try await pool.query(Statement(sql, parameters: parameters), deadline: .seconds(60))
        return result.rows.map { row in (0..<row.columnCount).map { row.string($0) } }
    }

    func count(_ table: String) async throws -> Int {
        Int(try await query("SELECT count(*) FROM carillon.\(table)")[0][0] ?? "") ?? -1
    }
}

func withDatabase(
    migrated: Bool = true, poolSize: Int = 2, _ body: @escaping @Sendable (TestDatabase) async throws -> Void
) async throws {
    let url = try TestPostgres.shared().freshDatabase()
    try await onLoop { loop in
        let pool = PostgresPool(
            PostgresConfiguration(url: url, applicationName: "carillon test"), size: poolSize, loop: loop)
        do {
            if migrated { try await Schema(pool: pool).migrate() }
            try await body(TestDatabase(url: url, loop: loop, pool: pool))
        } catch {
            await pool.close()
            throw error
        }
        await pool.close()
    }
}

/// Expects that the body throws a `StoreError` of that code, and returns its message.
@discardableResult
func expectStoreError(
    _ code: StoreError.Code, _ location: SourceLocation = #_sourceLocation, _ body: () async throws -> Void
) async -> String {
    do {
        try await body()
        Issue.record("nothing was thrown, \(code) was expected", sourceLocation: location)
    } catch let error as StoreError {
        #expect(error.code == code, "\(error)", sourceLocation: location)
        return error.message
    } catch {
        Issue.record("\(error) is no StoreError", sourceLocation: location)
    }
    return ""
}
