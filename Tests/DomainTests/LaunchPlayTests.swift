import Testing
import Timetable

@testable import Domain

/// Launches by request: who is let in, who waits, and copies on each worker.
@Suite struct LaunchPlayTests {
    @Test("as many runs as the job allows are active, the next is refused or queued, and the queue has a limit")
    func limits() throws {
        let play = Play()
        play.worker("w1")
        try play.job("a") {
            $0.title = "Title A"
            $0.maximumActive = 2
            $0.overlap = .skip
        }
        var request = RunRequest()
        request.isRefusedIfBlocked = true
        for _ in 0..<2 { _ = try play.launch(.name("a"), immediately: true) }
        #expect(play.offers.count == 2)
        #expect(
            play.refusal(.runJob(.name("a"), request))?.message
                == "Maximum of 2 jobs already running for event: Title A")
        try play.job("a") {
            $0.maximumActive = 2
            $0.overlap = .queue
            $0.queueLimit = 1
        }
        let queued = try play.launch(.name("a"), immediately: true)
        #expect(queued.isQueued && queued.waiting == 1 && queued.runs.count == 1)
        #expect(
            play.refusal(.runJob(.name("a"), request))?.message
                == "Job could not be queued: Event queue reached max of 1 items")
        play.finish()
        #expect(play.active("a").map(\.state) == [.offered])
    }

    @Test("parallel requests in one turn do not get past the limit")
    func parallel() throws {
        let play = Play()
        play.worker("w1")
        try play.job("a")
        var request = RunRequest()
        request.isRefusedIfBlocked = true
        let results = play.turn((0..<20).map { _ in .runJob(.name("a"), request) })
        #expect(results.count { if case .success = $0 { true } else { false } } == 1)
        #expect(play.active("a").count == 1)
    }

    @Test("a queue is flushed of what waits, not of what runs")
    func flush() throws {
        let play = Play()
        play.worker("w1")
        try play.job("a") { $0.overlap = .queue }
        for _ in 0..<3 { try play.run("a") }
        play.claim()
        guard case .runs(let flushed) = try play.tell(.flushQueue(.name("a"))) else { return }
        #expect(flushed.count == 2)
        #expect(play.active("a").map(\.state) == [.started])
        #expect(play.ended("a").allSatisfy { $0.state == .aborted })
    }

    @Test("a multiplexed run has a copy for each worker that it may run on, which later copies wait for")
    func multiplex() throws {
        let play = Play()
        for name in ["w1", "w2", "w3", "x"] { play.worker(name) }
        let group = WorkerGroup(id: "g", title: "G", pattern: "^w", authorship: Play.authorship)
        try play.catalogue(.group(group))
        try play.job("a") {
            $0.isMultiplexed = true
            $0.stagger = .seconds(10)
            $0.target = .named("g")
        }
        let report = try play.launch(.name("a"), immediately: true)
        #expect(report.runs.count == 3)
        #expect(play.active("a").map(\.lane) == [0, 1, 2])
        #expect(play.offers.map(\.worker) == ["w1"])
        play.claim()
        play.pass(.seconds(9))
        #expect(play.offers.isEmpty)
        play.failover()
        play.pass(.seconds(2))
        #expect(play.offers.map(\.worker) == ["w2"])
        play.claim()
        play.pass(.seconds(10))
        #expect(play.offers.map(\.worker) == ["w3"])
        play.finish()
        #expect(play.ended("a").count == 3)
    }

    @Test("the copies of a schedule's run are one occurrence, with one verdict")
    func multiplexedSchedule() throws {
        let play = Play(at: "2026-01-01T00:00:00Z")
        for name in ["w1", "w2"] { play.worker(name) }
        try play.job("a", .schedule(text("R/2026-01-01T00:01:00Z/PT1M"))) { $0.isMultiplexed = true }
        play.pass(.seconds(61))
        #expect(play.active("a").count == 2 && play.verdicts("a") == [.launched])
        play.finish()
        play.pass(.seconds(60))
        #expect(play.verdicts("a") == [.launched, .launched])
        #expect(play.ended("a").count == 2 && play.active("a").count == 2)
    }

    @Test("without any worker a multiplexed run waits for one")
    func multiplexNowhere() throws {
        let play = Play()
        try play.job("a") { $0.isMultiplexed = true }
        try play.run("a")
        play.worker("w1")
        #expect(play.offers.map(\.worker) == ["w1"])
    }

    @Test("a job is found by identifier and by name, and keeps its identifier when it is renamed")
    func keys() throws {
        let play = Play()
        play.worker("w1")
        var definition = JobDefinition(name: "a")
        let job = try play.put(definition) { $0.id = JobID("my_id") }
        #expect(job.id == JobID("my_id"))
        try play.job("child", .parents(["a"]))
        definition.name = "b"
        let renamed = try play.put(definition) { $0.id = JobID("my_id") }
        #expect(renamed.id == job.id && renamed.version == 2 && play.named("a") == nil)
        #expect(play.named("child")?.definition.trigger == .parents(["b"]))
        _ = try play.launch(.id(JobID("my_id")))
        _ = try play.launch(.either("b"))
        #expect(play.refusal(.runJob(name: "a", arguments: ""))?.code == .notFound)
        play.finish()
        play.finish()
        #expect(play.active("child").count + play.ended("child").count >= 1)
        try play.tell(.deleteJob(.either("my_id")))
        #expect(play.named("b") == nil)
    }

    @Test("a name that another job has, an identifier that none may have, and a second creation are refused")
    func conflicts() throws {
        let play = Play()
        try play.job("a")
        let taken = try play.put(JobDefinition(name: "b")) { $0.id = JobID("b1") }
        for (name, id, mode, code) in [
            ("a", "b1", PutMode.upsert, DomainError.Code.conflict), ("c", "b1", .createOnly, .conflict),
            ("c", "zz", .updateOnly, .notFound), ("c", "Not-Possible", .upsert, .invalid), ("c", "", .upsert, .invalid),
        ] {
            #expect {
                try play.put(JobDefinition(name: name), mode: mode) { $0.id = JobID(id) }
            } throws: { ($0 as? DomainError)?.code == code }
        }
        #expect(play.named("b") == taken && play.named("c") == nil)
    }

    @Test("a rename and the next command by the old or the new name agree within one turn")
    func renameInTurn() throws {
        let play = Play()
        let job = try play.job("a")
        var options = PutOptions()
        options.id = job.id
        let results = play.turn([
            .putJob(JobDefinition(name: "b"), isEnabled: true, counters: nil, mode: .upsert, options: options),
            .runJob(name: "a", arguments: ""), .runJob(name: "b", arguments: ""), .runJob(.id(job.id), RunRequest()),
        ])
        #expect(throws: DomainError.self) { try results[1].get() }
        #expect(throws: Never.self) { try results[2].get() }
        #expect(throws: Never.self) { try results[3].get() }
        #expect(play.active("b").count == 2)
    }

    @Test("a job with runs that have not ended is not deleted where that was asked for")
    func idleOnly() throws {
        let play = Play()
        try play.job("a")
        try play.run("a")
        #expect(play.refusal(.deleteJob(.name("a"), onlyIfIdle: true))?.code == .conflict)
        try play.tell(.killRuns(jobName: "a", includingQueued: true))
        try play.tell(.deleteJob(.name("a"), onlyIfIdle: true))
        #expect(play.named("a") == nil)
    }

    @Test("counters are kept where that is asked for")
    func counters() throws {
        let play = Play()
        play.worker("w1")
        try play.job("a")
        try play.run("a")
        play.finish()
        try play.put(JobDefinition(name: "a")) { $0.keepsCounters = true }
        #expect(play.named("a")?.counters.successes == 1)
        try play.job("a")
        #expect(play.named("a")?.counters.successes == 0)
    }

    @Test("a run's definition can be changed while it runs: its retries and what follows it")
    func update() throws {
        let play = Play()
        play.worker("w1")
        try play.job("next")
        let job = try play.job("a") { $0.retries = 5 }
        let id = try play.run("a")
        play.claim()
        var definition = job.definition
        definition.retries = 0
        definition.onFailure = "next"
        definition.resources.cpus = 100
        try play.tell(.updateRun(id, definition))
        play.failover()
        play.turn([play.report(AttemptID(run: id, number: 0), .exited(code: 1))])
        #expect(play.database.history[id]?.state == .failed)
        #expect(play.active("next").count == 1)
        #expect(play.refusal(.updateRun(id, definition))?.code == .notFound)
    }

    @Test("what a worker tells of a running task is kept until it ends, within a bound")
    func details() throws {
        let play = Play()
        play.worker("w1")
        try play.job("a") { $0.overlap = .allow }
        let ids = try (0..<2).map { _ in try play.run("a") }
        play.claim()
        func beat(_ size: Int) -> LeaderCommand {
            var details = AttemptDetails()
            details.logBytes = Int64(size)
            details.reported = String(repeating: "x", count: size)
            var heartbeat = play.beat("w1")
            heartbeat.held = ids.map {
                HeldAttempt(attempt: AttemptID(run: $0, number: 0), phase: .started, details: details)
            }
            return .heartbeat(heartbeat)
        }
        try play.tell(beat(10))
        #expect(play.state.activeRun(ids[0])?.details?.reported.count == 10)
        try play.tell(beat(Limits.liveDetails - 5))
        let kept = ids.compactMap { play.state.activeRun($0)?.details }
        #expect(kept.count == 2 && kept.allSatisfy { $0.logBytes == Int64(Limits.liveDetails - 5) })
        #expect(play.state.detailBytes <= Limits.liveDetails + 2)
        play.finish()
        #expect(play.state.detailBytes == 0 && play.state.activeRuns().isEmpty)
    }
}
