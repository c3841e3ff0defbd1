import PostgresClient
import Runtime
import TestSupport
import Testing

private let limit = Duration.seconds(60)

@Suite("Connection", .timeLimit(.minutes(2)))
struct ConnectionTests {
    let server: TestPostgres

    init() throws {
        server = try TestPostgres.shared()
    }

    /// The body on a loop, with a connection to a database of the server.
    private func connected<T: Sendable>(
        _ configure: (inout PostgresConfiguration) -> Void = { _ in },
        _ body: @escaping @Sendable (PostgresConnection, EventLoop) async throws -> T
    ) async throws -> T {
        var configuration = PostgresConfiguration(url: server.url())
        configure(&configuration)
        let fixed = configuration
        return try await onLoop { loop in
            let connection = try await PostgresConnection.connect(fixed, loop: loop)
            let result: T
            do { result = try await body(connection, loop) } catch {
                await connection.close()
                throw error
            }
            await connection.close()
            return result
        }
    }

    private func setting(_ name: String, _ connection: PostgresConnection) async throws -> String? {
        try await connection.query(Statement("SELECT current_setting($1)", .text(name)), deadline: limit)
            .rows[0].string(0)
    }

    @Test("a query gives its rows by position and by name")
    func rows() async throws {
        try await connected { connection, _ in
            let result = try await connection.query(
                Statement("SELECT $1::text AS name, $2::int AS number, NULL AS nothing", "a", 7), deadline: limit)
            #expect(result.rows.count == 1)
            #expect(result.rows[0].string("name") == "a")
            #expect(try result.rows[0].requireInt64(1) == 7)
            #expect(result.rows[0].isNull("nothing"))
            #expect(result.rows[0].columnCount == 3)
        }
    }

    @Test("the number of changed rows is told")
    func affected() async throws {
        try await connected { connection, _ in
            try await connection.script("CREATE TEMP TABLE t (n int)", deadline: limit)
            let inserted = try await connection.query(
                Statement("INSERT INTO t SELECT generate_series(1, $1::int)", 12), deadline: limit)
            #expect(inserted.affected == 12)
            let none = try await connection.query(Statement("DELETE FROM t WHERE n > 100"), deadline: limit)
            #expect(none.affected == 0)
        }
    }

    @Test("the session's settings are ours, whatever the server's are")
    func settings() async throws {
        try await connected {
            $0.applicationName = "it's a \"name\""
            $0.serverSettings = [
                (name: "statement_timeout", value: "12345"), (name: "carillon.test", value: "a b, \\c"),
            ]
        } _: { connection, _ in
            #expect(await connection.parameterStatus("TimeZone") == "UTC")
            #expect(await connection.parameterStatus("client_encoding") == "UTF8")
            let name = try await self.setting("application_name", connection)
            #expect(name == "it's a \"name\"")
            let timeout = try await self.setting("statement_timeout", connection)
            #expect(timeout == "12345ms")
            let path = try await self.setting("carillon.test", connection)
            #expect(path == "a b, \\c")
        }
    }

    @Test("1,000 queries of as many tasks are answered, each with its own answer")
    func pipelining() async throws {
        try await connected { connection, _ in
            try await withThrowingTaskGroup(of: (Int64, Int64).self) { group in
                for number in Int64(0)..<1000 {
                    group.addTask {
                        let row = try await connection.query(
                            Statement("SELECT $1::bigint", .int(number)), deadline: limit)
                        return (number, try row.rows[0].requireInt64(0))
                    }
                }
                var count = 0
                for try await (sent, received) in group {
                    #expect(sent == received)
                    count += 1
                }
                #expect(count == 1000)
            }
        }
    }

    @Test("requests are executed in the order in which they were made")
    func order() async throws {
        try await connected { connection, loop in
            try await connection.script("CREATE TEMP TABLE t (at serial, n int)", deadline: limit)
            var tasks: [Task<Void, Never>] = []
            for number in Int64(0)..<300 {
                tasks.append(
                    loop.start("insert") {
                        // A failure shows in the rows that are counted below.
                        _ = try? await connection.query(
                            Statement("INSERT INTO t (n) VALUES ($1)", .int(number)), deadline: limit)
                    })
            }
            for task in tasks { await task.value }
            let rows = try await connection.query(Statement("SELECT n FROM t ORDER BY at"), deadline: limit).rows
            #expect(try rows.map { try $0.requireInt64(0) } == Array(0..<300))
        }
    }

    @Test("one failing query among many fails alone, with its SQLSTATE")
    func failingAlone() async throws {
        try await connected { connection, _ in
            async let first = connection.query(Statement("SELECT 1"), deadline: limit)
            async let second = failure {
                try await connection.query(Statement("SELECT 1 / $1::int", 0), deadline: limit)
            }
            async let third = connection.query(Statement("SELECT 3"), deadline: limit)
            let firstValue = try await first.rows[0].int64(0)
            #expect(firstValue == 1)
            let error = await second
            #expect(error?.sqlState == "22012")
            #expect(error?.mayHaveHappened == false)
            let thirdValue = try await third.rows[0].int64(0)
            #expect(thirdValue == 3)
        }
    }

    @Test("a statement that cannot be parsed fails for all who use it, and later ones go on")
    func unparsable() async throws {
        try await connected { connection, _ in
            try await withThrowingTaskGroup(of: String?.self) { group in
                for _ in 0..<20 {
                    group.addTask {
                        do {
                            _ = try await connection.query(Statement("SELEKT 1"), deadline: limit)
                            return nil
                        } catch let error as PostgresError { return error.sqlState }
                    }
                }
                for try await state in group { #expect(state == "42601") }
            }
            let count = try await connection.query(Statement("SELECT 1"), deadline: limit).rows.count
            #expect(count == 1)
        }
    }

    @Test("a statement survives that its table changes its shape")
    func changedPlan() async throws {
        try await connected { connection, _ in
            try await connection.script("CREATE TEMP TABLE t (n int); INSERT INTO t VALUES (1)", deadline: limit)
            let statement = Statement("SELECT * FROM t")
            let before = try await connection.query(statement, deadline: limit).rows[0].columnCount
            #expect(before == 1)
            try await connection.script("ALTER TABLE t ADD COLUMN m int", deadline: limit)
            let after = try await connection.query(statement, deadline: limit).rows[0].columnCount
            #expect(after == 2)
        }
    }

    @Test("more statements than the cache holds all work, and the server forgets the old ones")
    func cacheIsBounded() async throws {
        try await connected { connection, _ in
            for round in 0..<2 {
                for number in 0..<400 {
                    let rows = try await connection.query(Statement("SELECT \(number)"), deadline: limit).rows
                    #expect(rows[0].int64(0) == Int64(number), "round \(round)")
                }
            }
            let count = try await connection.query(
                Statement("SELECT count(*) FROM pg_prepared_statements"), deadline: limit)
            #expect(try count.rows[0].requireInt64(0) <= 257)
        }
    }

    @Test("a script of several statements is executed as a whole or not at all, while others wait")
    func script() async throws {
        try await connected { connection, _ in
            async let before = connection.query(Statement("SELECT 'before'"), deadline: limit)
            async let script: Void = connection.script(
                "CREATE TEMP TABLE t (n int); INSERT INTO t VALUES (1), (2); SELECT 1", deadline: limit)
            _ = try await (before, script)
            async let failing = failure {
                try await connection.script("INSERT INTO t VALUES (3); SELECT 1 / 0", deadline: limit)
            }
            async let after = connection.query(Statement("SELECT count(*) FROM t"), deadline: limit)
            let error = await failing
            #expect(error?.sqlState == "22012")
            let count = try await after.rows[0].int64(0)
            #expect(count == 2)
        }
    }

    @Test("a script that fails inside its own transaction leaves none open")
    func scriptWithTransaction() async throws {
        try await connected { connection, _ in
            await #expect(throws: PostgresError.self) {
                try await connection.script("BEGIN; CREATE TEMP TABLE t (n int); SELECT 1 / 0", deadline: limit)
            }
            let count = try await connection.query(Statement("SELECT 1"), deadline: limit).rows.count
            #expect(count == 1)
        }
    }

    @Test("COPY is refused and closes the connection")
    func copy() async throws {
        try await connected { connection, _ in
            let error = await #expect(throws: PostgresError.self) {
                try await connection.script("COPY (SELECT 1) TO STDOUT", deadline: limit)
            }
            #expect(error?.code == .invalidRequest)
            await connection.closed()
        }
    }

    @Test("notifications arrive while the connection is idle")
    func notifications() async throws {
        let server = server
        try await connected { connection, loop in
            try await connection.listen("a \"channel\"")
            let other = try await PostgresConnection.connect(
                PostgresConfiguration(url: server.url()), loop: loop)
            for number in 0..<3 {
                _ = try await other.query(
                    Statement("SELECT pg_notify('a \"channel\"', $1)", .text("\(number)")), deadline: limit)
            }
            var received: [PostgresNotification] = []
            for await notification in connection.notifications {
                received.append(notification)
                if received.count == 3 { break }
            }
            #expect(received.map(\.payload) == ["0", "1", "2"])
            #expect(received[0].channel == "a \"channel\"")
            await other.close()
        }
    }

    @Test("a large value goes both ways while others are in flight")
    func largeValues() async throws {
        try await connected { connection, _ in
            let bytes = (0..<400_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            try await withThrowingTaskGroup(of: [UInt8]?.self) { group in
                for _ in 0..<4 {
                    group.addTask {
                        try await connection.query(Statement("SELECT $1::bytea", .bytes(bytes)), deadline: .seconds(60))
                            .rows[0].bytes(0)
                    }
                }
                for try await received in group { #expect(received == bytes) }
            }
        }
    }

    @Test("closing fails what is in flight and what comes after")
    func closing() async throws {
        try await connected { connection, _ in
            async let waiting = failure {
                try await connection.query(Statement("SELECT pg_sleep(30)"), deadline: .seconds(40))
            }
            // The request is on its way once this one has been answered or waits behind it.
            while await connection.load == 0 { await Task.yield() }
            await connection.close()
            let error = await waiting
            #expect(error?.code == .closed)
            await connection.closed()
            let later = await #expect(throws: PostgresError.self) {
                try await connection.query(Statement("SELECT 1"), deadline: limit)
            }
            #expect(later?.code == .closed)
            #expect(later?.mayHaveHappened == false)
        }
    }

    @Test("no value of a parameter gets into an error")
    func secrecy() async throws {
        try await connected { connection, _ in
            try await connection.script("CREATE TEMP TABLE t (k text PRIMARY KEY, n int)", deadline: limit)
            let secret = "hunter2secret"
            let insert = Statement("INSERT INTO t VALUES ($1, 1)", .text(secret))
            _ = try await connection.query(insert, deadline: limit)
            let statements = [
                insert, Statement("SELECT $1::int", .text(secret)), Statement("SELECT $1::timestamptz", .text(secret)),
                Statement("SELECT $1::jsonb", .text("{\(secret)")), Statement("SELECT $1::int[]", .text("{\(secret)")),
                Statement("SELECT $1::uuid", .text(secret)), Statement("SELECT $1::text", .text("\(secret)\0")),
            ]
            for statement in statements {
                let error = await #expect(throws: PostgresError.self) {
                    try await connection.query(statement, deadline: limit)
                }
                #expect(error?.description.contains("hunter2") == false)
            }
            let duplicate = await #expect(throws: PostgresError.self) {
                try await connection.query(insert, deadline: limit)
            }
            #expect(duplicate?.sqlState == "23505")
            #expect(duplicate?.constraint == "t_pkey")
        }
    }
}
