import Domain
import Testing
import Timetable

@testable import Storage

@Suite("Jobs by age")
struct JobOrderTests {
    @Test("pages of the newest jobs are the same from either end, and one after the other")
    func pages() async throws {
        try await withDatabase { database in
            try await database.setTerm(.first)
            var changes = Changes()
            // Two of each moment, so that the identifier decides between them.
            for number in 0..<10 {
                let template = Job.scheduled("e\(number)")
                changes.putJobs.append(
                    Job(
                        id: template.id, version: 1, definition: template.definition, isEnabled: true,
                        created: at(Int64(number / 2)), modified: at(50)))
            }
            try await PostgresClusterStore(pool: database.pool).commit(.first, changes)
            let jobs = Stores(pool: database.pool).jobs
            let all = try await jobs.newest().map(\.id.rawValue)
            #expect(all == ["e9", "e8", "e7", "e6", "e5", "e4", "e3", "e2", "e1", "e0"])
            let page = try await jobs.newest(offset: 6, limit: 3).map(\.id.rawValue)
            #expect(page == ["e3", "e2", "e1"])
            let counted = try await jobs.newest(beforeOldest: 1, limit: 3).map(\.id.rawValue)
            #expect(counted == page)
            var listed: [String] = []
            var last: Job?
            repeat {
                let next = try await jobs.newest(olderThan: last, limit: 4)
                listed += next.map(\.id.rawValue)
                last = next.last
            } while last != nil
            #expect(listed == all)
        }
    }
}
