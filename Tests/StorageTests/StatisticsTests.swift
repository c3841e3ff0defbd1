import Domain
import PostgresClient
import Testing
import Timetable

@testable import Storage

@Suite("Statistics and progress", .timeLimit(.minutes(2)))
struct StatisticsTests {
    /// Runs of job `e<job>` that ended one after another, each with its duration in milliseconds; nil: never started.
    private static func insert(
        _ database: TestDatabase, job: Int, state: String = "succeeded", firstAt: Int = 0, milliseconds: [Int?]
    ) async throws {
        for (index, duration) in milliseconds.enumerated() {
            let end = "to_timestamp(1795262400 + \(firstAt + index))"
            let start = duration.map { "\(end) - \($0) * interval '1 millisecond'" } ?? "NULL"
            try await database.query(
                """
                INSERT INTO carillon.run_history
                VALUES ('h\(job)-\(state)-\(firstAt)-\(index)', 'e\(job)', 1, 'job', 'm:\(index)', 0, now(), '', false,
                        false, false, '\(state)', 0, NULL, NULL, 'w', NULL, NULL, \(start), \(end), '')
                """)
        }
    }

    @Test("durations are those of a job's successful runs, interpolated, and other jobs and failures do not matter")
    func durations() async throws {
        try await withDatabase { database in
            let stores = Stores(pool: database.pool)
            try await stores.upkeep.maintain(now: at(0), retention: .days(7))
            try await Self.insert(database, job: 1, milliseconds: [1_000, 2_000, 3_000, 4_000, nil])
            try await Self.insert(database, job: 1, state: "failed", milliseconds: [90_000])
            try await Self.insert(database, job: 2, state: "failed", milliseconds: [90_000])
            // A client's clock that is behind reports an end before the start.
            try await Self.insert(database, job: 3, firstAt: 90_000, milliseconds: [-500])
            let found = try await stores.statistics.durations(of: ["e1", "e2", "e3", "none"].map { JobID($0) })
            #expect(Set(found.keys) == [JobID("e1"), JobID("e3")])
            let one = try #require(found[JobID("e1")])
            #expect(one.count == 4)
            #expect(one.mean == 2_500 && one.minimum == 1_000 && one.maximum == 4_000)
            #expect(one.quantile(0.5) == 2_500)
            #expect(one.quantile(0.75) == 3_250)
            #expect(abs(one.deviation - 1_118.03) < 0.01)
            #expect(found[JobID("e3")]?.mean == 0)
            let nothing = try await stores.statistics.durations(of: [])
            #expect(nothing.isEmpty)
        }
    }

    @Test("only as many of the last runs count as Chronos' reservoir holds")
    func sample() async throws {
        try await withDatabase { database in
            try await database.query(
                """
                INSERT INTO carillon.run_history
                SELECT 'h' || i, 'e1', 1, 'job', 'm:' || i, 0, now(), '', false, false, false, 'succeeded', 0, NULL,
                       NULL, 'w', NULL, NULL, to_timestamp(1795262400 + i - CASE WHEN i > 472 THEN 1 ELSE 1000 END),
                       to_timestamp(1795262400 + i), ''
                  FROM generate_series(1, 1500) i
                """)
            let found = try await Stores(pool: database.pool).statistics.durations(of: [JobID("e1")])
            #expect(found[JobID("e1")]?.count == 1_028)
            #expect(found[JobID("e1")]?.maximum == 1_000)
        }
    }

    @Test("activity tells what runs and what waits of each job that has either")
    func activity() async throws {
        try await withDatabase { database in
            for (index, (job, state, isHigh)) in [
                ("e1", "started", false), ("e1", "queued", true), ("e1", "waiting", false), ("e2", "offered", false),
            ].enumerated() {
                try await database.query(
                    """
                    INSERT INTO carillon.runs
                    VALUES ('r\(index)', '\(job)', 1, 'job', 'm:\(index)', 0, now(), '', \(isHigh), false, false,
                            '\(state)', 0, NULL, NULL, '', NULL, NULL, NULL, NULL, '')
                    """)
            }
            let activity = try await Stores(pool: database.pool).statistics.activity()
            #expect(activity[JobID("e1")] == JobActivity(started: 1, waiting: 2, urgent: 1))
            #expect(activity[JobID("e2")] == JobActivity(started: 0, waiting: 1, urgent: 0))
            #expect(activity.count == 2)
        }
    }

    @Test("marks are the jobs' counters by name, without their definitions")
    func marks() async throws {
        try await withDatabase { database in
            try await database.query(
                """
                INSERT INTO carillon.jobs
                SELECT 'e' || i, 'job-' || (9 - i), i, '{}', true, '', 'manual', NULL, NULL, NULL, i, 0, 0,
                       to_timestamp(1795262400), NULL, now(), now()
                  FROM generate_series(1, 3) i
                """)
            let marks = try await Stores(pool: database.pool).statistics.marks()
            #expect(marks.map(\.name) == ["job-6", "job-7", "job-8"])
            #expect(marks.map(\.version) == [3, 2, 1])
            #expect(marks[0].counters.successes == 3)
            #expect(marks[0].counters.lastSuccess == at(0))
        }
    }

    @Test("a run is found by the millisecond it was due at, and its tries with it")
    func byTask() async throws {
        try await withDatabase { database in
            let stores = Stores(pool: database.pool)
            try await stores.upkeep.maintain(now: at(0), retention: .days(7))
            for (id, table, due) in [("a", "runs", 0.0), ("b", "run_history", 5.25)] {
                try await database.query(
                    """
                    INSERT INTO carillon.\(table)
                    VALUES ('\(id)', 'e1', 1, 'job', 'm:\(id)', 0, to_timestamp(1795262400 + \(due)), '', false, false,
                            false, '\(id == "a" ? "queued" : "failed")', 1, NULL, NULL, '', NULL, NULL, NULL,
                            to_timestamp(1795262400 + 60), '')
                    """)
            }
            for number in [1, 0] {
                try await database.query(
                    """
                    INSERT INTO carillon.attempts
                    VALUES ('b', \(number), 'w', NULL, to_timestamp(1795262400 + 60), 'failed', 3, NULL, '', '')
                    """)
            }
            let start = at(0).milliseconds
            let job = JobID("e1")
            let active = try await stores.runs.run(of: job, dueMilliseconds: start)
            #expect(active?.id == RunID("a"))
            let ended = try #require(try await stores.runs.run(of: job, dueMilliseconds: start + 5_250))
            #expect(ended.id == RunID("b"))
            for (other, due) in [(job, start + 1), (JobID("e2"), start), (job, .max), (job, .min)] {
                let none = try await stores.runs.run(of: other, dueMilliseconds: due)
                #expect(none == nil)
            }
            let tries = try await stores.runs.attempts(of: [ended])
            #expect(tries.map(\.attempt.number) == [0, 1])
            let nothing = try await stores.runs.attempts(of: [Run]())
            #expect(nothing.isEmpty)
        }
    }

    @Test("progress adds up for each try, stays within 64 bits, and goes with history")
    func progress() async throws {
        try await withDatabase { database in
            let stores = Stores(pool: database.pool)
            let first = AttemptID(run: RunID("a"), number: 0)
            let second = AttemptID(run: RunID("a"), number: 1)
            try await stores.progress.add(5, to: first, at: at(0))
            try await stores.progress.add(7, to: first, at: at(1))
            try await stores.progress.add(.max, to: second, at: at(1))
            try await stores.progress.add(.max, to: second, at: at(2))
            let counted = try await stores.progress.counts(of: [RunID("a"), RunID("b")])
            #expect(counted == [first: 12, second: .max])
            try await stores.upkeep.maintain(now: at(3 * 86_400), retention: .days(1))
            let left = try await stores.progress.counts(of: [RunID("a")])
            #expect(left.isEmpty)
        }
    }
}
