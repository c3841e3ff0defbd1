import PostgresClient
import Runtime
import TestSupport
import Testing

private let limit = Duration.seconds(60)

@Suite("Loss of connection", .timeLimit(.minutes(2)))
struct LossTests {
    let server: TestPostgres

    init() throws {
        server = try TestPostgres.shared()
    }

    private func configuration(_ name: String) -> PostgresConfiguration {
        PostgresConfiguration(url: server.url(), applicationName: name)
    }

    @Test("an idle connection that the server ends is noticed at once")
    func idle() async throws {
        let (server, configuration) = (server, configuration("loss-idle"))
        try await onLoop { loop in
            let connection = try await PostgresConnection.connect(configuration, loop: loop)
            async let closed: Void = connection.closed()
            #expect(try server.terminate(applicationName: "loss-idle") == 1)
            await closed
            #expect(await connection.isOpen == false)
            #expect(await connection.endReason?.sqlState == "57P01")
            for await _ in connection.notifications { Issue.record("a notification from nowhere") }
        }
    }

    @Test("what is in flight when the server ends the session fails, outcome unknown")
    func inFlight() async throws {
        let (server, configuration) = (server, configuration("loss-flight"))
        try await onLoop { loop in
            let connection = try await PostgresConnection.connect(configuration, loop: loop)
            async let first = failure {
                try await connection.query(Statement("SELECT pg_sleep(30)"), deadline: .seconds(60))
            }
            async let second = failure {
                try await connection.query(Statement("SELECT 2"), deadline: .seconds(60))
            }
            while await connection.load < 2 { await Task.yield() }
            let observer = try await PostgresConnection.connect(PostgresConfiguration(url: server.url()), loop: loop)
            let active = Statement(
                "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'loss-flight' AND state = 'active'")
            while try await observer.query(active, deadline: limit).rows[0].int64(0) == 0 {}
            #expect(try server.terminate(applicationName: "loss-flight") == 1)
            for error in await [first, second] {
                #expect(error?.code == .connection)
                #expect(error?.mayHaveHappened == true)
                #expect(error?.sqlState == "57P01")
            }
            let later = await #expect(throws: PostgresError.self) {
                try await connection.query(Statement("SELECT 1"), deadline: limit)
            }
            #expect(later?.code == .connection)
            #expect(later?.mayHaveHappened == false)
            await observer.close()
        }
    }

    @Test("a deadline that passes closes the connection, and the server stops the statement")
    func deadline() async throws {
        let (server, configuration) = (server, configuration("loss-deadline"))
        try await onLoop { loop in
            let connection = try await PostgresConnection.connect(configuration, loop: loop)
            async let behind = connection.query(Statement("SELECT 2"), deadline: .seconds(60))
            let error = await #expect(throws: PostgresError.self) {
                try await connection.query(Statement("SELECT pg_sleep(3600)"), deadline: .milliseconds(100))
            }
            #expect(error?.code == .deadline)
            #expect(error?.mayHaveHappened == true)
            // In flight before or behind it: answered, or failed for the same reason.
            do { _ = try await behind } catch let error as PostgresError { #expect(error.code == .deadline) }
            await connection.closed()
            let observer = try await PostgresConnection.connect(PostgresConfiguration(url: server.url()), loop: loop)
            let alive = Statement("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'loss-deadline'")
            while try await observer.query(alive, deadline: limit).rows[0].int64(0) != 0 {}
            await observer.close()
        }
    }

    @Test("a server that crashes, stops and freezes: every request ends, and the pool comes back")
    func serverFaults() async throws {
        let server = try TestPostgres.start()
        let url = server.url()
        try await onLoop { loop in
            let pool = PostgresPool(
                PostgresConfiguration(url: url), size: 2, loop: loop, log: Log("test", minimum: .error))
            let one = Statement("SELECT 1")
            _ = try await pool.query(one, deadline: limit)

            try server.kill()
            let down = await #expect(throws: PostgresError.self) {
                try await pool.query(one, deadline: .milliseconds(300))
            }
            #expect(down?.code == .connection)
            try server.startAgain()
            let afterCrash = try await Self.persistently(pool)
            #expect(afterCrash == 1)

            try server.restart()
            let afterRestart = try await Self.persistently(pool)
            #expect(afterRestart == 1)

            try server.freeze()
            let frozen = await #expect(throws: PostgresError.self) {
                try await pool.query(one, deadline: .milliseconds(200))
            }
            #expect(frozen?.code == .deadline)
            try server.thaw()
            let afterFreeze = try await Self.persistently(pool)
            #expect(afterFreeze == 1)
            await pool.close()
            let closed = await #expect(throws: PostgresError.self) { try await pool.query(one, deadline: limit) }
            #expect(closed?.code == .closed)
        }
    }

    @Test("a request in flight when the pool's connection is lost fails; one that waits goes to the next connection")
    func poolRecovers() async throws {
        let (server, configuration) = (server, configuration("loss-pool"))
        try await onLoop { loop in
            let pool = PostgresPool(configuration, size: 2, loop: loop, log: Log("test", minimum: .error))
            for round in 0..<5 {
                let answer = try await Self.persistently(pool)
                #expect(answer == 1, "round \(round)")
                try server.terminate(applicationName: "loss-pool")
            }
            let total = try await withThrowingTaskGroup(of: Int64.self) { group in
                for _ in 0..<200 {
                    group.addTask { try await Self.persistently(pool) }
                }
                return try await group.reduce(0, +)
            }
            #expect(total == 200)
            await pool.close()
            #expect(await pool.openConnections == 0)
        }
    }

    /// A connection whose end was not yet noticed takes a request along, and says so; the next try has another one.
    private static func persistently(_ pool: PostgresPool) async throws -> Int64 {
        for _ in 0..<10 {
            do {
                return try await pool.query(Statement("SELECT 1"), deadline: limit).rows[0].requireInt64(0)
            } catch let error as PostgresError where error.code == .connection {
                #expect(error.mayHaveHappened)
            }
        }
        return 0
    }
}
