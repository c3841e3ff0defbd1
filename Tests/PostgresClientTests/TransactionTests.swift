import PostgresClient
import Runtime
import TestSupport
import Testing

private let limit = Duration.seconds(60)

@Suite("Transaction", .timeLimit(.minutes(2)))
struct TransactionTests {
    let server: TestPostgres

    init() throws {
        server = try TestPostgres.shared()
    }

    private func withTable(
        _ body: @escaping @Sendable (PostgresConnection, EventLoop) async throws -> Void
    ) async throws {
        let configuration = PostgresConfiguration(url: server.url())
        try await onLoop { loop in
            let connection = try await PostgresConnection.connect(configuration, loop: loop)
            try await connection.script("CREATE TEMP TABLE t (n int PRIMARY KEY)", deadline: limit)
            try await body(connection, loop)
            await connection.close()
        }
    }

    private static func insert(_ number: Int64) -> Statement {
        Statement("INSERT INTO t VALUES ($1) RETURNING n", .int(number))
    }

    private static func numbers(_ connection: PostgresConnection) async throws -> [Int64] {
        try await connection.query(Statement("SELECT n FROM t ORDER BY n"), deadline: limit).rows
            .map { try $0.requireInt64(0) }
    }

    @Test("a transaction gives the result of each statement and is kept")
    func commits() async throws {
        try await withTable { connection, _ in
            let results = try await connection.transaction(
                [Self.insert(1), Statement("UPDATE t SET n = n + 10"), Self.insert(2)], deadline: limit)
            #expect(results.count == 3)
            #expect(results[0].rows[0].int64(0) == 1)
            #expect(results[1].affected == 1)
            let kept = try await Self.numbers(connection)
            #expect(kept == [2, 11])
        }
    }

    @Test("an error rolls everything back and names its statement", arguments: 0..<3)
    func rollsBack(failing: Int) async throws {
        try await withTable { connection, _ in
            var statements = [Self.insert(1), Self.insert(2), Self.insert(3)]
            statements[failing] = Statement("SELECT 1 / $1::int", 0)
            let fixed = statements
            let error = await #expect(throws: PostgresError.self) {
                try await connection.transaction(fixed, deadline: limit)
            }
            #expect(error?.sqlState == "22012")
            #expect(error?.statementIndex == failing)
            #expect(error?.mayHaveHappened == false)
            let kept = try await Self.numbers(connection)
            #expect(kept == [])
        }
    }

    @Test("an error at COMMIT rolls everything back")
    func failsAtCommit() async throws {
        try await withTable { connection, _ in
            try await connection.script(
                "CREATE TEMP TABLE d (n int UNIQUE DEFERRABLE INITIALLY DEFERRED)", deadline: limit)
            let twice = Statement("INSERT INTO d VALUES (1)")
            let error = await #expect(throws: PostgresError.self) {
                try await connection.transaction([twice, twice], deadline: limit)
            }
            #expect(error?.sqlState == "23505")
            #expect(error?.statementIndex == nil)
            let count = try await connection.query(Statement("SELECT count(*) FROM d"), deadline: limit)
            #expect(count.rows[0].int64(0) == 0)
        }
    }

    @Test("requests that were sent behind a failing transaction are executed all the same")
    func othersBehindFailure() async throws {
        try await withTable { connection, _ in
            _ = try await connection.query(Self.insert(1000), deadline: limit)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in Int64(0)..<200 {
                    group.addTask {
                        switch number % 4 {
                        case 0:
                            let error = await #expect(throws: PostgresError.self) {
                                try await connection.transaction(
                                    [Self.insert(number), Self.insert(1000)], deadline: limit)
                            }
                            #expect(error?.sqlState == "23505")
                            #expect(error?.statementIndex == 1)
                        case 1:
                            _ = try await connection.transaction(
                                [Self.insert(number), Statement("SELECT \(number)")], deadline: limit)
                        case 2:
                            _ = try await connection.query(Self.insert(number), deadline: limit)
                        default:
                            // Its own text each time: parsed while a transaction may be broken.
                            let result = try await connection.query(
                                Statement("SELECT \(number) AS own"), deadline: limit)
                            #expect(result.rows[0].int64(0) == number)
                        }
                    }
                }
                try await group.waitForAll()
            }
            let expected = (Int64(0)..<200).filter { $0 % 4 == 1 || $0 % 4 == 2 } + [1000]
            let kept = try await Self.numbers(connection)
            #expect(kept == expected)
        }
    }

    @Test("a statement that is first used by a failing transaction works for the next one")
    func firstUseInFailure() async throws {
        try await withTable { connection, _ in
            let shared = Statement("SELECT 'shared'")
            async let failing = failure {
                try await connection.transaction([Statement("SELECT 1 / 0"), shared], deadline: limit)
            }
            async let next = connection.query(shared, deadline: limit)
            async let transaction = connection.transaction([shared, Self.insert(1)], deadline: limit)
            #expect(await failing?.statementIndex == 0)
            let rowCount = try await next.rows.count
            #expect(rowCount == 1)
            let resultCount = try await transaction.count
            #expect(resultCount == 2)
        }
    }

    @Test("an empty transaction is allowed")
    func empty() async throws {
        try await withTable { connection, _ in
            let isEmpty = try await connection.transaction([], deadline: limit).isEmpty
            #expect(isEmpty)
        }
    }
}
