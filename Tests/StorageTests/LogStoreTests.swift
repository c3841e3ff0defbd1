import Domain
import PostgresClient
import Storage
import TestSupport
import Testing
import Timetable

@Suite("Stored logs", .timeLimit(.minutes(2)))
struct LogStoreTests {
    private static func log(_ run: String, _ number: Int = 0, day: Int64 = 0, _ bytes: [UInt8]) -> AttemptLog {
        AttemptLog(
            attempt: AttemptID(run: RunID(run), number: number), finishedAt: at(day * 86_400),
            extent: LogExtent(total: 100, head: 10, tail: 20, size: 40), gzip: bytes)
    }

    @Test("a log comes back as it was put, whole and in slices, and a repetition changes nothing")
    func roundTrip() async throws {
        try await withDatabase { database in
            let store = Stores(pool: database.pool).logs
            let bytes = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* $0) }
            let logs = [Self.log("r1", 0, bytes), Self.log("r1", 1, [1]), Self.log("r2", 0, [])]
            try await store.put(logs)
            try await store.put([Self.log("r1", 0, bytes), Self.log("r3", 0, [9])])
            try await store.put([])
            #expect(try await store.get(logs[0].attempt) == logs[0])
            #expect(try await store.get(logs[2].attempt) == logs[2])
            #expect(try await store.get(AttemptID(run: RunID("r9"), number: 0)) == nil)
            let entries = try await store.list(RunID("r1"))
            #expect(entries.map(\.attempt.number) == [0, 1] && entries.map(\.compressedBytes) == [300_000, 1])
            #expect(entries.first?.extent == logs[0].extent)
            let entry = try #require(entries.first)
            #expect(try await store.slice(entry, from: 0, count: 1000) == Array(bytes[..<1000]))
            #expect(try await store.slice(entry, from: 299_990, count: 1000) == Array(bytes[299_990...]))
            #expect(try await store.slice(entry, from: 300_000, count: 1000) == [])
        }
    }

    @Test("the server stores compressed bytes as they are")
    func notCompressedAgain() async throws {
        try await withDatabase { database in
            let store = Stores(pool: database.pool).logs
            try await store.put([Self.log("r1", 0, [UInt8](repeating: 0, count: 100_000))])
            let stored = try await database.query("SELECT pg_column_size(gzip) FROM carillon.run_logs")
            #expect(stored.first?.first == "100000")
        }
    }

    @Test("a log that is too long is refused, and nothing of its batch is kept")
    func tooLong() async throws {
        try await withDatabase { database in
            let store = Stores(pool: database.pool).logs
            let long = Self.log("r2", 0, [UInt8](repeating: 1, count: StorageLimits.logBytes + 1))
            await expectStoreError(.data) { try await store.put([Self.log("r1", 0, [1]), long]) }
            let kept = try await store.list(RunID("r1"))
            #expect(kept.isEmpty)
        }
    }

    @Test("logs are deleted with their run, and dropped by the day")
    func retention() async throws {
        try await withDatabase { database in
            let stores = Stores(pool: database.pool)
            let week = Retention.days(7)
            try await stores.upkeep.maintain(now: at(0), retention: week)
            try await stores.logs.put([Self.log("r1", 0, [1]), Self.log("r1", 1, [1]), Self.log("r2", 0, day: 3, [2])])
            #expect(try await stores.logs.delete(RunID("r1")) == 2)
            #expect(try await stores.logs.delete(RunID("r1")) == 0)
            try await stores.upkeep.maintain(now: at(10 * 86_400), retention: week)
            #expect(try await stores.logs.list(RunID("r2")).count == 1)
            try await stores.upkeep.maintain(now: at(11 * 86_400), retention: week)
            #expect(try await stores.logs.list(RunID("r2")).isEmpty)
        }
    }
}
