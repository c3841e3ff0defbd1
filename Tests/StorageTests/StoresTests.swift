import Domain
import PostgresClient
import Storage
import TestSupport
import Testing
import Timetable

@Suite("Stores", .timeLimit(.minutes(3)))
struct StoresTests {
    private static func commit(_ database: TestDatabase, _ change: (inout Changes) -> Void) async throws {
        try await database.setTerm(.first)
        var changes = Changes()
        change(&changes)
        try await PostgresClusterStore(pool: database.pool).commit(.first, changes)
    }

    // MARK: Jobs

    @Test("jobs are listed by name and found by name and identity")
    func jobs() async throws {
        try await withDatabase { database in
            let jobs = [Job.scheduled("e1", name: "b"), .scheduled("e2", name: "a"), .scheduled("e3", name: "B")]
            try await Self.commit(database) { $0.putJobs = jobs }
            let store = Stores(pool: database.pool).jobs
            #expect(try await store.all().map(\.definition.name) == ["B", "a", "b"])
            #expect(try await store.count() == 3)
            #expect(try await store.job(named: "a") == jobs[1])
            #expect(try await store.job(named: "A") == nil)
            #expect(try await store.job(JobID("e3")) == jobs[2])
            #expect(try await store.job(JobID("e4")) == nil)
            await expectStoreError(.data) { _ = try await store.job(named: "a\0b") }
        }
    }

    @Test("a search takes substrings, upper and lower case alike, and all that is asked for must hold")
    func search() async throws {
        try await withDatabase { database in
            func job(_ id: String, _ name: String, _ command: String) -> Job {
                var job = Job.scheduled(id, name: name)
                job.definition.command = command
                return job
            }
            try await Self.commit(database) {
                $0.putJobs = [
                    job("e1", "Alpha", "echo one"), job("e2", "beta", "ECHO 100%"), job("e3", "gamma", "run alpha_x"),
                ]
            }
            let store = Stores(pool: database.pool).jobs
            func found(_ search: JobStore.Search, limit: Int = 10, offset: Int = 0) async throws -> [String] {
                try await store.search(search, limit: limit, offset: offset).map(\.id.rawValue)
            }
            #expect(try await found(.init()) == ["e1", "e2", "e3"])
            #expect(try await found(.init(name: "ALP")) == ["e1"])
            #expect(try await found(.init(command: "echo")) == ["e1", "e2"])
            #expect(try await found(.init(name: "a", command: "echo")) == ["e1", "e2"])
            #expect(try await found(.init(name: "beta", command: "one")) == [])
            #expect(try await found(.init(any: "alpha")) == ["e1", "e3"])
            #expect(try await found(.init(name: "gamma", any: "alpha")) == ["e3"])
            #expect(try await found(.init(any: "%")) == ["e2"], "a percent sign is no pattern")
            #expect(try await found(.init(any: "_")) == ["e3"])
            #expect(try await found(.init(), limit: 1, offset: 1) == ["e2"])
            #expect(try await found(.init(), limit: 0) == [])
            #expect(try await found(.init(), limit: -5, offset: -5) == [])
            #expect(try await found(.init(), limit: .max, offset: .max) == [])
        }
    }

    // MARK: Runs

    @Test("history is paged from the newest run on, ties included")
    func history() async throws {
        try await withDatabase { database in
            let job = Job.scheduled("e1")
            let other = Job.scheduled("e2")
            let runs = (0..<7).map {
                Run.scheduled("r\($0)", of: job, index: Int64($0)).finished(.succeeded, at: at(Int64($0) / 3))
            }
            try await Self.commit(database) {
                $0.finishedRuns = (runs + [.scheduled("r9", of: other).finished(.lost, at: at(9))]).map {
                    .from(to: $0)
                }
            }
            let store = Stores(pool: database.pool).runs
            var pages: [[String]] = []
            var position: HistoryPosition?
            while pages.count < 9 {
                let page = try await store.history(of: job.id, before: position, limit: 3)
                guard let last = page.last else { break }
                pages.append(page.map(\.id.rawValue))
                position = HistoryPosition(after: last)
            }
            #expect(pages == [["r6", "r5", "r4"], ["r3", "r2", "r1"], ["r0"]])
            #expect(try await store.history(of: JobID("none"), limit: 5).isEmpty)
        }
    }

    @Test("a run is found while it is active and after it has ended, with its tries in order")
    func oneRun() async throws {
        try await withDatabase { database in
            let job = Job.scheduled("e1")
            let active = Run.full("r1", of: job)
            let ended = Run.full("r2", of: .scheduled("e2")).finished(.failed, at: at(50))
            try await Self.commit(database) {
                $0.newRuns = [active]
                $0.finishedRuns = [.from(to: ended)]
                $0.attempts = [.failed("r2", 1, at: at(50)), .failed("r2", 0, at: at(40))]
            }
            let store = Stores(pool: database.pool).runs
            #expect(try await store.run(active.id) == active)
            #expect(try await store.run(ended.id) == ended)
            #expect(try await store.run(RunID("r3")) == nil)
            #expect(try await store.active() == [active])
            #expect(try await store.active(of: job.id) == [active])
            #expect(try await store.active(of: JobID("e2")).isEmpty)
            #expect(try await store.attempts(of: ended.id).map(\.attempt.number) == [0, 1])
        }
    }

    @Test("an era of which only part lies in the range is listed, page by page")
    func eras() async throws {
        try await withDatabase { database in
            guard case .schedule(let text) = Job.scheduled("e1").definition.trigger else { return }
            let eras = (0..<6).map { (number: Int) -> ScheduleEra in
                let version = JobVersion(job: JobID("e\(number / 2)"), version: Int64(number % 2))
                let closed: Instant? = number % 2 == 1 ? nil : at(Int64(number))
                return ScheduleEra(job: version, jobName: "j", schedule: text, firstIndex: 0, closed: closed)
            }
            try await Self.commit(database) { $0.newEras = eras }
            let store = Stores(pool: database.pool).ledger
            #expect(try await store.eras(from: at(2), limit: 10) == Array(eras[1...]))
            #expect(try await store.eras(from: at(3), limit: 2) == [eras[1], eras[3]])
            #expect(try await store.eras(from: at(3), after: eras[3].job, limit: 2) == [eras[4], eras[5]])
        }
    }

    @Test("verdicts are counted by occurrence, not by entry")
    func counts() async throws {
        try await withDatabase { database in
            let job = Job.scheduled("e1")
            let run = Run.scheduled("r1", of: job)
            var missed = LedgerEntry.launched(job, index: 5, run: run)
            missed.verdict = .missed
            missed.count = 2_600_000
            missed.run = nil
            var late = missed
            late.recorded = at(100)
            try await Self.commit(database) { [missed, late] in
                $0.ledger = [.launched(job, index: 0, run: run), .launched(job, index: 1, run: run), missed, late]
            }
            let store = Stores(pool: database.pool).ledger
            #expect(
                try await store.counts(recordedFrom: at(61), to: at(100)) == [.launched: 2, .missed: 2_600_000])
            #expect(try await store.counts(recordedFrom: at(101), to: at(200)).isEmpty)
            #expect(try await store.entries(of: job.reference, from: 1, through: 4, limit: 9).map(\.firstIndex) == [1])
        }
    }

    // MARK: Keys, nodes, replays

    @Test("a key is found by its prefix until and after it is revoked")
    func keys() async throws {
        try await withDatabase { database in
            let store = Stores(pool: database.pool).keys
            var new = StoredKey(
                prefix: "abcdefgh", hash: [0, 1, 255], title: "build \"x\"", privileges: [.admin, .runEvents],
                isActive: true)
            new.id = "k1"
            let key = new
            try await store.insert(key, created: at(0))
            await expectStoreError(.conflict) { try await store.insert(key, created: at(1)) }
            #expect(try await store.find(prefix: "abcdefgh") == key)
            #expect(try await store.find(prefix: "abcdefg") == nil)
            try await store.touch(prefix: "abcdefgh", at: at(100))
            try await store.touch(prefix: "abcdefgh", at: at(159))
            #expect(try await store.list() == [KeyStore.Entry(key: key, created: at(0), lastUsed: at(100))])
            try await store.touch(prefix: "abcdefgh", at: at(161))
            #expect(try await store.list()[0].lastUsed == at(161))
            #expect(try await store.revoke(prefix: "abcdefgh"))
            #expect(try await store.revoke(prefix: "abcdefgh"))
            #expect(try await !store.revoke(prefix: "none"))
            #expect(try await store.find(prefix: "abcdefgh")?.isActive == false)
            try await database.query("UPDATE carillon.api_keys SET privileges = '{run_events,fly}'")
            #expect(try await store.find(prefix: "abcdefgh")?.privileges == [.runEvents])
        }
    }

    @Test("a node's row is replaced by the node itself")
    func nodes() async throws {
        try await withDatabase { database in
            let store = Stores(pool: database.pool).nodes
            var node = NodeDescription(name: "n1", url: "http://n1", boot: "b1", version: "1")
            try await store.put(node, seen: at(0), reachesWorkers: false)
            node.boot = "b2"
            try await store.put(node, seen: at(5), reachesWorkers: true)
            #expect(try await store.list() == [NodeStore.Entry(node: node, seen: at(5), reachesWorkers: true)])
            #expect(try await !store.delete("n1", unseenSince: at(5)))
            #expect(try await store.delete("n1", unseenSince: at(6)))
            let left = try await store.list()
            #expect(left.isEmpty)
            try await Stores(pool: database.pool).ping()
            #expect(try await Stores(pool: database.pool).workers.list().isEmpty)
        }
    }

    private static let request = ReplayStore.Request(
        method: "POST", target: "/v1/x?a=%20\"",
        headers: [.init(name: "A", value: "1"), .init(name: "A", value: "\"2")],
        body: Array(0...255))

    @Test("a stored request is taken once, by whoever sent it, in time")
    func replays() async throws {
        try await withDatabase(poolSize: 4) { database in
            let store = Stores(pool: database.pool).replays
            let put = try await store.put(
                Self.request, tokenHash: [1], credentialsHash: [2], now: at(0), expires: at(10))
            #expect(put == .stored)
            await expectStoreError(.conflict) {
                _ = try await store.put(
                    Self.request, tokenHash: [1], credentialsHash: [2], now: at(0), expires: at(10))
            }
            #expect(try await store.take(tokenHash: [9], credentialsHash: [2], now: at(1)) == nil)
            #expect(try await store.take(tokenHash: [1], credentialsHash: [9], now: at(1)) == nil)
            #expect(try await store.take(tokenHash: [1], credentialsHash: [2], now: at(10)) == nil)
            // At once from four sides: one of them gets it.
            let taken = try await withThrowingTaskGroup(of: ReplayStore.Request?.self) { group in
                for _ in 0..<4 {
                    group.addTask { try await store.take(tokenHash: [1], credentialsHash: [2], now: at(9)) }
                }
                return try await group.compactMap { $0 }.reduce(into: []) { $0.append($1) }
            }
            #expect(taken == [Self.request])
        }
    }

    @Test("requests are bounded in size and number, and expired ones do not count")
    func replayLimits() async throws {
        try await withDatabase { database in
            let store = Stores(pool: database.pool).replays
            var large = Self.request
            large.headers = []
            large.body = Array(
                repeating: 0, count: StorageLimits.replayBytes - large.method.utf8.count - large.target.utf8.count)
            #expect(
                try await store.put(large, tokenHash: [1], credentialsHash: [], now: at(0), expires: at(1)) == .stored)
            large.body.append(0)
            #expect(
                try await store.put(large, tokenHash: [2], credentialsHash: [], now: at(0), expires: at(1)) == .tooLarge
            )
            try await database.query(
                """
                INSERT INTO carillon.replays
                SELECT int4send(i), 'GET', '/', '[]', '', '', $1, $2 FROM generate_series(1, 999) i
                """, [.timestamp(microseconds: at(0).microseconds), .timestamp(microseconds: at(5).microseconds)])
            #expect(
                try await store.put(Self.request, tokenHash: [3], credentialsHash: [], now: at(0), expires: at(9))
                    == .full)
            #expect(
                try await store.put(Self.request, tokenHash: [3], credentialsHash: [], now: at(2), expires: at(9))
                    == .stored)
            #expect(try await store.purge(now: at(5)) == 1_000)
            #expect(try await database.count("replays") == 1)
        }
    }

    // MARK: Errors

    @Test("a database that does not answer is an error within the deadline, and says nothing of secrets")
    func unreachable() async throws {
        try await onLoop { loop in
            let pool = PostgresPool(
                PostgresConfiguration(url: "postgresql://u:secret@127.0.0.1:1/none"), size: 1, loop: loop)
            let message = await expectStoreError(.connection) {
                try await Stores(pool: pool).ping(deadline: .milliseconds(200))
            }
            #expect(!message.contains("secret"))
            await expectStoreError(.connection) {
                var deadlines = PostgresClusterStore.Deadlines()
                deadlines.commit = .milliseconds(200)
                try await PostgresClusterStore(pool: pool, deadlines: deadlines).commit(.first, Changes())
            }
            await pool.close()
        }
    }

    @Test("a row that a newer release wrote is refused by name, not misread")
    func unreadable() async throws {
        try await withDatabase { database in
            let job = Job.scheduled("e1")
            try await Self.commit(database) {
                $0.putJobs = [job]
                $0.newRuns = [.scheduled("r1", of: job)]
            }
            try await database.query("UPDATE carillon.runs SET state = 'hovering'")
            let message = await expectStoreError(.data) { _ = try await Stores(pool: database.pool).runs.active() }
            #expect(message.contains("hovering"))
            try await database.query("UPDATE carillon.jobs SET definition = definition || '{\"overlap\": \"dance\"}'")
            await expectStoreError(.data) { _ = try await Stores(pool: database.pool).jobs.all() }
        }
    }

    @Test("values that the database cannot hold are refused as data, and nothing of the commit stays")
    func unstorable() async throws {
        try await withDatabase { database in
            try await database.setTerm(.first)
            let store = PostgresClusterStore(pool: database.pool)
            let job = Job.scheduled("e1")
            func refused(_ change: (inout Changes) -> Void) async throws {
                var changes = Changes()
                changes.putWorkers = [.named("w1")]
                change(&changes)
                await expectStoreError(.data) { [changes] in try await store.commit(.first, changes) }
            }
            try await refused { $0.putJobs = [.scheduled("e1", name: "a\0b")] }
            try await refused { $0.newRuns = [.scheduled("r1", of: job, attempt: Int.max)] }
            try await refused {
                $0.newRuns = [
                    Run(
                        id: RunID("r1"), job: job.reference, jobName: "j",
                        cause: .manual(key: (0..<3_000).map { String($0, radix: 36) }.joined()), due: at(0))
                ]
            }
            #expect(try await database.count("workers") == 0)
        }
    }
}
