import Domain
import Storage
import TestSupport
import Testing
import Timetable

@Suite("Overviews", .timeLimit(.minutes(2)))
struct OverviewsTests {
    private static func commit(_ database: TestDatabase, _ change: (inout Changes) -> Void) async throws {
        try await database.setTerm(.first)
        var changes = Changes()
        change(&changes)
        try await PostgresClusterStore(pool: database.pool).commit(.first, changes)
    }

    @Test("pages of jobs neither overlap nor leave gaps, whatever the names")
    func pages() async throws {
        try await withDatabase { database in
            let names = ["é", "a", "A", "a b", "a-b", "b", "Z", "_", "\u{1F514}"]
            try await Self.commit(database) {
                $0.putJobs = names.enumerated().map { .scheduled("e\($0.offset)", name: $0.element) }
            }
            let store = Stores(pool: database.pool).jobs
            var seen: [String] = []
            while seen.count <= names.count {
                let page = try await store.page(after: seen.last, limit: 2).map(\.definition.name)
                if page.isEmpty { break }
                seen += page
            }
            #expect(seen == names.sorted { $0.unicodeScalars.lexicographicallyPrecedes($1.unicodeScalars) })
        }
    }

    @Test("recent runs begin with those that go on, then come those that ended last")
    func recent() async throws {
        try await withDatabase { database in
            let job = Job.scheduled("e1")
            let other = Job.scheduled("e2")
            try await Self.commit(database) {
                $0.newRuns = [.scheduled("r1", of: job), .scheduled("r2", of: other)]
                $0.finishedRuns = [
                    .from(to: Run.scheduled("r3", of: job, index: 3).finished(.failed, at: at(9))),
                    .from(to: Run.scheduled("r4", of: job, index: 4).finished(.succeeded, at: at(8))),
                    .from(to: Run.scheduled("r5", of: other, index: 5).finished(.succeeded, at: at(7))),
                ]
            }
            let store = Stores(pool: database.pool).runs
            func ids(_ name: String?, _ limit: Int) async throws -> [String] {
                try await store.recent(jobName: name, limit: limit).map(\.id.rawValue)
            }
            #expect(try await ids(nil, 10) == ["r2", "r1", "r3", "r4", "r5"])
            #expect(try await ids(nil, 3) == ["r2", "r1", "r3"])
            #expect(try await ids(nil, 1) == ["r2"])
            #expect(try await ids("job-e1", 10) == ["r1", "r3", "r4"])
            #expect(try await ids("none", 10).isEmpty)
        }
    }

    @Test("entries are found by the instants at which their occurrences were due")
    func entriesByTime() async throws {
        try await withDatabase { database in
            func entry(_ job: Job, _ index: Int64, due: ClosedRange<Int64>) -> LedgerEntry {
                var entry = LedgerEntry.launched(job, index: index, run: .scheduled("r\(index)", of: job))
                entry.firstDue = at(due.lowerBound)
                entry.lastDue = at(due.upperBound)
                entry.recorded = at(due.upperBound)
                return entry
            }
            let entries = [
                entry(.scheduled("e1"), 1, due: 10...20), entry(.scheduled("e2"), 2, due: 15...15),
                entry(.scheduled("e1"), 3, due: 30...40),
            ]
            try await Self.commit(database) { $0.ledger = entries }
            let store = Stores(pool: database.pool).ledger
            func found(_ from: Int64, _ to: Int64, _ name: String? = nil, limit: Int = 9) async throws -> [Int64] {
                try await store.entries(dueFrom: at(from), to: at(to), jobName: name, limit: limit).map(\.firstIndex)
            }
            #expect(try await found(0, 100) == [1, 2, 3])
            #expect(try await found(16, 30) == [1])
            #expect(try await found(15, 31) == [1, 2, 3])
            #expect(try await found(0, 100, "job-e1") == [1, 3])
            #expect(try await found(0, 100, limit: 1) == [1])
            #expect(try await found(41, 100).isEmpty)
        }
    }
}
