import Foundation
import PostgresClient
import Runtime
import TestSupport
import Testing

@Suite("Connection", .timeLimit(.minutes(2)))
struct ConnectionTests {
    let server: TestPostgres

    init() throws {
        server = try TestPostgres.shared()
    }

    @Test("a query gives its rows")
    func rows() async throws {
        let url = server.url()
        try await onLoop { loop in
            let connection = try await PostgresConnection.connect(PostgresConfiguration(url: url), loop: loop)
            let result = try await connection.query(
                Statement("SELECT $1::text AS name, $2::int AS number, NULL AS nothing", "a", 7), deadline: .seconds(5))
            #expect(result.rows.count == 1)
            #expect(result.rows[0].string("name") == "a")
            #expect(try result.rows[0].requireInt64("number") == 7)
            #expect(result.rows[0].isNull("nothing"))
            await connection.close()
        }
    }
}
