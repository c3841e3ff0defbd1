import Domain
import PostgresClient
import TestSupport
import Testing
import Timetable

@testable import Storage

/// The cost of a turn depends on what is due, never on how many jobs exist or how much history is kept: no statement of
/// the hot path reads a table from end to end.
@Suite("Plans", .timeLimit(.minutes(3)))
struct PlanTests {
    /// Plans of the statement: for these values, and for any values, which is what a prepared statement ends up with.
    private static func plans(_ database: TestDatabase, _ statement: Statement) async throws -> [String] {
        let connection = try await PostgresConnection.connect(
            PostgresConfiguration(
                url: database.url, serverSettings: [(name: "plan_cache_mode", value: "force_generic_plan")]),
            loop: database.loop)
        let nulls =
            statement.parameters.isEmpty ? "" : "(\(statement.parameters.map { _ in "NULL" }.joined(separator: ",")))"
        _ = try await connection.query(Statement("PREPARE hot AS " + statement.sql), deadline: .seconds(10))
        let results = [
            try await connection.query(Statement("EXPLAIN EXECUTE hot" + nulls), deadline: .seconds(10)),
            try await database.pool.query(
                Statement("EXPLAIN " + statement.sql, parameters: statement.parameters), deadline: .seconds(10)),
        ]
        await connection.close()
        return results.map { result in result.rows.compactMap { $0.string(0) }.joined(separator: "\n") }
    }

    private static func fill(_ database: TestDatabase) async throws {
        try await Stores(pool: database.pool).upkeep.maintain(now: at(0), retention: .days(7))
        try await database.query(
            """
            INSERT INTO carillon.jobs
            SELECT 'e' || i, 'job-' || i, 1, '{"command": "true"}', true, '', 'cron', NULL, i,
                   to_timestamp(1795262400 + i), 0, 0, 0, NULL, NULL, now(), now()
              FROM generate_series(1, 20000) i
            """)
        try await database.query(
            """
            INSERT INTO carillon.runs
            SELECT 'r' || i, 'e' || i, 1, 'job-' || i, 's:1:' || i, 0, now(), '', false, false, false, 'offered', 0,
                   NULL, NULL, 'w', NULL, NULL, NULL, NULL, ''
              FROM generate_series(1, 20000) i
            """)
        try await database.query(
            """
            INSERT INTO carillon.run_history
            SELECT 'h' || i, 'e' || i % 50, 1, 'job', 's:1:' || i, 0, now(), '', false, false, false, 'succeeded', 0,
                   NULL, NULL, 'w', NULL, NULL, to_timestamp(1795262400 + i * 20 - i % 7),
                   to_timestamp(1795262400 + i * 20), ''
              FROM generate_series(1, 20000) i
            """)
        try await database.query(
            """
            INSERT INTO carillon.ledger
            SELECT 'e' || i % 50, 1, 'job', i, i, now(), now(), 1, 'launched', '', 'r' || i,
                   to_timestamp(1795262400 + i * 20)
              FROM generate_series(1, 20000) i
            """)
        try await database.query(
            """
            INSERT INTO carillon.attempts
            SELECT 'h' || i, 0, 'w', NULL, to_timestamp(1795262400 + i * 20), 'succeeded', 0, NULL, '', ''
              FROM generate_series(1, 20000) i
            """)
        try await database.query("ANALYZE")
    }

    @Test("with 20,000 jobs and runs, no hot statement reads a whole table")
    func indexes() async throws {
        try await withDatabase { database in
            try await Self.fill(database)
            let job = Job.scheduled("e7")
            let run = Run.scheduled("r7", of: job, state: .offered, worker: "w")
            let attempts = (1...20).map { "r\($0 * 31)" }
            let statements = [
                Statement(
                    PostgresClusterStore.dueJobs, .timestamp(microseconds: at(50).microseconds), .int(1_000)),
                Statement(PostgresClusterStore.wantedJobs, .textArray(["job-1", "job-2"]), .textArray(["e7"])),
                Statement(
                    PostgresClusterStore.claimRuns, .textArray(attempts), .intArray(attempts.map { _ in 0 }),
                    .text("w"), .text("b"), .timestamp(microseconds: at(0).microseconds)),
                RunSQL.update([.from(.offered, to: run)]),
                RunSQL.finish([.from(.offered, to: run.finished(.failed, at: at(9)))]),
                RunSQL.revise([(run: run.id, verdict: .missed, reason: "")]),
                JobSQL.advance([Advance(job: job.reference, decidedThrough: 1, next: nil)]),
                JobSQL.add([TallySum(job: job.id)]),
                JobSQL.disable([(job: job.reference, reason: "")]),
                Statement(RunStore.activeOfJob, .text("e7")),
                Statement(
                    RunStore.historyOfJob, .text("e7"), .timestamp(microseconds: .max), .text("~"), .int(20)),
                Statement(
                    RunStore.attemptsOfTheseRuns, .textArray(["h5", "h6"]), .timestamp(microseconds: at(0).microseconds)
                ),
                Statement(
                    RunStore.runDueAt, .text("e7"), .timestamp(microseconds: at(0).microseconds),
                    .timestamp(microseconds: at(1).microseconds), .timestamp(microseconds: at(0).microseconds)),
                Statement(StatisticsStore.durations, .textArray(["e7"]), .int(1_028), .doubleArray([0.5])),
                Statement(LedgerStore.entries, .text("e7"), .int(1), .int(5_000), .int(6_000), .int(100)),
                Statement(PostgresClusterStore.user(of: .category), .text("unused")),
                Statement(PostgresClusterStore.user(of: .plugin), .text("unused")),
                Statement(PostgresClusterStore.user(of: .group), .text("unused")),
                Statement(JobStore.newestOfSome, .int(50), .int(0), .textArray(["general"]), .null),
                Statement(JobStore.oldestOfSome, .int(50), .int(0), .null, .textArray(["allgrp"])),
            ]
            for statement in statements {
                for plan in try await Self.plans(database, statement) {
                    let scans = plan.split(separator: "\n").filter { $0.contains("Seq Scan on") }
                    // Reading nothing is the cheapest plan for the partitions that are empty.
                    let whole = scans.filter { scan in
                        !["_default", "_p20261127", "_p20261128"].contains { scan.contains($0) }
                    }
                    #expect(whole.isEmpty, "\(statement.sql)\n\(plan)")
                }
            }
        }
    }
}
