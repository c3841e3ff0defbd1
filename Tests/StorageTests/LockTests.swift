import Domain
import PostgresClient
import Runtime
import TestSupport
import Testing

@testable import Storage

@Suite("Leader lock", .timeLimit(.minutes(3)))
struct LockTests {
    private static func lock(
        _ name: String, _ database: TestDatabase, _ constants: ElectionConstants = ElectionConstants()
    ) -> PostgresLeaderLock {
        PostgresLeaderLock(
            database: PostgresConfiguration(url: database.url),
            node: NodeDescription(name: name, url: "http://\(name)", boot: "boot-\(name)", version: "1"),
            constants: constants, loop: database.loop)
    }

    /// Attempts until it wins: the server needs a moment to notice the end of a session.
    private static func win(_ lock: PostgresLeaderLock) async throws {
        while try await !lock.attempt().won {}
    }

    @Test("one of two nodes wins, and the other one sees who leads")
    func twoNodes() async throws {
        try await withDatabase { database in
            let (a, b) = (Self.lock("a", database), Self.lock("b", database))
            try await a.open()
            try await b.open()
            let before = try await b.attempt()
            #expect(before.won)
            #expect(before.isHeld)
            #expect(before.leader == nil, "nobody has been elected yet")
            let lost = try await a.attempt()
            #expect(!lost.won)
            #expect(lost.isHeld)

            let term = try await b.takeOffice()
            #expect(term == Term(timeline: 1, epoch: 1))
            let heartbeat = try await b.heartbeat()
            #expect(heartbeat.term == term)
            #expect(heartbeat.holdsLock)
            #expect(!heartbeat.isReadOnly)
            let seen = try await a.attempt()
            #expect(
                seen.leader
                    == LeaderRecord(term: term, node: "b", url: "http://b", boot: "boot-b", resigned: false))
            let foreign = try await a.heartbeat()
            #expect(foreign.term == term)
            #expect(!foreign.holdsLock)
            let view = try await Stores(pool: database.pool).leader.read()
            #expect(view.leader == seen.leader)
            #expect(view.isHeld)
            #expect(view.elected != nil)
            await a.close()
            await b.close()
        }
    }

    @Test("winning twice is holding once: the lock is free when the session is closed")
    func reentrant() async throws {
        try await withDatabase { database in
            let (a, b) = (Self.lock("a", database), Self.lock("b", database))
            try await a.open()
            try await b.open()
            #expect(try await a.attempt().won)
            #expect(try await a.attempt().won)
            await a.close()
            try await Self.win(b)
            await b.close()
        }
    }

    @Test("each election raises the epoch, among four nodes that all try")
    func epochsIncrease() async throws {
        try await withDatabase { database in
            let locks = (0..<4).map { Self.lock("n\($0)", database) }
            for lock in locks { try await lock.open() }
            var terms: [Term] = []
            for _ in 0..<8 {
                var winners: [PostgresLeaderLock] = []
                while winners.isEmpty {
                    winners = try await withThrowingTaskGroup(of: PostgresLeaderLock?.self) { group in
                        for lock in locks { group.addTask { try await lock.attempt().won ? lock : nil } }
                        return try await group.compactMap { $0 }.reduce(into: []) { $0.append($1) }
                    }
                }
                try #require(winners.count == 1)
                terms.append(try await winners[0].takeOffice())
                try await winners[0].open()
            }
            #expect(terms.map(\.epoch) == Array(1...8))
            for lock in locks { await lock.close() }
        }
    }

    @Test("a session that the server ends is noticed, and its lock is free")
    func terminated() async throws {
        try await withDatabase { database in
            let (a, b) = (Self.lock("a", database), Self.lock("b", database))
            try await a.open()
            try await b.open()
            #expect(try await a.attempt().won)
            let ended = try await database.query(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'carillon:a:boot-a'"
                    + " AND datname = current_database()")
            #expect(ended.count == 1)
            await a.closed()
            await expectStoreError(.connection) { _ = try await a.heartbeat() }
            try await Self.win(b)
            await b.close()
        }
    }

    @Test("a holder that falls silent loses the lock by the server's clock")
    func idle() async throws {
        try await withDatabase { database in
            var constants = ElectionConstants()
            constants.idleSession = .milliseconds(1_500)
            constants.trust = .milliseconds(500)
            constants.heartbeat = .milliseconds(200)
            let (a, b) = (Self.lock("a", database, constants), Self.lock("b", database))
            try await a.open()
            #expect(try await a.attempt().won)
            await a.closed()
            try await b.open()
            try await Self.win(b)
            await b.close()
        }
    }

    @Test("resigning marks the row, in its own term only")
    func resign() async throws {
        try await withDatabase { database in
            let a = Self.lock("a", database)
            try await a.open()
            #expect(try await a.attempt().won)
            let term = try await a.takeOffice()
            let reader = Stores(pool: database.pool).leader
            try await a.resign(Term(timeline: term.timeline, epoch: term.epoch + 1))
            #expect(try await reader.read().leader?.resigned == false)
            try await a.resign(term)
            #expect(try await reader.read().leader?.resigned == true)
            await a.close()
            let b = Self.lock("b", database)
            try await b.open()
            try await Self.win(b)
            _ = try await b.takeOffice()
            #expect(try await reader.read().leader?.resigned == false)
            await b.close()
        }
    }

    @Test("office is not taken without the lock")
    func officeWithoutLock() async throws {
        try await withDatabase { database in
            let a = Self.lock("a", database)
            await expectStoreError(.connection) { _ = try await a.attempt() }
            await a.closed()
            try await a.open()
            let message = await expectStoreError(.connection) { _ = try await a.takeOffice() }
            #expect(message.contains("pooler"))
            #expect(try await database.query("SELECT epoch FROM carillon.leadership") == [["0"]])
            await a.close()
        }
    }

    @Test("an open transaction of the former leader is ended by its successor")
    func eviction() async throws {
        try await withDatabase { database in
            var constants = ElectionConstants()
            constants.lock = .milliseconds(200)
            let (a, b) = (Self.lock("a", database), Self.lock("b", database, constants))
            try await a.open()
            #expect(try await a.attempt().won)
            let term = try await a.takeOffice()
            // The leader's pool, stopped between the fence and the commit.
            var work = ElectionConstants().workConfiguration(
                PostgresConfiguration(url: database.url), node: "a", boot: "boot-a")
            work.serverSettings.removeAll { $0.name == "idle_in_transaction_session_timeout" }
            let stopped = try await PostgresConnection.connect(work, loop: database.loop)
            _ = try await stopped.query(Statement("BEGIN"), deadline: .seconds(5))
            _ = try await stopped.query(
                Statement("SELECT carillon.fence($1, $2)", .int(term.timeline), .int(term.epoch)),
                deadline: .seconds(5))
            await a.close()

            try await b.open()
            try await Self.win(b)
            #expect(try await b.takeOffice().epoch == term.epoch + 1)
            await stopped.closed()
            await b.close()
        }
    }

    @Test("a foreign transaction on the row is not ended, and taking office is given up")
    func foreignTransaction() async throws {
        try await withDatabase { database in
            var constants = ElectionConstants()
            constants.lock = .milliseconds(100)
            let b = Self.lock("b", database, constants)
            let foreign = try await PostgresConnection.connect(
                PostgresConfiguration(url: database.url), loop: database.loop)
            _ = try await foreign.query(Statement("BEGIN"), deadline: .seconds(5))
            _ = try await foreign.query(Statement("SELECT carillon.fence(0, 0)"), deadline: .seconds(5))
            try await b.open()
            try await Self.win(b)
            let message = await expectStoreError(.connection) { _ = try await b.takeOffice() }
            #expect(message.contains("open transaction"))
            _ = try await foreign.query(Statement("ROLLBACK"), deadline: .seconds(5))
            #expect(try await b.takeOffice().epoch == 1)
            await b.close()
            await foreign.close()
        }
    }

    @Test("a heartbeat shows an epoch that somebody else has raised")
    func foreignEpoch() async throws {
        try await withDatabase { database in
            let a = Self.lock("a", database)
            try await a.open()
            #expect(try await a.attempt().won)
            let term = try await a.takeOffice()
            try await database.setTerm(Term(timeline: 1, epoch: 9))
            #expect(try await a.heartbeat().term != term)
            await a.close()
        }
    }

    @Test("locks of two databases are independent")
    func otherDatabase() async throws {
        try await withDatabase { first in
            let a = Self.lock("a", first)
            try await a.open()
            #expect(try await a.attempt().won)
            let url = try TestPostgres.shared().freshDatabase()
            let pool = PostgresPool(PostgresConfiguration(url: url), size: 1, loop: first.loop)
            try await Schema(pool: pool).migrate()
            #expect(try await !Stores(pool: pool).leader.read().isHeld)
            let b = Self.lock("b", TestDatabase(url: url, loop: first.loop, pool: pool))
            try await b.open()
            #expect(try await b.attempt().won)
            await b.close()
            await pool.close()
            await a.close()
        }
    }

    @Test("the session carries the name by which a successor finds it")
    func applicationName() async throws {
        try await withDatabase { database in
            let a = Self.lock("a", database)
            try await a.open()
            let shown = try await database.query(
                "SELECT application_name FROM pg_stat_activity WHERE application_name LIKE 'carillon:a:%'"
                    + " AND datname = current_database()")
            #expect(shown == [["carillon:a:boot-a"]])
            await a.close()
        }
    }

    // MARK: Without a server

    private static let good = SessionFacts(
        firstPID: 7, secondPID: 7, connectedPID: 7, version: 140_000, isInRecovery: false, settings: "a=1")

    @Test(
        "a session with a pooler in between is refused, with that as the probable cause",
        arguments: [
            SessionFacts(
                firstPID: 7, secondPID: 8, connectedPID: 7, version: 150_000, isInRecovery: false, settings: "a=1"),
            SessionFacts(
                firstPID: 7, secondPID: 7, connectedPID: 9, version: 150_000, isInRecovery: false, settings: "a=1"),
            SessionFacts(
                firstPID: 7, secondPID: 7, connectedPID: 7, version: 150_000, isInRecovery: false, settings: "a=0"),
        ])
    func pooler(_ facts: SessionFacts) async {
        let message = await expectStoreError(.connection) { try facts.verify(expecting: "a=1") }
        #expect(message.contains("pooler"))
    }

    @Test("a standby and an old server are refused for what they are")
    func otherRefusals() async throws {
        try Self.good.verify(expecting: "a=1")
        var standby = Self.good
        standby.isInRecovery = true
        let first = await expectStoreError(.connection) { [standby] in try standby.verify(expecting: "a=1") }
        #expect(first.contains("standby"))
        var old = Self.good
        old.version = 139_999
        let second = await expectStoreError(.data) { [old] in try old.verify(expecting: "a=1") }
        #expect(second.contains("14"))
    }

    @Test("unsafe times are refused before a session is opened")
    func unsafeTimes() async throws {
        #expect(ElectionConstants().defect == nil)
        var constants = ElectionConstants()
        constants.trust = .milliseconds(4_001)
        #expect(constants.defect?.contains("trust") == true)
        constants = ElectionConstants()
        constants.heartbeat = .milliseconds(1_001)
        #expect(constants.defect?.contains("heartbeat") == true)
        constants = ElectionConstants()
        constants.lock = .zero
        #expect(constants.defect != nil)
        let unsafe = constants
        try await onLoop { loop in
            let lock = PostgresLeaderLock(
                database: PostgresConfiguration(url: "postgresql://nobody@127.0.0.1:1/none"),
                node: NodeDescription(name: "a", url: "", boot: "b", version: ""), constants: unsafe, loop: loop)
            await expectStoreError(.data) { try await lock.open() }
        }
    }

    @Test("a session's name has at most 63 plain bytes and keeps the boot")
    func sessionName() {
        #expect(ElectionConstants.sessionName(node: "a", boot: "b") == "carillon:a:b")
        let long = ElectionConstants.sessionName(node: String(repeating: "n", count: 300), boot: "0123456789abcdef")
        #expect(long.utf8.count == 63)
        #expect(long.hasSuffix(":0123456789abcdef"))
        #expect(ElectionConstants.sessionName(node: "é b", boot: "x") == "carillon:???b:x")
        let both = ElectionConstants.sessionName(node: "node", boot: String(repeating: "b", count: 300))
        #expect(both.utf8.count <= 63)
    }
}
