import Domain
import Testing
import Timetable

@testable import Storage

/// What both stores do alike: the catalogue, contexts of runs, and finding jobs.
@Suite("Cluster store: catalogue", .timeLimit(.minutes(3)))
struct CatalogueConformanceTests {
    private static let authorship = Authorship(username: "jane", created: at(1), modified: at(2))

    private static func plugin(_ id: String, title: String = "t") -> CatalogueItem {
        var plugin = Plugin(id: id, title: title, command: "/bin/cat", authorship: authorship)
        plugin.parameters = #"[{"id":"it's","value":"a\nb"}]"#
        plugin.environment = #"{"A":"1"}"#
        return .plugin(plugin)
    }

    @Test("a fresh cluster has the stock catalogue, and its schedules are on", arguments: Backend.allCases)
    func stock(_ backend: Backend) async throws {
        try await withStore(backend) { bench in
            let catalogue = try await bench.store.loadOffice(.first).catalogue
            #expect(Set(catalogue.categories.keys) == ["general"])
            #expect(Set(catalogue.groups.keys) == ["allgrp", "maingrp"])
            #expect(Set(catalogue.plugins.keys) == ["shellplug", "testplug", "urlplug"])
            #expect(catalogue.plugins["shellplug"]?.command == "bin/shell-plugin.js")
            #expect(catalogue.plugins["shellplug"]?.parameters.contains(#"#!/bin/sh\n\n# Enter"#) == true)
            #expect(catalogue.categories["general"]?.description == "For events that don't fit anywhere else.")
            #expect(catalogue.isSchedulingEnabled)
        }
    }

    @Test("members are put whole, replaced and deleted", arguments: Backend.allCases)
    func items(_ backend: Backend) async throws {
        try await withStore(backend) { bench in
            var category = Category(id: "c", title: "C", authorship: Self.authorship)
            category.limits.memoryBytes = 9
            category.maximumActive = 3
            category.notifications.webHook = "http://h/"
            let group = WorkerGroup(id: "g", title: "G", pattern: "^db", authorship: Self.authorship)
            let items = [Self.plugin("p"), .category(category), .group(group)]
            try await bench.commit { $0.putCatalogue = items }
            var catalogue = try await bench.store.loadOffice(.first).catalogue
            #expect(items.allSatisfy { catalogue[$0.key] == $0 })
            try await bench.commit {
                $0.putCatalogue = [Self.plugin("p", title: "other")]
                $0.deletedCatalogue = [CatalogueKey(.group, "g"), CatalogueKey(.group, "none")]
                $0.isSchedulingEnabled = false
            }
            catalogue = try await bench.store.loadOffice(.first).catalogue
            #expect(catalogue.plugins["p"]?.title == "other" && catalogue.groups["g"] == nil)
            #expect(!catalogue.isSchedulingEnabled)
        }
    }

    @Test("a commit of a former leader changes nothing of the catalogue", arguments: Backend.allCases)
    func stale(_ backend: Backend) async throws {
        try await withStore(backend) { bench in
            try await bench.setTerm(.second)
            await expectStoreError(.stale) {
                try await bench.commit {
                    $0.putCatalogue = [Self.plugin("p")]
                    $0.isSchedulingEnabled = false
                }
            }
            let catalogue = try await bench.store.loadOffice(.second).catalogue
            #expect(catalogue.plugins["p"] == nil && catalogue.isSchedulingEnabled)
        }
    }

    @Test("jobs are found by identifier, by name, and by what they refer to", arguments: Backend.allCases)
    func wanted(_ backend: Backend) async throws {
        try await withStore(backend) { bench in
            try await bench.commit {
                $0.putJobs = (1...4).map { number in
                    var job = Job.scheduled("e\(number)")
                    job.definition.category = "c\(number)"
                    job.definition.plugin = "p\(number)"
                    job.definition.target = .named("g\(number)")
                    return job
                }
            }
            func found(_ wanted: JobsWanted) async throws -> [String] {
                try await bench.store.jobs(.first, wanted).map(\.id.rawValue)
            }
            #expect(try await found(JobsWanted()) == [])
            #expect(
                try await found(JobsWanted(names: ["job-e1", "x"], ids: [JobID("e1"), JobID("e3")])) == ["e1", "e3"])
            let users: Set = [
                CatalogueKey(.category, "c2"), CatalogueKey(.plugin, "p4"), CatalogueKey(.group, "g4"),
                CatalogueKey(.plugin, "c1"),
            ]
            #expect(try await found(JobsWanted(usersOf: users)) == ["e2", "e4"])
        }
    }

    @Test("the context of an active run is replaced, and comes back whole", arguments: Backend.allCases)
    func contexts(_ backend: Backend) async throws {
        try await withStore(backend) { bench in
            let job = Job.scheduled("e1")
            try await bench.commit {
                $0.putJobs = [job]
                $0.newRuns = [.scheduled("r1", of: job)]
            }
            var link = ChainLink(
                run: RunID("r0"), job: JobID("e0"), jobTitle: "T", data: "[1]", code: "\"x\"", description: "d",
                length: 3)
            link.parameters = "{}"
            let context = RunContext(
                definition: job.definition, source: "Manual (jane)", chain: link, postData: "{}", worker: "w1")
            try await bench.commit { $0.contexts = [(run: RunID("r1"), context: context)] }
            let run = try await bench.run(RunID("r1"))
            #expect(run?.context == context)
        }
    }
}

@Suite("Catalogue", .timeLimit(.minutes(3)))
struct CatalogueStoreTests {
    @Test("the newest member is listed first, one that is replaced keeps its place")
    func order() async throws {
        try await withDatabase { database in
            let stores = Stores(pool: database.pool)
            let stock = try await stores.catalogue.plugins()
            #expect(stock.map(\.id) == ["testplug", "shellplug", "urlplug"])
            #expect(stock.allSatisfy { $0.authorship.created > at(0) && $0.authorship.username == "admin" })
            let groups = try await stores.catalogue.groups()
            #expect(groups.map(\.id) == ["maingrp", "allgrp"])
            #expect(groups.map(\.dialectFields) == [#"{"master":1}"#, #"{"master":0}"#])
            let store = PostgresClusterStore(pool: database.pool)
            try await database.setTerm(.first)
            var changes = Changes()
            let authorship = Authorship(username: "", created: at(0), modified: at(0))
            changes.putCatalogue = ["a", "testplug", "b"].map {
                .plugin(Plugin(id: $0, title: "", command: "", authorship: authorship))
            }
            changes.isSchedulingEnabled = false
            try await store.commit(.first, changes)
            let listed = try await stores.catalogue.plugins()
            #expect(listed.map(\.id) == ["b", "a", "testplug", "shellplug", "urlplug"])
            let one = try await stores.catalogue.item(CatalogueKey(.plugin, "a"))
            #expect(one?.id == "a")
            let none = try await stores.catalogue.item(CatalogueKey(.category, "a"))
            #expect(none == nil)
            let isEnabled = try await stores.catalogue.isSchedulingEnabled()
            #expect(!isEnabled)
            let whole = try await stores.catalogue.catalogue()
            #expect(whole.plugins.count == 5 && whole.categories.count == 1 && !whole.isSchedulingEnabled)
        }
    }

    @Test("what a job with full catch-up has not decided yet is no hole of the ledger")
    func heldEra() async throws {
        try await withDatabase { database in
            let store = PostgresClusterStore(pool: database.pool)
            try await database.setTerm(.first)
            var changes = Changes()
            for (id, catchUp) in [("e1", CatchUpPolicy.all), ("e2", .latest)] {
                var job = Job.scheduled(id, due: 30)
                job.definition.catchUp = catchUp
                changes.putJobs.append(job)
                guard case .schedule(let text) = job.definition.trigger else { continue }
                changes.newEras.append(
                    ScheduleEra(
                        job: job.reference, jobName: job.definition.name, schedule: text, firstIndex: 0, closed: nil))
            }
            try await store.commit(.first, changes)
            let eras = try await Stores(pool: database.pool).ledger.eras(from: at(0), limit: 10)
            #expect(eras.map(\.closed) == [at(30).advanced(by: .microseconds(-1)), nil])
        }
    }
}
