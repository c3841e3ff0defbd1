import Testing
import Timetable

@testable import Domain

@Suite struct RunPlayTests {
    @Test("a failed try is repeated under a new number until retries are used up")
    func retries() throws {
        let play = Play { $0.retryDelay = .seconds(7) }
        play.worker("w1")
        try play.job("a") { $0.retries = 2 }
        let id = try play.run("a")
        for attempt in 0..<3 {
            #expect(play.database.runs[id]?.attempt == attempt)
            play.finish(1)
            play.pass(.seconds(7))
        }
        #expect(play.database.history[id]?.state == .failed)
        #expect(play.database.attempts.map(\.attempt.number) == [0, 1, 2])
        #expect(play.named("a")?.counters.errors == 1)
    }

    @Test("manual runs of one instant have different due instants")
    func uniqueDue() throws {
        let play = Play()
        try play.job("a")
        play.turn([.runJob(name: "a", arguments: ""), .runJob(name: "a", arguments: "x y")])
        #expect(Set(play.active("a").map(\.due.milliseconds)).count == 2)
    }

    @Test(
        "a manual run waits for the one before and goes when that has ended", arguments: [OverlapPolicy.skip, .queue])
    func serial(overlap: OverlapPolicy) throws {
        let play = Play()
        play.worker("w1")
        try play.job("a") { $0.overlap = overlap }
        let first = try play.run("a")
        let second = try play.run("a")
        #expect(play.database.runs[first]?.state == .offered)
        #expect(play.database.runs[second]?.state == .queued)
        #expect(play.state.explanation(of: second)?.contains("earlier run") == true)
        play.finish()
        #expect(play.database.runs[second]?.state == .offered)
    }

    enum Stage: String, CaseIterable { case queued, offered, started, waiting }

    @Test("a run is aborted in each of its states", arguments: Stage.allCases)
    func abort(stage: Stage) throws {
        let play = Play { $0.retryDelay = .seconds(60) }
        if stage != .queued { play.worker("w1") }
        try play.job("a") { $0.retries = 3 }
        let id = try play.run("a")
        if stage == .started || stage == .waiting { play.claim() }
        if stage == .waiting { play.turn([play.report(AttemptID(run: id, number: 0), .exited(code: 1))]) }
        #expect(play.database.runs[id]?.state.rawValue == stage.rawValue)
        try play.tell(.abortRun(id))
        if stage == .started {
            #expect(play.kills == [AttemptID(run: id, number: 0)])
            // The worker is told again with each heartbeat, until it reports.
            guard case .heartbeat(let reply) = try play.tell(.heartbeat(play.beat("w1"))) else { return }
            #expect(reply.kill == [AttemptID(run: id, number: 0)])
            play.turn([play.report(AttemptID(run: id, number: 0), .aborted)])
        }
        #expect(play.database.history[id]?.state == .aborted)
        #expect(throws: DomainError.self) { try play.tell(.abortRun(id)) }
        play.pass(.seconds(120))
        #expect(play.active("a").isEmpty)
    }

    @Test("killing a job's runs leaves those that wait, unless asked")
    func kill() throws {
        let play = Play()
        play.worker("w1")
        try play.job("a")
        let first = try play.run("a")
        let second = try play.run("a")
        guard case .runs(let ended) = try play.tell(.killRuns(jobName: "a", includingQueued: false)) else { return }
        #expect(ended == [first])
        #expect(play.database.runs[second]?.state == .offered)
        try play.tell(.killRuns(jobName: "a", includingQueued: true))
        #expect(play.active("a").isEmpty)
    }

    @Test("a killed try that fails is not repeated")
    func killedNotRetried() throws {
        let play = Play()
        play.worker("w1")
        try play.job("a") { $0.retries = 3 }
        let id = try play.run("a")
        play.claim()
        try play.tell(.abortRun(id))
        play.turn([play.report(AttemptID(run: id, number: 0), .signalled(15))])
        #expect(play.database.history[id]?.state == .aborted)
    }

    @Test("runs of a worker that falls silent are lost and repeated; its late result stands in history too")
    func lost() throws {
        let play = Play { $0.retryDelay = .seconds(1) }
        play.worker("w1")
        try play.job("a") { $0.retries = 1 }
        let id = try play.run("a")
        play.claim()
        play.pass(.seconds(20))
        #expect(play.database.runs[id]?.state == .started)
        play.alive = []
        play.pass(.seconds(13))
        #expect(play.database.runs[id]?.attempt == 1)
        #expect(play.database.attempts.map(\.state) == [.lost])
        play.turn([play.report(AttemptID(run: id, number: 0), .exited(code: 0))])
        play.turn([play.report(AttemptID(run: id, number: 0), .exited(code: 0))])
        #expect(play.database.attempts.map(\.state) == [.lost, .succeeded])
        #expect(play.database.runs[id]?.attempt == 1)
        // It is back: its silence is watched again.
        play.alive = ["w1"]
        play.pass(.seconds(2))
        play.claim()
        play.alive = []
        play.pass(.seconds(14))
        #expect(play.database.history[id]?.state == .lost)
        #expect(play.named("a")?.counters.errors == 1)
    }

    @Test("a started try that its worker twice does not name is lost")
    func forgotten() throws {
        let play = Play()
        play.worker("w1")
        try play.job("a")
        let id = try play.run("a")
        play.claim()
        play.alive = []
        let empty = WorkerHeartbeat(worker: "w1", boot: "1", held: [], freeDisk: 1)
        play.turn([.heartbeat(empty)])
        play.pass(.seconds(5))
        play.turn([.heartbeat(empty)])
        #expect(play.database.runs[id] != nil)
        play.turn([.heartbeat(empty)])
        #expect(play.database.history[id]?.state == .lost)
    }

    @Test("a worker that was started anew must register, and loses what it does not know")
    func reboot() throws {
        let play = Play()
        play.worker("w1")
        try play.job("a")
        let id = try play.run("a")
        play.claim()
        guard case .heartbeat(let reply) = try play.tell(.heartbeat(play.beat("w1", boot: "2"))) else { return }
        #expect(reply.mustRegister)
        play.worker("w1", boot: "2")
        play.alive = []
        play.pass(.seconds(5))
        let empty = WorkerHeartbeat(worker: "w1", boot: "2", held: [], freeDisk: 1)
        play.turn([.heartbeat(empty)])
        play.turn([.heartbeat(empty)])
        #expect(play.database.history[id]?.state == .lost)
    }

    @Test("a claim that only the heartbeat tells of is believed")
    func claimedElsewhere() throws {
        let play = Play()
        play.worker("w1")
        try play.job("a")
        let id = try play.run("a")
        let isGranted = play.database.claim(AttemptID(run: id, number: 0), by: "w1", at: play.wall)
        #expect(isGranted)
        play.pass(.seconds(10))
        #expect(play.state.runs[id]?.run.state == .started)
        #expect(play.database.runs[id]?.state == .started)
    }

    @Test("repeated and contradicting reports change nothing")
    func contradictions() throws {
        let play = Play()
        play.worker("w1")
        play.worker("w2")
        try play.job("a")
        let id = try play.run("a")
        let worker = try #require(play.claim().isEmpty ? nil : play.database.runs[id]?.worker)
        let attempt = AttemptID(run: id, number: 0)
        let other = worker == "w1" ? "w2" : "w1"
        play.turn([play.report(attempt, .exited(code: 1), worker: other)])
        #expect(play.database.runs[id]?.state == .started)
        play.turn([
            play.report(attempt, .exited(code: 0), worker: worker),
            play.report(attempt, .exited(code: 9), worker: worker),
        ])
        play.turn([play.report(attempt, .exited(code: 9), worker: worker)])
        #expect(play.database.history[id]?.state == .succeeded)
        #expect(play.database.attempts.count == 1)
    }

    @Test("an offer that nobody answers goes to a worker again")
    func unanswered() throws {
        let play = Play()
        play.worker("w1")
        try play.job("a")
        let id = try play.run("a")
        #expect(play.offers.count == 1)
        play.pass(.seconds(3))
        #expect(play.offers.count == 2)
        #expect(play.database.runs[id]?.state == .offered)
        play.finish()
        #expect(play.database.history[id]?.state == .succeeded)
    }

    @Test("a worker whose request failed gets none for a while, and then again")
    func transportFailure() throws {
        let play = Play()
        play.worker("w1")
        try play.job("a")
        let id = try play.run("a")
        play.answer(nil)
        #expect(play.database.runs[id]?.state == .queued)
        play.pass(.seconds(1))
        #expect(play.database.runs[id]?.state == .queued)
        play.pass(.seconds(1))
        #expect(play.database.runs[id]?.state == .offered)
    }

    @Test("an answer of an equal term does not make the leader offer without a pause")
    func staleOfEqualTerm() throws {
        let play = Play()
        play.worker("w1")
        try play.job("a")
        try play.run("a")
        play.answer(.stale(highest: Term(timeline: 1, epoch: 1)))
        #expect(play.offers.isEmpty)
    }

    private func refused(_ play: Play, permanent: Bool) -> OfferReply {
        .taken(
            boot: "1",
            refused: play.offers.map { OfferRefusal(attempt: $0.offer.attempt, reason: "no", isPermanent: permanent) },
            held: [])
    }

    @Test("a try that was refused for now is offered again after a pause")
    func refusedForNow() throws {
        let play = Play()
        play.worker("w1")
        try play.job("a")
        let id = try play.run("a")
        play.answer(refused(play, permanent: false))
        #expect(play.database.runs[id]?.state == .queued)
        play.pass(.seconds(1))
        #expect(play.database.runs[id]?.state == .offered)
    }

    @Test("a try that every worker refuses for good fails with their word")
    func refusedForGood() throws {
        let play = Play()
        play.worker("w1")
        play.worker("w2")
        try play.job("a")
        let id = try play.run("a")
        play.answer(refused(play, permanent: true))
        #expect(play.database.runs[id]?.state == .offered)
        play.answer(refused(play, permanent: true))
        #expect(play.database.history[id]?.state == .failed)
        #expect(play.database.history[id]?.reason.contains("refused it: no") == true)
    }

    @Test("a refusal for good is no failure while another worker is only silent for a moment")
    func refusedWhileOtherIsAway() throws {
        let play = Play()
        play.worker("w1")
        play.worker("w2", cpus: 1)
        play.alive = ["w1"]
        play.pass(.seconds(5))
        try play.job("a")
        try play.job("b")
        let id = try play.run("a")
        play.answer(refused(play, permanent: true))
        #expect(play.database.runs[id]?.state == .queued)
        // It does not keep others of its shape waiting.
        let other = try play.run("b")
        #expect(play.database.runs[other]?.state == .offered)
        play.alive = ["w1", "w2"]
        play.pass(.seconds(1))
        #expect(play.database.runs[id]?.worker == "w2")
    }

    @Test("a drained worker gets nothing new, keeps what it has, and gets again after")
    func drain() throws {
        let play = Play()
        play.worker("w1")
        try play.job("a") { $0.overlap = .allow }
        let first = try play.run("a")
        play.claim()
        try play.tell(.drainWorker(name: "w1", isDrained: true))
        let second = try play.run("a")
        #expect(play.database.runs[second]?.state == .queued)
        play.turn([play.report(AttemptID(run: first, number: 0), .exited(code: 0))])
        #expect(play.database.history[first]?.state == .succeeded)
        try play.tell(.drainWorker(name: "w1", isDrained: false))
        #expect(play.database.runs[second]?.state == .offered)
        #expect(throws: DomainError.self) { try play.tell(.drainWorker(name: "w9", isDrained: true)) }
    }

    @Test("a job that reports its completion holds no worker once its process has ended")
    func completion() throws {
        let play = Play()
        play.worker("w1")
        try play.job("a") {
            $0.reportsCompletion = true
            $0.timeout = .seconds(60)
        }
        let id = try play.run("a")
        play.finish()
        #expect(play.database.runs[id]?.state == .started)
        #expect(play.state.workers["w1"]?.used == .zero)
        let task = try #require(play.database.runs[id]?.taskID(arguments: ""))
        guard case .flag(let found) = try play.tell(.completeRun(taskID: task, statusCode: 3)) else { return }
        #expect(found)
        #expect(play.database.history[id]?.state == .failed)
        let second = try play.run("a")
        play.finish()
        play.failover()
        play.pass(.seconds(61))
        #expect(play.database.history[second]?.reason.contains("not reported") == true)
    }

    @Test("a new leader goes on with runs in every state")
    func adoption() throws {
        let play = Play { $0.retryDelay = .seconds(30) }
        play.worker("w1")
        for name in ["queued", "offered", "started", "waiting"] {
            try play.job(name) {
                $0.retries = 1
                if name == "queued" { $0.resources.cpus = 100 }
            }
        }
        let waiting = try play.run("waiting")
        play.finish(1)
        let started = try play.run("started")
        play.claim()
        let offered = try play.run("offered")
        let queued = try play.run("queued")
        play.failover()
        #expect(
            play.database.runs.mapValues(\.state) == [
                waiting: .waiting, started: .started, offered: .offered, queued: .queued,
            ])
        // The offer is repeated under the same number, so the worker knows it.
        #expect(play.offers.map(\.offer.attempt) == [AttemptID(run: offered, number: 0)])
        play.finish()
        play.pass(.seconds(30))
        play.finish()
        #expect(play.database.history[waiting]?.state == .succeeded)
        #expect(play.database.history[started]?.state == .succeeded)
        #expect(play.database.history[offered]?.state == .succeeded)
        play.worker("big", cpus: 200)
        play.finish()
        #expect(play.database.history[queued]?.state == .succeeded)
    }

    @Test("a new leader keeps the runs of a job apart, whatever their order")
    func adoptionKeepsOverlap() throws {
        let play = Play()
        play.worker("w1")
        try play.job("a")
        let first = try play.run("a")
        play.claim()
        let second = try play.run("a")
        // The queued one has the earlier due instant.
        let queued = try #require(play.database.runs[second])
        play.database.runs[second] = Run(
            id: queued.id, job: queued.job, jobName: "a", cause: queued.cause,
            due: play.wall.advanced(by: .seconds(-9)),
            state: .queued)
        play.failover()
        #expect(play.database.runs[first]?.state == .started)
        #expect(play.database.runs[second]?.state == .queued)
    }

    @Test("a started run whose worker no leader knows is lost in the end")
    func unknownWorker() throws {
        let play = Play()
        play.worker("w1")
        try play.job("a")
        let id = try play.run("a")
        play.claim()
        play.database.workers = [:]
        play.alive = []
        play.failover()
        play.pass(.seconds(12))
        #expect(play.database.history[id]?.state == .lost)
    }

    @Test("a state that is read anew within an office gives away no identifier twice")
    func identifiersGoOn() throws {
        let play = Play()
        try play.job("a")
        let first = try play.run("a")
        play.state = LeaderState(
            snapshot: play.database.snapshot, term: play.state.term, node: Play.node, policy: play.policy,
            zones: play.zones, now: play.now, continuing: play.state)
        let second = try play.run("a")
        #expect(first != second)
        try play.job("b")
        #expect(Set(play.database.jobs.keys).count == 2)
    }

    @Test("ten thousand runs are placed in one turn, whatever they need")
    func many() throws {
        let play = Play()
        play.worker("w1", cpus: 0.5)
        let job = try play.job("a")
        for number in 0..<10_000 {
            var definition = job.definition
            definition.resources = Resources(cpus: 1 + Double(number) / 1e5, memory: 1, disk: 1)
            definition.overlap = .allow
            let id = RunID("x\(number)")
            play.state.runs[id] = ActiveRun(
                run: Run(
                    id: id, job: job.reference, jobName: "a", cause: .manual(key: "\(number)"), due: play.wall),
                definition: definition)
            play.state.queue(id)
        }
        let spent = ContinuousClock().measure { play.state.place(now: play.now) }
        #expect(play.state.drainEffects().isEmpty)
        play.state.workers["w1"]?.worker.description.capacity = Resources(cpus: 1e9, memory: 1e9, disk: 1e9)
        let again = ContinuousClock().measure { play.state.place(now: play.now) }
        #expect(play.state.drainEffects().count == 40)
        // Quadratic work would be some 10⁸ steps: minutes in a debug build.
        #expect(spent < .seconds(10) && again < .seconds(10))
    }

    @Test("used capacity is the sum of what is held, whatever happens", arguments: 0..<8)
    func chance(seed: UInt64) throws {
        var chance = Seeded(seed)
        let play = Play { $0.retryDelay = .seconds(3) }
        for name in ["w1", "w2", "w3"] { play.worker(name, cpus: 1) }
        for number in 0..<5 {
            try play.job("j\(number)", .schedule(text("R/2026-01-01T00:00:05Z/PT\(number + 3)S"))) {
                $0.overlap = OverlapPolicy.allCases.randomElement(using: &chance) ?? .skip
                $0.startWindow = Bool.random(using: &chance) ? .seconds(4) : nil
                $0.retries = Int.random(in: 0...2, using: &chance)
                $0.resources.cpus = 0.3
            }
        }
        for _ in 0..<150 {
            switch Int.random(in: 0..<12, using: &chance) {
            case 0...2: play.claim()
            case 3: play.answer(nil)
            case 4: play.answer(refused(play, permanent: Bool.random(using: &chance)))
            case 5: play.alive = Set(["w1", "w2", "w3"].filter { _ in Int.random(in: 0..<4, using: &chance) > 0 })
            case 6:
                try play.tell(.killRuns(jobName: "j\(Int.random(in: 0..<5, using: &chance))", includingQueued: true))
            case 7: play.failover()
            case 8: play.worker("w2", cpus: 1, boot: "\(Int.random(in: 1..<3, using: &chance))")
            default: play.finish(Int.random(in: 0...1, using: &chance))
            }
            play.pass(.milliseconds(Int.random(in: 1...2_500, using: &chance)))
        }
        play.alive = ["w1", "w2", "w3"]
        for name in play.alive.sorted() { play.worker(name, cpus: 1) }
        // Whatever was going on, it comes to an end when nothing new begins.
        for number in 0..<5 { try play.tell(.deleteJob(name: "j\(number)")) }
        for _ in 0..<40 {
            play.finish()
            play.pass(.seconds(1))
        }
        #expect(play.database.runs.isEmpty)
        #expect(play.state.runsOfWorker.isEmpty && play.state.runsOfJob.isEmpty)
        for era in play.database.eras.values { try audit(era, of: play) }
    }

    /// Each occurrence of the era has exactly one verdict.
    private func audit(_ era: ScheduleEra, of play: Play) throws {
        var audit = try LedgerAudit(
            era, from: .distantPast, through: era.closed ?? play.wall, zones: play.zones)
        let entries = play.database.ledger.filter { $0.job == era.job }.sorted { $0.firstIndex < $1.firstIndex }
        for entry in entries { audit.take(entry) }
        let finding = audit.finish()
        #expect(finding.holes.isEmpty, "\(finding.holes)")
        #expect(finding.expected > 0)
    }
}
