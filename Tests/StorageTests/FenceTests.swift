import Domain
import PostgresClient
import Runtime
import Storage
import TestSupport
import Testing

/// The fence between two sessions: what only a real server shows (leadership.md, measurement J1).
@Suite("Fence", .timeLimit(.minutes(2)))
struct FenceTests {
    /// Returns once a session of the database waits for a lock; gives up after as many looks as take some seconds.
    private static func awaitWaiter(_ database: TestDatabase) async throws {
        for _ in 0..<20_000 {
            let waiting = try await database.query(
                "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
            if !waiting.isEmpty { return }
        }
        throw NobodyWaits()
    }

    private struct NobodyWaits: Error {}

    private static func session(_ database: TestDatabase) async throws -> PostgresConnection {
        try await PostgresConnection.connect(PostgresConfiguration(url: database.url), loop: database.loop)
    }

    private static func execute(_ connection: PostgresConnection, _ sql: String) async throws {
        _ = try await connection.query(Statement(sql), deadline: .seconds(20))
    }

    private static let raise = "UPDATE carillon.leadership SET epoch = epoch + 1 WHERE id = 1"

    @Test("a commit waits for an election that is being decided, and is refused when it is")
    func commitWaits() async throws {
        try await withDatabase(poolSize: 3) { database in
            try await database.setTerm(.first)
            let store = PostgresClusterStore(pool: database.pool)
            let election = try await Self.session(database)
            try await Self.execute(election, "BEGIN")
            try await Self.execute(election, Self.raise)
            async let commit: Void = store.commit(.first, putting("e1"))
            try await Self.awaitWaiter(database)
            try await Self.execute(election, "COMMIT")
            do {
                try await commit
                Issue.record("a commit of the old term went through")
            } catch let error as StoreError {
                #expect(error.code == .stale)
            }
            #expect(try await database.count("jobs") == 0)
            await election.close()
        }
    }

    @Test("a commit goes through when the election that it waited for comes to nothing")
    func electionFails() async throws {
        try await withDatabase(poolSize: 3) { database in
            try await database.setTerm(.first)
            let store = PostgresClusterStore(pool: database.pool)
            let election = try await Self.session(database)
            try await Self.execute(election, "BEGIN")
            try await Self.execute(election, Self.raise)
            async let commit: Void = store.commit(.first, putting("e1"))
            try await Self.awaitWaiter(database)
            try await Self.execute(election, "ROLLBACK")
            try await commit
            #expect(try await database.count("jobs") == 1)
            await election.close()
        }
    }

    @Test("an election waits for a transaction that has passed the fence")
    func electionWaits() async throws {
        try await withDatabase(poolSize: 3) { database in
            try await database.setTerm(.first)
            let leader = try await Self.session(database)
            try await Self.execute(leader, "BEGIN")
            try await Self.execute(leader, "SELECT carillon.fence(1, 1)")
            try await Self.execute(leader, "INSERT INTO carillon.edges VALUES ('a', 'b', true)")
            async let election = database.query(Self.raise + " RETURNING (SELECT count(*) FROM carillon.edges)")
            try await Self.awaitWaiter(database)
            try await Self.execute(leader, "COMMIT")
            _ = try await election
            // Written before the new epoch was, so that the new leader finds it.
            #expect(try await database.count("edges") == 1)
            await expectStoreError(.stale) {
                try await PostgresClusterStore(pool: database.pool).commit(.first, Changes())
            }
            await leader.close()
        }
    }

    @Test("commits of one leader do not wait for each other at the fence")
    func shared() async throws {
        try await withDatabase(poolSize: 2) { database in
            try await database.setTerm(.first)
            let other = try await Self.session(database)
            try await Self.execute(other, "BEGIN")
            try await Self.execute(other, "SELECT carillon.fence(1, 1)")
            try await PostgresClusterStore(pool: database.pool).commit(.first, putting("e1"))
            try await Self.execute(other, "ROLLBACK")
            await other.close()
        }
    }

    @Test("two claims of one try meet at the row: one boot gets it", arguments: 0..<5)
    func concurrentClaims(_ round: Int) async throws {
        try await withDatabase(poolSize: 6) { database in
            try await database.setTerm(.first)
            let store = PostgresClusterStore(pool: database.pool)
            let run = Run.scheduled("r1", of: .scheduled("e1"), state: .offered, worker: "w1")
            var changes = Changes()
            changes.newRuns = [run]
            try await store.commit(.first, changes)
            let grants = try await withThrowingTaskGroup(of: Int.self) { group in
                for boot in 0..<6 {
                    group.addTask {
                        let request = ClaimRequest(worker: "w1", boot: "b\(boot)", attempts: [run.attemptID])
                        return try await store.claim(request, now: at(1)).granted.count
                    }
                }
                return try await group.reduce(0, +)
            }
            #expect(grants == 1)
        }
    }

    @Test("a commit that was the victim of a deadlock is sent again")
    func deadlock() async throws {
        try await withDatabase(poolSize: 3) { database in
            try await database.setTerm(.first)
            let store = PostgresClusterStore(pool: database.pool)
            let runs = (1...2).map { Run.scheduled("r\($0)", of: .scheduled("e1"), index: Int64($0)) }
            var changes = Changes()
            changes.newRuns = runs
            try await store.commit(.first, changes)

            let other = try await Self.session(database)
            // The other one never looks for deadlocks, so that the commit is the one that finds it.
            try await Self.execute(other, "SET deadlock_timeout = '60s'")
            try await Self.execute(other, "BEGIN")
            try await Self.execute(other, "UPDATE carillon.runs SET reason = 'x' WHERE id = 'r2'")
            var updates = Changes()
            updates.runs = runs.reversed().map { .from(.queued, to: $0.becoming(.offered)) }
            async let commit: Void = store.commit(.first, updates)
            try await Self.awaitWaiter(database)
            try await Self.execute(other, "UPDATE carillon.runs SET reason = 'x' WHERE id = 'r1'")
            try await Self.execute(other, "COMMIT")
            try await commit
            let states = try await Stores(pool: database.pool).runs.active().map(\.state)
            #expect(states == [.offered, .offered])
            await other.close()
        }
    }

    private func putting(_ job: String) -> Changes {
        var changes = Changes()
        changes.putJobs = [.scheduled(job)]
        return changes
    }
}
