import Domain
import PostgresClient
import Storage
import TestSupport
import Testing
import Timetable

@Suite("Upkeep", .timeLimit(.minutes(2)))
struct UpkeepTests {
    private static let day: Int64 = 86_400
    private static let week = Retention.days(7)

    private static func partitions(_ database: TestDatabase, of table: String) async throws -> [String] {
        try await database.query(
            """
            SELECT c.relname FROM pg_inherits h JOIN pg_class c ON c.oid = h.inhrelid
             WHERE h.inhparent = 'carillon.\(table)'::regclass ORDER BY 1
            """
        ).compactMap { $0[0] }
    }

    private static func history(_ database: TestDatabase, _ days: [Int64]) async throws {
        try await database.setTerm(.first)
        var changes = Changes()
        let job = Job.scheduled("e1")
        for day in days {
            let run = Run.scheduled("r\(day + 100)", of: job, index: day)
            changes.finishedRuns.append(.from(to: run.finished(.succeeded, at: at(day * Self.day))))
            changes.attempts.append(.failed("r\(day + 100)", 0, at: at(day * Self.day)))
            var entry = LedgerEntry.launched(job, index: day, run: run)
            entry.recorded = at(day * Self.day)
            changes.ledger.append(entry)
        }
        try await PostgresClusterStore(pool: database.pool).commit(.first, changes)
    }

    @Test("today's partition and those of the next seven days are made, once")
    func ahead() async throws {
        try await withDatabase { database in
            let upkeep = Stores(pool: database.pool).upkeep
            #expect(try await upkeep.maintain(now: at(0), retention: Self.week) == 32)
            #expect(try await upkeep.maintain(now: at(60), retention: Self.week) == 0)
            for table in ["run_history", "attempts", "ledger"] {
                let names = try await Self.partitions(database, of: table)
                #expect(names.count == 9)
                #expect(names.contains("\(table)_p20261121") && names.contains("\(table)_p20261128"))
            }
            #expect(try await upkeep.maintain(now: at(Self.day), retention: Self.week) == 4)
        }
    }

    @Test("what was written before its partition existed is moved there, and nothing is lost")
    func moved() async throws {
        try await withDatabase { database in
            try await Self.history(database, [0, 1, 30])
            try await Stores(pool: database.pool).upkeep.maintain(now: at(0), retention: Self.week)
            for table in ["run_history", "attempts", "ledger"] {
                #expect(try await database.count("\(table)_p20261121") == 1)
                #expect(try await database.count("\(table)_p20261122") == 1)
                #expect(try await database.count("\(table)_default") == 1)
                #expect(try await database.count(table) == 3)
            }
        }
    }

    @Test("what is older than the retention is dropped, with the day it ends on kept whole")
    func retention() async throws {
        try await withDatabase { database in
            let upkeep = Stores(pool: database.pool).upkeep
            try await upkeep.maintain(now: at(0), retention: Self.week)
            try await Self.history(database, [-30, 0, 1, 2])
            try await upkeep.maintain(now: at(8 * Self.day), retention: Self.week)
            for table in ["run_history", "attempts", "ledger"] {
                #expect(try await database.count(table) == 2, "the days 1 and 2 of \(table)")
                #expect(try await !Self.partitions(database, of: table).contains("\(table)_p20261121"))
            }
        }
    }

    @Test("history, logs and ledger have ages of their own")
    func ages() async throws {
        try await withDatabase { database in
            let upkeep = Stores(pool: database.pool).upkeep
            let retention = Retention(
                history: .seconds(4 * Self.day), logs: .seconds(2 * Self.day), ledger: .seconds(6 * Self.day))
            try await upkeep.maintain(now: at(0), retention: retention)
            try await upkeep.maintain(now: at(7 * Self.day), retention: retention)
            for (table, oldest) in [("run_history", 24), ("attempts", 24), ("run_logs", 26), ("ledger", 22)] {
                let names = try await Self.partitions(database, of: table)
                #expect(names.filter { $0.hasSuffix("_default") == false }.first == "\(table)_p202611\(oldest)")
            }
        }
    }

    @Test("definitions that nothing refers to are dropped, those of active runs stay")
    func definitions() async throws {
        try await withDatabase { database in
            try await database.setTerm(.first)
            let store = PostgresClusterStore(pool: database.pool)
            let jobs = (1...3).map { Job.scheduled("e1", version: Int64($0)) }
            for job in jobs {
                var changes = Changes()
                changes.putJobs = [job]
                if job.version == 2 { changes.newRuns = [.scheduled("r1", of: job)] }
                try await store.commit(.first, changes)
            }
            try await database.query(
                "UPDATE carillon.job_versions SET superseded = $1 WHERE superseded IS NOT NULL",
                [.timestamp(microseconds: at(0).microseconds)])
            let stores = Stores(pool: database.pool)
            try await stores.upkeep.maintain(now: at(8 * Self.day), retention: Self.week)
            #expect(try await stores.jobs.definition(jobs[0].reference) == nil)
            #expect(try await stores.jobs.definition(jobs[1].reference) == jobs[1].definition)
            #expect(try await stores.jobs.definition(jobs[2].reference) == jobs[2].definition)
        }
    }

    @Test("eras that closed before the retention and nodes that are long gone are dropped")
    func rest() async throws {
        try await withDatabase { database in
            try await database.setTerm(.first)
            let stores = Stores(pool: database.pool)
            let job = Job.scheduled("e1")
            guard case .schedule(let text) = job.definition.trigger else { return }
            var changes = Changes()
            changes.newEras = [at(0), at(2 * Self.day), nil].enumerated().map { version, closed in
                ScheduleEra(
                    job: JobVersion(job: job.id, version: Int64(version)), jobName: "j", schedule: text, firstIndex: 0,
                    closed: closed)
            }
            try await PostgresClusterStore(pool: database.pool).commit(.first, changes)
            let node = NodeDescription(name: "n", url: "u", boot: "b", version: "1")
            try await stores.nodes.put(node, seen: at(0), reachesWorkers: true)
            try await stores.upkeep.maintain(now: at(8 * Self.day), retention: Self.week)
            #expect(try await stores.ledger.eras(from: .distantPast, limit: 9).map(\.job.version) == [1, 2])
            #expect(try await stores.nodes.list().isEmpty)
        }
    }

    @Test("two nodes may keep house at the same time")
    func concurrently() async throws {
        try await withDatabase(poolSize: 4) { database in
            let upkeep = Stores(pool: database.pool).upkeep
            let made = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<4 { group.addTask { try await upkeep.maintain(now: at(0), retention: Self.week) } }
                return try await group.reduce(0, +)
            }
            #expect(made == 32)
        }
    }
}
