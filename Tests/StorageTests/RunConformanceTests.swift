import Domain
import Storage
import Testing
import Timetable

/// What both stores do alike: runs, their history, and claims.
@Suite("Cluster store: runs", .timeLimit(.minutes(3)))
struct RunConformanceTests {
    @Test("a new leader finds the runs that go on, and the definitions that launched them", arguments: Backend.allCases)
    func loadOffice(_ backend: Backend) async throws {
        try await withStore(backend) { bench in
            let first = Job.scheduled("e1", version: 1)
            let second = Job.scheduled("e1", version: 2)
            let full = Run.full("r2", of: second)
            try await bench.commit {
                $0.putJobs = [first, .scheduled("e2")]
                $0.newRuns = [.scheduled("r1", of: first)]
            }
            try await bench.commit {
                $0.putJobs = [second]
                $0.newRuns = [full]
            }
            let office = try await bench.store.loadOffice(.first)
            #expect(office.runs == [.scheduled("r1", of: first), full])
            #expect(
                office.definitions == [first.reference: first.definition, second.reference: second.definition])
            #expect(office.dependents.isEmpty)
        }
    }

    @Test("runs outlive their job", arguments: Backend.allCases)
    func runsOfDeletedJob(_ backend: Backend) async throws {
        try await withStore(backend) { bench in
            let job = Job.scheduled("e1")
            try await bench.commit {
                $0.putJobs = [job]
                $0.newRuns = [.scheduled("r1", of: job)]
            }
            try await bench.commit { $0.deletedJobs = [job.id] }
            let office = try await bench.store.loadOffice(.first)
            #expect(office.runs.map(\.id) == [RunID("r1")])
            #expect(office.definitions == [job.reference: job.definition])
        }
    }

    @Test("the same cause and lane is launched once", arguments: Backend.allCases)
    func uniqueRuns(_ backend: Backend) async throws {
        try await withStore(backend) { bench in
            let job = Job.scheduled("e1")
            let first = Run.scheduled("r1", of: job)
            try await bench.commit { $0.newRuns = [first] }
            await expectStoreError(.conflict) {
                try await bench.commit {
                    $0.newRuns = [.scheduled("r3", of: job, index: 1), .scheduled("r2", of: job)]
                }
            }
            await expectStoreError(.conflict) {
                try await bench.commit { $0.newRuns = [.scheduled("r1", of: job, index: 1)] }
            }
            // Born and ended in one commit, but the same occurrence is running.
            await expectStoreError(.conflict) {
                try await bench.commit {
                    $0.finishedRuns = [.from(to: Run.scheduled("r4", of: job).finished(.missed, at: at(70)))]
                }
            }
            #expect(try await bench.store.loadOffice(.first).runs == [first])
            #expect(try await bench.history(job.id).isEmpty)
        }
    }

    @Test("another lane of the same cause is another run", arguments: Backend.allCases)
    func lanes(_ backend: Backend) async throws {
        try await withStore(backend) { bench in
            let job = Job.scheduled("e1")
            let lanes = (0..<3).map { lane in
                Run(
                    id: RunID("r\(lane)"), job: job.reference, jobName: "j", cause: .parents(key: "p"), lane: lane,
                    due: at(1))
            }
            try await bench.commit { $0.newRuns = lanes }
            #expect(try await bench.store.loadOffice(.first).runs == lanes)
        }
    }

    @Test("a run is updated only from a state and attempt that were expected", arguments: Backend.allCases)
    func updates(_ backend: Backend) async throws {
        try await withStore(backend) { bench in
            let job = Job.scheduled("e1")
            let run = Run.scheduled("r1", of: job)
            let other = Run.scheduled("r2", of: job, index: 1)
            try await bench.commit { $0.newRuns = [run, other] }
            let offered = run.becoming(.offered) {
                $0.worker = "w1"
                $0.offeredAt = at(3)
                $0.startDeadline = at(90)
                $0.notBefore = at(2)
                $0.reason = "r\0"
            }
            try await bench.commit { $0.runs = [.from(.queued, .waiting, to: offered)] }
            var stored = try #require(try await bench.run(run.id))
            #expect(stored.state == .offered && stored.worker == "w1" && stored.offeredAt == at(3))
            #expect(stored.startDeadline == at(90) && stored.notBefore == at(2))

            let message = await expectStoreError(.conflict) {
                try await bench.commit {
                    $0.runs = [
                        .from(.queued, to: other.becoming(.offered)), .from(.queued, to: offered.becoming(.missed)),
                    ]
                }
            }
            #expect(message.contains("r1") && !message.contains("r2"))
            #expect(try await bench.run(other.id)?.state == .queued)
            await expectStoreError(.conflict) {
                try await bench.commit { $0.runs = [.from(.offered, attempt: 1, to: offered.becoming(.queued))] }
            }
            await expectStoreError(.conflict) {
                try await bench.commit { $0.runs = [.from(.queued, to: .scheduled("r9", of: job, index: 9))] }
            }
            let retried = offered.becoming(.waiting) { $0.attempt = 1 }
            try await bench.commit { $0.runs = [.from(.offered, to: retried)] }
            stored = try #require(try await bench.run(run.id))
            #expect(stored.state == .waiting && stored.attempt == 1)
        }
    }

    @Test("an update writes all that can change of a run, and a new leader reads it", arguments: Backend.allCases)
    func wholeUpdate(_ backend: Backend) async throws {
        try await withStore(backend) { bench in
            let job = Job.scheduled("e1")
            let full = Run.full("r1", of: job)
            let empty = Run(
                id: full.id, job: full.job, jobName: full.jobName, cause: full.cause, lane: full.lane, due: full.due,
                adHocArguments: full.adHocArguments, isHighPriority: full.isHighPriority, context: full.context)
            try await bench.commit { $0.newRuns = [empty] }
            try await bench.commit { $0.runs = [.from(.queued, to: full)] }
            #expect(try await bench.run(full.id) == full)
            try await bench.commit { $0.runs = [.from(.waiting, attempt: full.attempt, to: empty)] }
            #expect(try await bench.run(full.id) == empty)
        }
    }

    /// A field that is added to a value without a column would silently be lost in every failover.
    @Test("each field of what is stored is known to the store")
    func fields() throws {
        #expect(Mirror(reflecting: Run.full("r1", of: .scheduled("e1"))).children.count == 20)
        #expect(Mirror(reflecting: try JobDefinition.full()).children.count == 42)
        #expect(Mirror(reflecting: Job.scheduled("e1")).children.count == 10)
        #expect(Mirror(reflecting: Worker.named("w")).children.count == 3)
        #expect(Mirror(reflecting: Worker.named("w").description).children.count == 6)
        #expect(Mirror(reflecting: AttemptRecord.failed("r1", 0, at: at(0))).children.count == 10)
    }

    @Test("a finished run moves to history with its tries and its verdict", arguments: Backend.allCases)
    func finish(_ backend: Backend) async throws {
        try await withStore(backend) { bench in
            let job = Job.scheduled("e1")
            let run = Run.scheduled("r1", of: job, state: .offered, worker: "w1")
            try await bench.commit {
                $0.putJobs = [job]
                $0.newRuns = [run]
                $0.ledger = [.launched(job, index: 0, run: run)]
            }
            let ended = run.finished(.failed, at: at(99))
            let tries = [
                AttemptRecord.failed("r1", 0, at: at(98), tail: "a\0b\u{1F514}"),
                AttemptRecord(
                    attempt: AttemptID(run: run.id, number: 1), worker: "", startedAt: nil, finishedAt: at(99),
                    state: .lost, signal: 9, reason: ""),
            ]
            try await bench.commit {
                $0.finishedRuns = [.from(.offered, .started, to: ended)]
                $0.attempts = tries
            }
            #expect(try await bench.run(run.id) == nil)
            #expect(try await bench.history(job.id) == [ended])
            let stored = try await bench.attempts(run.id)
            #expect(stored[0].outputTail == "a\u{FFFD}b\u{1F514}")
            #expect(stored[1] == tries[1])
            #expect(try await bench.ledger(job.reference) == [.launched(job, index: 0, run: run)])
            // The same end again: whoever reports it learns that it is known.
            await expectStoreError(.conflict) {
                try await bench.commit { $0.finishedRuns = [.from(.offered, to: ended)] }
            }
            #expect(try await bench.history(job.id) == [ended])
        }
    }

    @Test("a run that begins and ends in one commit is in history only", arguments: Backend.allCases)
    func bornEnded(_ backend: Backend) async throws {
        try await withStore(backend) { bench in
            let job = Job.scheduled("e1")
            let missed = Run.scheduled("r1", of: job).finished(.missed, at: at(70))
            let aborted = Run.scheduled("r2", of: job, index: 1).finished(.aborted, at: at(71))
            try await bench.commit {
                $0.newRuns = [aborted]
                $0.finishedRuns = [.from(to: missed)]
            }
            #expect(try await bench.store.loadOffice(.first).runs.isEmpty)
            #expect(try await bench.history(job.id) == [aborted, missed])
        }
    }

    @Test("a run cannot end without saying when, or in a state that is no end", arguments: Backend.allCases)
    func endless(_ backend: Backend) async throws {
        try await withStore(backend) { bench in
            let job = Job.scheduled("e1")
            await expectStoreError(.data) {
                try await bench.commit { $0.finishedRuns = [.from(to: .scheduled("r1", of: job, state: .failed))] }
            }
            await expectStoreError(.data) {
                try await bench.commit { $0.newRuns = [.scheduled("r1", of: job, state: .missed)] }
            }
            await expectStoreError(.data) {
                try await bench.commit {
                    $0.finishedRuns = [.from(to: Run.scheduled("r1", of: job).finished(.queued, at: at(1)))]
                }
            }
        }
    }

    @Test("a conflict in the last list undoes the first ones", arguments: Backend.allCases)
    func allOrNothing(_ backend: Backend) async throws {
        try await withStore(backend) { bench in
            let job = Job.scheduled("e1")
            let run = Run.scheduled("r1", of: job)
            let recorded = AttemptRecord.failed("r0", 0, at: at(5))
            try await bench.commit { $0.attempts = [recorded] }
            await expectStoreError(.conflict) {
                try await bench.commit {
                    $0.putJobs = [job]
                    $0.newRuns = [run]
                    $0.finishedRuns = [.from(.queued, to: run.finished(.aborted, at: at(6)))]
                    $0.attempts = [.failed("r1", 0, at: at(5)), recorded]
                    $0.ledger = [.launched(job, index: 0, run: run)]
                    $0.putWorkers = [.named("w1")]
                }
            }
            let office = try await bench.store.loadOffice(.first)
            #expect(office.runs.isEmpty && office.workers.isEmpty)
            #expect(try await bench.job(named: "job-e1") == nil)
            #expect(try await bench.history(job.id).isEmpty)
            #expect(try await bench.attempts(run.id).isEmpty)
            #expect(try await bench.ledger(job.reference).isEmpty)
            // What was rolled back can be written now.
            try await bench.commit { $0.attempts = [.failed("r1", 0, at: at(5))] }
            #expect(try await bench.attempts(run.id).count == 1)
        }
    }

    @Test("a revised verdict replaces that of the launched occurrence alone", arguments: Backend.allCases)
    func revised(_ backend: Backend) async throws {
        try await withStore(backend) { bench in
            let job = Job.scheduled("e1")
            let run = Run.scheduled("r1", of: job, index: 9)
            var coalesced = LedgerEntry.launched(job, index: 0, run: run)
            coalesced.lastIndex = 8
            coalesced.count = 9
            coalesced.verdict = .coalesced
            let launched = LedgerEntry.launched(job, index: 9, run: run)
            var skipped = LedgerEntry.launched(job, index: 10, run: run)
            skipped.run = nil
            skipped.verdict = .skipped
            try await bench.commit { [coalesced, skipped] in $0.ledger = [coalesced, launched, skipped] }
            try await bench.commit {
                $0.revisedVerdicts = [
                    (run: run.id, verdict: .missed, reason: "no worker until 12:05"),
                    (run: RunID("manual"), verdict: .missed, reason: ""),
                ]
            }
            var missed = launched
            missed.verdict = .missed
            missed.reason = "no worker until 12:05"
            #expect(try await bench.ledger(job.reference) == [coalesced, missed, skipped])
        }
    }

    // MARK: Claims

    private static func offered(_ bench: Bench, deadline: Instant? = nil) async throws -> Run {
        let run = Run.scheduled("r1", of: .scheduled("e1"), state: .offered, worker: "w1", startDeadline: deadline)
        try await bench.commit { $0.newRuns = [run] }
        return run
    }

    private static func claim(
        _ bench: Bench, worker: String = "w1", boot: String = "b1", attempt: Int = 0, now: Instant = at(61)
    ) async throws -> Bool {
        let wanted = AttemptID(run: RunID("r1"), number: attempt)
        let reply = try await bench.store.claim(
            ClaimRequest(worker: worker, boot: boot, attempts: [wanted]), now: now)
        #expect(reply.granted + reply.refused == [wanted])
        return reply.granted == [wanted]
    }

    @Test("a claim starts what is offered to the worker", arguments: Backend.allCases)
    func claims(_ backend: Backend) async throws {
        try await withStore(backend) { bench in
            let run = try await Self.offered(bench)
            #expect(try await Self.claim(bench))
            let started = try #require(try await bench.run(run.id))
            #expect(started.state == .started)
            #expect(started.startedAt == at(61))
        }
    }

    @Test("what is claimed before it is due is started when it is due", arguments: Backend.allCases)
    func claimAhead(_ backend: Backend) async throws {
        try await withStore(backend) { bench in
            let run = try await Self.offered(bench)
            #expect(try await Self.claim(bench, now: run.due.advanced(by: .milliseconds(-20))))
            let started = try #require(try await bench.run(run.id))
            #expect(started.state == .started && started.startedAt == run.due)
        }
    }

    @Test("a claim is granted again to the same boot, and changes nothing", arguments: Backend.allCases)
    func repeatedClaim(_ backend: Backend) async throws {
        try await withStore(backend) { bench in
            let run = try await Self.offered(bench, deadline: at(62))
            #expect(try await Self.claim(bench))
            #expect(try await Self.claim(bench, now: at(70)), "the deadline is for the start, which has happened")
            #expect(try await bench.run(run.id)?.startedAt == at(61))
            #expect(try await !Self.claim(bench, boot: "b2"))
            #expect(try await !Self.claim(bench, worker: "w2"))
        }
    }

    @Test("a claim needs no term", arguments: Backend.allCases)
    func claimUnderNewTerm(_ backend: Backend) async throws {
        try await withStore(backend) { bench in
            _ = try await Self.offered(bench)
            try await bench.setTerm(.second)
            #expect(try await Self.claim(bench))
        }
    }

    @Test("a claim after the start deadline is refused", arguments: Backend.allCases)
    func claimPastDeadline(_ backend: Backend) async throws {
        try await withStore(backend) { bench in
            let run = try await Self.offered(bench, deadline: at(62))
            #expect(try await !Self.claim(bench, now: at(62).advanced(by: .microseconds(1))))
            #expect(try await bench.run(run.id)?.state == .offered)
            #expect(try await Self.claim(bench, now: at(62)))
        }
    }

    @Test("a claim by another worker or of another try is refused", arguments: Backend.allCases)
    func foreignClaim(_ backend: Backend) async throws {
        try await withStore(backend) { bench in
            let run = try await Self.offered(bench)
            #expect(try await !Self.claim(bench, worker: "w2"))
            #expect(try await !Self.claim(bench, worker: ""))
            #expect(try await !Self.claim(bench, attempt: 1))
            #expect(try await !Self.claim(bench, attempt: Int.max))
            #expect(try await !Self.claim(bench, attempt: -1))
            #expect(try await bench.run(run.id)?.state == .offered)
        }
    }

    @Test("the claim of a worker that was passed over comes too late", arguments: Backend.allCases)
    func reoffered(_ backend: Backend) async throws {
        try await withStore(backend) { bench in
            let run = try await Self.offered(bench)
            try await bench.commit { $0.runs = [.from(.offered, to: run.becoming(.offered) { $0.worker = "w2" })] }
            #expect(try await !Self.claim(bench, worker: "w1"))
            #expect(try await Self.claim(bench, worker: "w2"))
            // And the leader that wants to offer it once more learns that it has started.
            await expectStoreError(.conflict) {
                try await bench.commit { $0.runs = [.from(.offered, to: run.becoming(.queued))] }
            }
        }
    }

    @Test("a new try forgets who claimed the one before", arguments: Backend.allCases)
    func claimOfRetry(_ backend: Backend) async throws {
        try await withStore(backend) { bench in
            let run = try await Self.offered(bench)
            #expect(try await Self.claim(bench))
            let retried = run.becoming(.started) { $0.attempt = 1 }
            try await bench.commit { $0.runs = [.from(.started, to: retried)] }
            #expect(try await !Self.claim(bench, attempt: 1))
            #expect(try await !Self.claim(bench, attempt: 0))
        }
    }

    @Test("a batch is answered try by try, in its order", arguments: Backend.allCases)
    func batch(_ backend: Backend) async throws {
        try await withStore(backend) { bench in
            let job = Job.scheduled("e1")
            let runs = (0..<4).map {
                Run.scheduled("r\($0)", of: job, index: Int64($0), state: $0 == 2 ? .queued : .offered, worker: "w1")
            }
            try await bench.commit { $0.newRuns = runs }
            let unknown = AttemptID(run: RunID("x"), number: 0)
            let asked = [unknown] + runs.reversed().map(\.attemptID)
            let reply = try await bench.store.claim(ClaimRequest(worker: "w1", boot: "b", attempts: asked), now: at(1))
            #expect(reply.granted == [runs[3], runs[1], runs[0]].map(\.attemptID))
            #expect(reply.refused == [unknown, runs[2].attemptID])
            let empty = try await bench.store.claim(ClaimRequest(worker: "w1", boot: "b", attempts: []), now: at(1))
            #expect(empty == ClaimReply(granted: [], refused: []))
        }
    }
}
