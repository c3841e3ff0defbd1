import Domain
import PostgresClient
import Storage
import TestSupport
import Testing

@Suite("Schema", .timeLimit(.minutes(2)))
struct MigrationTests {
    @Test("migrating twice changes nothing the second time")
    func twice() async throws {
        try await withDatabase { database in
            try await database.query("INSERT INTO carillon.edges VALUES ('a', 'b', true)")
            try await Schema(pool: database.pool).migrate()
            #expect(try await database.count("edges") == 1)
            #expect(try await database.count("migrations") == Schema.version)
            try await Schema(pool: database.pool).verify()
        }
    }

    @Test("nodes that start at once migrate once")
    func concurrently() async throws {
        try await withDatabase(migrated: false, poolSize: 8) { database in
            // Eight connections, so that the eight transactions really run side by side.
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<8 { group.addTask { try await Schema(pool: database.pool).migrate() } }
                try await group.waitForAll()
            }
            #expect(try await database.count("migrations") == Schema.version)
            #expect(try await database.count("leadership") == 1)
        }
    }

    @Test("a newer schema that only adds is worked with: nodes are upgraded one at a time")
    func expanded() async throws {
        try await withDatabase { database in
            try await database.query("INSERT INTO carillon.migrations (step) VALUES (1000)")
            try await Schema(pool: database.pool).migrate()
            try await Schema(pool: database.pool).verify()
            #expect(try await database.count("migrations") == Schema.version + 1)
        }
    }

    @Test("a newer schema that says it does not suit this program is refused, by migrate and by verify")
    func newer() async throws {
        try await withDatabase { database in
            try await database.query("INSERT INTO carillon.migrations (step, needs) VALUES (1000, 999)")
            for message in [
                await expectStoreError(.data) { try await Schema(pool: database.pool).migrate() },
                await expectStoreError(.data) { try await Schema(pool: database.pool).verify() },
            ] {
                #expect(message.contains("1000") && message.contains("newer carillon"), "\(message)")
            }
        }
    }

    @Test("a database without schema is refused with what to do")
    func missing() async throws {
        try await withDatabase(migrated: false) { database in
            let refused = await expectStoreError(.data) { try await Schema(pool: database.pool).verify() }
            #expect(refused.contains("carillon migrate"))
            let failed = await expectStoreError(.connection) { _ = try await Stores(pool: database.pool).jobs.all() }
            #expect(failed.contains("carillon migrate"))
        }
    }

    @Test("a role that may not create schemas can use a migrated database")
    func plainRole() async throws {
        try await withDatabase { database in
            let role = "plain_\(UInt32.random(in: 0 ... .max))"
            try await database.query("CREATE ROLE \(role)")
            try await database.query("GRANT USAGE ON SCHEMA carillon TO \(role)")
            try await database.query("GRANT SELECT ON ALL TABLES IN SCHEMA carillon TO \(role)")
            var configuration = PostgresConfiguration(url: database.url)
            configuration.serverSettings = [("role", role)]
            let pool = PostgresPool(configuration, size: 1, loop: database.loop)
            try await Schema(pool: pool).migrate()
            await pool.close()
            try await database.query("DROP OWNED BY \(role)")
            try await database.query("DROP ROLE \(role)")
        }
    }
}
