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

    @Test("jobs of some categories and targets are listed in the same order, and counted")
    func places() async throws {
        try await withDatabase { database in
            try await database.setTerm(.first)
            var changes = Changes()
            // Nothing said is `general` and `allgrp`.
            for (number, place) in [("", ""), ("red", ""), ("red", "h1"), ("", "h1"), ("red", "h2"), ("general", "h2")]
                .enumerated()
            {
                var job = Job.scheduled("e\(number)")
                job.definition.category = place.0
                if !place.1.isEmpty { job.definition.target = .named(place.1) }
                changes.putJobs.append(
                    Job(
                        id: job.id, version: 1, definition: job.definition, isEnabled: true,
                        created: at(Int64(number)), modified: at(50)))
            }
            try await PostgresClusterStore(pool: database.pool).commit(.first, changes)
            let jobs = Stores(pool: database.pool).jobs
            func names(_ jobs: [Job]) -> [String] { jobs.map(\.id.rawValue) }
            let general = JobFilter(categories: ["general"], targets: nil)
            let page = try await jobs.newest(of: general)
            #expect(names(page) == ["e5", "e3", "e0"])
            let second = try await jobs.newest(offset: 1, limit: 1, of: general)
            #expect(names(second) == ["e3"])
            let counted = try await jobs.newest(beforeOldest: 1, limit: 1, of: general)
            #expect(names(counted) == ["e3"])
            let after = try await jobs.newest(olderThan: page[0], limit: 5, of: general)
            #expect(names(after) == ["e3", "e0"])
            let both = try await jobs.newest(of: JobFilter(categories: ["red"], targets: ["allgrp", "h2"]))
            #expect(names(both) == ["e4", "e1"])
            let none = try await jobs.newest(of: JobFilter(categories: [], targets: nil))
            #expect(none.isEmpty)
            let all = try await jobs.places()
            #expect(
                Set(all) == [
                    JobPlace(category: "general", target: "allgrp", count: 1),
                    JobPlace(category: "red", target: "allgrp", count: 1),
                    JobPlace(category: "red", target: "h1", count: 1),
                    JobPlace(category: "general", target: "h1", count: 1),
                    JobPlace(category: "red", target: "h2", count: 1),
                    JobPlace(category: "general", target: "h2", count: 1),
                ])
        }
    }
}
