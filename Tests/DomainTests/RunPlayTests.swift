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
            let next = play.database.runs[id]?.notBefore
            #expect(attempt == 2 || play.state.explanation(of: id)?.contains(next?.iso8601 ?? "-") == true)
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

    @Test("a completion that is reported before the leader has heard of the claim is not lost")
    func earlyCompletion() throws {
        let play = Play()
        play.worker("w1")
        try play.job("a") { $0.reportsCompletion = true }
        let id = try play.run("a")
        let due = try #require(play.active("a").first).due.milliseconds
        // Granted by another node.
        let isGranted = play.database.claim(AttemptID(run: id, number: 0), by: "w1", at: play.wall)
        #expect(isGranted)
        guard case .flag(true) = try play.tell(.completeRun(taskID: "ct:\(due):0:a:", statusCode: 0)) else {
            Issue.record("nobody waits for it")
            return
        }
        #expect(play.ended("a").map(\.state) == [.succeeded])
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
}
