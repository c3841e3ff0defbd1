import Domain
import Storage
import Testing
import Timetable

/// What both stores do alike: jobs, schedules, workers, and the fence.
@Suite("Cluster store", .timeLimit(.minutes(3)))
struct ConformanceTests {
    @Test("a full definition comes back as it was put", arguments: Backend.allCases)
    func fullJob(_ backend: Backend) async throws {
        try await withStore(backend) { bench in
            var job = Job(
                id: JobID("e1"), version: 4, definition: try JobDefinition.full(), isEnabled: false,
                disabledReason: "schedule is exhausted", decidedThrough: -1,
                next: Occurrence(index: .max, due: at(60)), created: at(0),
                modified: Instant(microseconds: 1_795_262_400_000_001))
            job.counters.successes = 5
            job.counters.errors = 6
            job.counters.errorsSinceLastSuccess = 2
            job.counters.lastSuccess = at(7)
            job.counters.lastError = at(8)
            try await bench.commit { [job] in $0.putJobs = [job] }
            #expect(try await bench.job(named: job.definition.name) == job)
        }
    }

    @Test("a job without anything optional comes back as it was put", arguments: Backend.allCases)
    func emptyJob(_ backend: Backend) async throws {
        try await withStore(backend) { bench in
            let job = Job(
                id: JobID("e1"), version: 1, definition: JobDefinition(name: "j"), isEnabled: true, created: at(0),
                modified: at(0))
            try await bench.commit { $0.putJobs = [job] }
            #expect(try await bench.job(named: "j") == job)
            #expect(try await bench.job(named: "J") == nil)
            #expect(try await bench.store.jobs(.first, named: []).isEmpty)
        }
    }

    @Test("a put replaces the job whole, its name included", arguments: Backend.allCases)
    func replaceJob(_ backend: Backend) async throws {
        try await withStore(backend) { bench in
            var first = Job.scheduled("e1", name: "old")
            first.counters.successes = 9
            try await bench.commit { [first] in $0.putJobs = [first, .scheduled("e2")] }
            let second = Job.scheduled("e1", name: "new", version: 2, next: nil, isEnabled: false)
            try await bench.commit { $0.putJobs = [second] }
            #expect(try await bench.job(named: "old") == nil)
            #expect(try await bench.job(named: "new") == second)
            #expect(try await bench.job(named: "job-e2") == .scheduled("e2"))
        }
    }

    @Test("the name of another job is a conflict, and nothing of the commit stays", arguments: Backend.allCases)
    func nameConflict(_ backend: Backend) async throws {
        try await withStore(backend) { bench in
            try await bench.commit { $0.putJobs = [.scheduled("e1", name: "a")] }
            await expectStoreError(.conflict) {
                try await bench.commit {
                    $0.putJobs = [.scheduled("e3", name: "c"), .scheduled("e2", name: "a")]
                    $0.putWorkers = [.named("w1")]
                }
            }
            #expect(try await bench.job(named: "c") == nil)
            #expect(try await bench.store.loadOffice(.first).workers.isEmpty)
        }
    }

    @Test("a stale term is refused by every call that names one", arguments: Backend.allCases)
    func staleTerm(_ backend: Backend) async throws {
        try await withStore(backend) { bench in
            try await bench.commit { $0.putJobs = [.scheduled("e1")] }
            try await bench.setTerm(.second)
            await expectStoreError(.stale) { try await bench.commit { $0.putJobs = [.scheduled("e2")] } }
            await expectStoreError(.stale) { _ = try await bench.store.loadOffice(.first) }
            await expectStoreError(.stale) { _ = try await bench.store.agenda(.first, before: at(999), limit: 1) }
            await expectStoreError(.stale) { _ = try await bench.store.jobs(.first, named: ["job-e1"]) }
            #expect(try await bench.store.jobs(.second, named: ["job-e1", "job-e2"]).map(\.id) == [JobID("e1")])
        }
    }

    @Test("the same epoch on another timeline is another term", arguments: Backend.allCases)
    func otherTimeline(_ backend: Backend) async throws {
        try await withStore(backend) { bench in
            try await bench.setTerm(Term(timeline: 2, epoch: 1))
            await expectStoreError(.stale) { try await bench.commit { $0.putJobs = [.scheduled("e1")] } }
        }
    }

    @Test("the agenda holds enabled jobs that are due before the instant, earliest first", arguments: Backend.allCases)
    func agenda(_ backend: Backend) async throws {
        try await withStore(backend) { bench in
            try await bench.commit {
                $0.putJobs = [
                    .scheduled("e1", due: 30), .scheduled("e2", due: 10), .scheduled("e3", due: 20, isEnabled: false),
                    .scheduled("e4", next: nil), .scheduled("e5", due: 40), .dependent("e6", on: ["job-e1"]),
                    .scheduled("e0", due: 30),
                ]
            }
            func names(_ before: Int64, _ limit: Int) async throws -> [String] {
                try await bench.store.agenda(.first, before: at(before), limit: limit).map(\.id.rawValue)
            }
            #expect(try await names(40, 10) == ["e2", "e0", "e1"])
            #expect(try await names(41, 10) == ["e2", "e0", "e1", "e5"])
            #expect(try await names(41, 2) == ["e2", "e0"])
            #expect(try await names(10, 10) == [])
            #expect(try await names(41, -1) == [])
        }
    }

    @Test("an advance moves the schedule of its version only", arguments: Backend.allCases)
    func advance(_ backend: Backend) async throws {
        try await withStore(backend) { bench in
            let job = Job.scheduled("e1", version: 2)
            try await bench.commit { $0.putJobs = [job] }
            let next = Occurrence(index: 6, due: at(360))
            try await bench.commit { $0.advances = [Advance(job: job.reference, decidedThrough: 5, next: next)] }
            var advanced = try #require(try await bench.job(named: "job-e1"))
            #expect(advanced.decidedThrough == 5)
            #expect(advanced.next == next)

            let old = JobVersion(job: job.id, version: 1)
            let message = await expectStoreError(.conflict) {
                try await bench.commit { $0.advances = [Advance(job: old, decidedThrough: 7, next: nil)] }
            }
            #expect(message.contains("e1"))
            try await bench.commit { $0.advances = [Advance(job: job.reference, decidedThrough: 6, next: nil)] }
            advanced = try #require(try await bench.job(named: "job-e1"))
            #expect(advanced.decidedThrough == 6)
            #expect(advanced.next == nil)
        }
    }

    @Test("an occurrence with a verdict gets no second one", arguments: Backend.allCases, [5, 4] as [Int64])
    func advanceIsMonotone(_ backend: Backend, _ again: Int64) async throws {
        try await withStore(backend) { bench in
            let job = Job.scheduled("e1")
            try await bench.commit { $0.putJobs = [job] }
            try await bench.commit { $0.advances = [Advance(job: job.reference, decidedThrough: 5, next: nil)] }
            await expectStoreError(.conflict) {
                try await bench.commit {
                    $0.advances = [Advance(job: job.reference, decidedThrough: again, next: nil)]
                    $0.newRuns = [.scheduled("r1", of: job, index: again)]
                }
            }
            #expect(try await bench.run(RunID("r1")) == nil)
        }
    }

    @Test("eras open once and close once", arguments: Backend.allCases)
    func eras(_ backend: Backend) async throws {
        try await withStore(backend) { bench in
            let job = Job.scheduled("e1")
            guard case .schedule(let text) = job.definition.trigger else { return }
            var era = ScheduleEra(
                job: job.reference, jobName: "job-e1", schedule: text, firstIndex: -3, closed: nil)
            try await bench.commit { [era] in $0.newEras = [era] }
            #expect(try await bench.eras() == [era])
            await expectStoreError(.conflict) { try await bench.commit { [era] in $0.newEras = [era] } }
            try await bench.commit { $0.closedEras = [(job: job.reference, at: at(5))] }
            try await bench.commit { $0.closedEras = [(job: job.reference, at: at(9))] }
            era.closed = at(5)
            #expect(try await bench.eras() == [era])
        }
    }

    @Test("a deleted job takes its edges along, and leaves its name free", arguments: Backend.allCases)
    func deleteJob(_ backend: Backend) async throws {
        try await withStore(backend) { bench in
            let ids = (1...4).map { JobID("e\($0)") }
            try await bench.commit {
                $0.putJobs = [
                    .scheduled("e1"), .scheduled("e2"), .dependent("e3", on: ["job-e1", "job-e2"]),
                    .dependent("e4", on: ["job-e3"]),
                ]
                $0.replacedEdges = [
                    (
                        child: ids[2],
                        edges: [
                            Edge(parent: ids[0], child: ids[2], isSatisfied: false),
                            Edge(parent: ids[1], child: ids[2], isSatisfied: true),
                        ]
                    ), (child: ids[3], edges: [Edge(parent: ids[2], child: ids[3], isSatisfied: false)]),
                ]
            }
            try await bench.commit { $0.deletedJobs = [ids[0], JobID("none")] }
            var office = try await bench.store.loadOffice(.first)
            #expect(
                office.edges == [
                    Edge(parent: ids[1], child: ids[2], isSatisfied: true),
                    Edge(parent: ids[2], child: ids[3], isSatisfied: false),
                ])
            try await bench.commit {
                $0.deletedJobs = [ids[2], ids[3]]
                $0.edges = [Edge(parent: ids[1], child: ids[2], isSatisfied: false)]
            }
            office = try await bench.store.loadOffice(.first)
            #expect(office.edges.isEmpty)
            #expect(office.dependents.isEmpty)
            try await bench.commit { $0.putJobs = [.scheduled("e9", name: "job-e1")] }
        }
    }

    @Test("edges are replaced for a child and satisfied one by one", arguments: Backend.allCases)
    func edges(_ backend: Backend) async throws {
        try await withStore(backend) { bench in
            let child = JobID("c")
            func edge(_ parent: String, _ isSatisfied: Bool) -> Edge {
                Edge(parent: JobID(parent), child: child, isSatisfied: isSatisfied)
            }
            try await bench.commit { $0.replacedEdges = [(child: child, edges: [edge("a", false), edge("b", true)])] }
            try await bench.commit { $0.edges = [edge("a", true), edge("unknown", true)] }
            #expect(try await bench.store.loadOffice(.first).edges == [edge("a", true), edge("b", true)])
            try await bench.commit { $0.replacedEdges = [(child: child, edges: [edge("b", false), edge("d", true)])] }
            #expect(try await bench.store.loadOffice(.first).edges == [edge("b", false), edge("d", true)])
            try await bench.commit { $0.replacedEdges = [(child: child, edges: [])] }
            #expect(try await bench.store.loadOffice(.first).edges.isEmpty)
        }
    }

    @Test("tallies add up in their order, several of one job in one commit too", arguments: Backend.allCases)
    func tallies(_ backend: Backend) async throws {
        try await withStore(backend) { bench in
            let job = Job.scheduled("e1")
            func tally(_ isSuccess: Bool, _ second: Int64) -> Tally {
                Tally(job: job.id, isSuccess: isSuccess, at: at(second))
            }
            try await bench.commit { $0.putJobs = [job] }
            try await bench.commit { $0.tallies = [tally(false, 1), tally(false, 2)] }
            var counters = try #require(try await bench.job(named: "job-e1")).counters
            #expect(counters.errors == 2)
            #expect(counters.errorsSinceLastSuccess == 2)
            #expect(counters.lastSuccess == nil)
            #expect(counters.lastError == at(2))
            try await bench.commit {
                $0.tallies = [
                    tally(false, 3), tally(true, 4), tally(false, 5),
                    Tally(job: JobID("x"), isSuccess: true, at: at(1)),
                ]
            }
            counters = try #require(try await bench.job(named: "job-e1")).counters
            #expect(counters.successes == 1)
            #expect(counters.errors == 4)
            #expect(counters.errorsSinceLastSuccess == 1)
            #expect(counters.lastSuccess == at(4))
            #expect(counters.lastError == at(5))
        }
    }

    @Test("Carillon disables a version of a job, not its successor", arguments: Backend.allCases)
    func disabled(_ backend: Backend) async throws {
        try await withStore(backend) { bench in
            let job = Job.scheduled("e1", version: 2)
            try await bench.commit { $0.putJobs = [job] }
            try await bench.commit { $0.disabled = [(job: JobVersion(job: job.id, version: 1), reason: "x")] }
            #expect(try await bench.job(named: "job-e1")?.isEnabled == true)
            try await bench.commit { $0.disabled = [(job: job.reference, reason: "bad \0 schedule")] }
            let disabled = try #require(try await bench.job(named: "job-e1"))
            #expect(!disabled.isEnabled)
            #expect(disabled.disabledReason == "bad \u{FFFD} schedule")
        }
    }

    @Test("workers are put whole", arguments: Backend.allCases)
    func workers(_ backend: Backend) async throws {
        try await withStore(backend) { bench in
            try await bench.commit { $0.putWorkers = [.named("w2"), .named("w1")] }
            try await bench.commit { $0.putWorkers = [.named("w2", boot: "b2", isDrained: true)] }
            let workers = try await bench.store.loadOffice(.first).workers
            #expect(workers == [.named("w1"), .named("w2", boot: "b2", isDrained: true)])
        }
    }

    @Test("an empty commit checks the fence and nothing else", arguments: Backend.allCases)
    func emptyCommit(_ backend: Backend) async throws {
        try await withStore(backend) { bench in
            try await bench.commit { _ in }
            await expectStoreError(.stale) { try await bench.commit(.second) { _ in } }
        }
    }
}
