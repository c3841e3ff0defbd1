import Testing
import Timetable

@testable import Domain

/// What follows the end of a run.
@Suite struct ChainPlayTests {
    private func stage(_ change: (inout JobDefinition) -> Void = { _ in }) throws -> Play {
        let play = Play(at: "2026-01-01T00:00:30Z") { $0.notifications.keepsActivity = true }
        play.worker("w1")
        try play.job("good") { $0.overlap = .allow }
        try play.job("bad")
        try play.job("a") {
            $0.title = "First"
            $0.onSuccess = "good"
            $0.onFailure = "bad"
            change(&$0)
        }
        return play
    }

    @Test("success and failure are each followed by their job, which is told of what was before it")
    func follows() throws {
        let play = try stage()
        let first = try play.run("a")
        play.finish()
        let good = try #require(play.active("good").first)
        #expect(good.cause == .chain(key: first.rawValue) && good.context?.source == "Chain Reaction (First)")
        #expect(good.context?.chain?.run == first && good.context?.chain?.length == 1)
        #expect(good.context?.chain?.code == "0" && good.context?.chain?.jobTitle == "First")
        let second = try play.run("a")
        play.claim()
        play.turn([play.report(AttemptID(run: second, number: 0), .exited(code: 7))])
        let bad = try #require(play.active("bad").first)
        #expect(bad.context?.chain?.code == "7")
        #expect(bad.context?.chain?.description == "it exited with status 7")
        #expect(play.active("good").count == 1)
    }

    @Test("a run that is repeated is followed after its last try only")
    func retries() throws {
        let play = try stage {
            $0.retries = 1
            $0.retryDelay = .zero
        }
        try play.run("a")
        play.finish(1)
        #expect(play.active("bad").isEmpty)
        play.pass(.seconds(1))
        play.finish(1)
        #expect(play.active("bad").count == 1)
    }

    @Test("nothing follows a run that somebody aborted; its job of failure follows one that a limit ended")
    func aborts() throws {
        let play = try stage()
        let first = try play.run("a")
        play.claim()
        try play.tell(.abortRun(first))
        play.turn([play.report(AttemptID(run: first, number: 0), .aborted)])
        #expect(play.active("bad").isEmpty && play.active("good").isEmpty)
        for (number, outcome) in [AttemptOutcome.timedOut, .exceeded(.memory)].enumerated() {
            let run = try play.run("a")
            play.claim()
            play.turn([play.report(AttemptID(run: run, number: 0), outcome)])
            #expect(play.active("bad").count + play.ended("bad").count == number + 1)
            play.finish()
        }
    }

    @Test("the task's own word replaces what its job names, and its data are handed on")
    func ownWord() throws {
        let play = try stage()
        try play.job("other")
        play.end(try play.run("a")) {
            $0.code = "0"
            $0.onSuccess = "other"
            $0.chainData = #"{"x":[1]}"#
            $0.chainParameters = #"{"p":2}"#
            $0.description = "fine"
        }
        let link = try #require(play.active("other").first?.context?.chain)
        #expect(link.data == #"{"x":[1]}"# && link.parameters == #"{"p":2}"# && link.description == "fine")
        #expect(play.active("good").isEmpty)
        play.end(try play.run("a")) { $0.onSuccess = "" }
        #expect(play.active("good").isEmpty && play.active("other").count == 1)
    }

    @Test("a chain is launched exactly once, whenever the leader changes")
    func failover() throws {
        for moment in 0..<4 {
            let play = try stage()
            if moment == 0 { play.failover() }
            let id = try play.run("a")
            if moment == 1 { play.failover() }
            play.claim()
            if moment == 2 { play.failover() }
            let report = play.report(AttemptID(run: id, number: 0), .exited(code: 0))
            play.turn([report])
            if moment == 3 { play.failover() }
            play.turn([report])
            #expect(play.active("good").count == 1, "failover at step \(moment)")
        }
    }

    @Test("a run that a worker loses is followed by the job of failure, though only a clock has ended it")
    func lost() throws {
        let play = try stage()
        try play.run("a")
        play.claim()
        play.failover()
        play.alive = []
        play.pass(.seconds(30))
        #expect(play.ended("a").first?.state == .lost)
        #expect(play.active("bad").count == 1)
    }

    @Test("an identifier is preferred to a name, and a job that is made while the first one runs is found")
    func resolution() throws {
        let play = try stage { $0.onSuccess = "later" }
        let first = try play.run("a")
        play.claim()
        try play.put(JobDefinition(name: "later")) { $0.id = JobID("x1") }
        try play.put(JobDefinition(name: "by-identifier")) { $0.id = JobID("later") }
        play.turn([play.report(AttemptID(run: first, number: 0), .exited(code: 0))])
        #expect(play.active("by-identifier").count == 1 && play.active("later").isEmpty)
        try play.run("a")
        play.claim()
        try play.tell(.deleteJob(.id(JobID("later"))))
        play.finish()
        #expect(play.active("later").count + play.ended("later").count == 1)
    }

    @Test("what cannot be launched is said in the history of the run and to the operator")
    func missing() throws {
        let play = try stage { $0.onSuccess = "gone" }
        let first = try play.run("a")
        play.finish()
        let reason = play.database.history[first]?.reason
        #expect(reason == "what follows it was not launched: job 'gone' not found")
        #expect(play.effects.contains { if case .notice(let text) = $0 { text.contains("'gone'") } else { false } })
        let told = play.database.outbox.map(\.notice).filter { $0.kind == .chainRefused }
        #expect(told.map(\.reason) == ["Event ID not found: gone"])
    }

    @Test("a chain that bites its tail ends at its limit")
    func loop() throws {
        let play = Play()
        play.worker("w1")
        try play.job("a") { $0.onSuccess = "b" }
        try play.job("b") { $0.onSuccess = "a" }
        try play.run("a")
        for _ in 0...(Limits.chainLength + 5) { play.finish() }
        #expect(play.database.runs.isEmpty)
        #expect(play.ended("a").count + play.ended("b").count == Limits.chainLength + 1)
        #expect(play.state.chainTargets.isEmpty && play.state.unknownChains.isEmpty)
    }

    @Test("a chained job runs even if it is switched off")
    func disabledTarget() throws {
        let play = try stage()
        try play.job("good", enabled: false)
        try play.run("a")
        play.finish()
        #expect(play.active("good").count == 1)
    }

    @Test("retries after a limit are the job's own decision")
    func limits() throws {
        for (retries, expected) in [(true, RunState.waiting), (false, .failed)] {
            let play = try stage {
                $0.retries = 3
                $0.retriesAfterLimit = retries
            }
            let id = try play.run("a")
            play.claim()
            play.turn([play.report(AttemptID(run: id, number: 0), .timedOut)])
            #expect((play.database.runs[id] ?? play.database.history[id])?.state == expected)
        }
    }
}
