import Testing
import Timetable

@testable import Domain

@Suite struct GraphPlayTests {
    private func family(_ change: (inout JobDefinition) -> Void = { _ in }) throws -> Play {
        let play = Play()
        play.worker("w1")
        try play.job("p")
        try play.job("q")
        try play.job("c", .parents(["p", "q"]), change)
        return play
    }

    @Test("a child is launched exactly once when all parents have succeeded since it last began")
    func join() throws {
        let play = try family()
        try play.run("p")
        play.finish()
        try play.run("p")
        play.finish()
        #expect(play.active("c").isEmpty && play.ended("c").isEmpty)
        try play.run("q")
        play.finish()
        #expect(play.active("c").count == 1)
        play.finish()
        try play.run("q")
        play.finish()
        #expect(play.active("c").isEmpty && play.ended("c").count == 1)
        try play.run("p")
        play.finish()
        #expect(play.active("c").count == 1)
    }

    @Test("a failed parent fires nothing, unless its failure counts as success")
    func failure() throws {
        let play = Play()
        play.worker("w1")
        try play.job("hard")
        try play.job("soft") { $0.softError = true }
        try play.job("a", .parents(["hard"]))
        try play.job("b", .parents(["soft"]))
        try play.run("hard")
        play.finish(1)
        try play.run("soft")
        play.finish(1)
        #expect(play.active("a").isEmpty)
        #expect(play.active("b").count == 1)
    }

    @Test("a run of the child by hand forgets what the parents did before")
    func reset() throws {
        let play = try family()
        try play.run("p")
        play.finish()
        try play.run("c")
        play.finish()
        try play.run("q")
        play.finish()
        #expect(play.active("c").isEmpty)
    }

    @Test("successes while a run of the child waits are the same run's")
    func coalesce() throws {
        let play = try family()
        try play.run("c")
        try play.run("c")
        #expect(play.active("c").map(\.state) == [.offered, .queued])
        for name in ["p", "q"] {
            let id = try play.run(name)
            play.claim()
            play.turn([play.report(AttemptID(run: id, number: 0), .exited(code: 0))])
        }
        #expect(play.active("c").map(\.state) == [.started, .queued])
        play.finish()
        play.finish()
        #expect(play.active("c").isEmpty && play.ended("c").count == 2)
    }

    @Test("half of a join survives the leader")
    func failover() throws {
        let play = try family()
        try play.run("p")
        play.finish()
        play.failover()
        try play.run("q")
        play.finish()
        #expect(play.active("c").count == 1)
    }

    @Test("a child that is disabled remembers its parents' success and is not launched")
    func disabledChild() throws {
        let play = try family()
        try play.job("c", .parents(["p", "q"]), enabled: false)
        try play.run("p")
        play.finish()
        try play.run("q")
        play.finish()
        #expect(play.active("c").isEmpty)
    }

    @Test("a parent that stays keeps its success when the child is posted again")
    func replaced() throws {
        let play = try family()
        try play.job("r")
        try play.run("p")
        play.finish()
        try play.job("c", .parents(["p", "r"]))
        try play.run("r")
        play.finish()
        #expect(play.active("c").count == 1)
    }

    @Test("deleting parents leaves the child its other parents, and at last none")
    func deleted() throws {
        let play = try family { $0.command = "kept" }
        try play.tell(.deleteJob(name: "p"))
        #expect(play.named("c")?.definition.trigger == .parents(["q"]))
        guard case .deleted(let deletion) = try play.tell(.deleteJob(name: "q")) else {
            Issue.record("the answer tells of no deletion")
            return
        }
        #expect(deletion.name == "q" && deletion.orphans == ["c"])
        #expect(play.named("c")?.definition.trigger == .manual)
        #expect(play.named("c")?.definition.command == "kept")
        #expect(play.database.edges.isEmpty && play.state.dependents.isEmpty && play.state.childrenOf.isEmpty)
    }

    @Test("deleting a job ends its runs")
    func deletedRuns() throws {
        let play = Play()
        play.worker("w1")
        try play.job("a") { $0.retries = 2 }
        let first = try play.run("a")
        play.claim()
        let second = try play.run("a")
        try play.tell(.deleteJob(name: "a"))
        #expect(play.database.history[second]?.state == .aborted)
        #expect(play.kills.map(\.run) == [first])
        play.turn([play.report(AttemptID(run: first, number: 0), .signalled(9))])
        #expect(play.database.history[first]?.state == .aborted)
        #expect(throws: DomainError.self) { try play.tell(.deleteJob(name: "a")) }
    }

    @Test("cycles, self-parents and missing parents are refused")
    func refusals() throws {
        let play = Play()
        try play.job("a")
        try play.job("b", .parents(["a"]))
        try play.job("c", .parents(["b"]))
        #expect(throws: DomainError.self) { try play.job("a", .parents(["a"])) }
        #expect {
            try play.job("a", .parents(["c"]))
        } throws: { ($0 as? DomainError)?.message.contains("cycle") == true }
        #expect {
            try play.job("d", .parents(["nobody"]))
        } throws: { ($0 as? DomainError)?.message.contains("not found") == true }
        #expect(throws: DomainError.self) { try play.job("d", .parents([])) }
        #expect(play.named("a")?.version == 1 && play.named("d") == nil)
    }

    @Test("a parent that is named twice is one parent")
    func twice() throws {
        let play = Play()
        play.worker("w1")
        try play.job("a")
        try play.job("b", .parents(["a", "a"]))
        try play.run("a")
        play.finish()
        #expect(play.active("b").count == 1)
    }

    @Test("success by mark fires the children and counts")
    func mark() throws {
        let play = Play()
        play.worker("w1")
        try play.job("a")
        try play.job("b", .parents(["a"]))
        try play.tell(.markSuccess(name: "a"))
        #expect(play.active("b").count == 1)
        #expect(play.named("a")?.counters.successes == 1)
    }

    @Test("modes of posting are held to")
    func modes() throws {
        let play = Play()
        #expect(throws: DomainError.self) { try play.job("a", mode: .updateOnly) }
        try play.job("a", mode: .createOnly)
        #expect(throws: DomainError.self) { try play.job("a", mode: .createOnly) }
        #expect(throws: DomainError.self) { try play.tell(.runJob(name: "b", arguments: "")) }
        let first = try play.job("a")
        let second = try play.job("a", mode: .replace(version: first.version))
        #expect(second.version == first.version + 1)
        let conflict = #expect(throws: DomainError.self) { try play.job("a", mode: .replace(version: first.version)) }
        #expect(conflict?.code == .conflict)
        #expect(throws: DomainError.self) { try play.job("b", mode: .replace(version: 1)) }
    }

    @Test("counters are kept by an update that asks for it, also of what this leader has counted")
    func counters() throws {
        let play = Play()
        play.worker("w1")
        let start = "2026-01-01T00:00:01.000Z"
        let schedule = ScheduleText(notation: .iso8601, text: "R/\(start)/PT1S", zone: "", anchor: instant(start))
        let definition = try play.job("a", .schedule(schedule)).definition
        func put(keeping: Bool) throws -> JobCounters? {
            var options = PutOptions()
            options.keepsCounters = keeping
            try play.tell(.putJob(definition, isEnabled: true, counters: nil, mode: .upsert, options: options))
            return play.named("a")?.counters
        }
        play.pass(.seconds(1))
        play.finish()
        #expect(try put(keeping: true)?.successes == 1)
        #expect(try put(keeping: false) == JobCounters())
    }

    @Test("a child that loses a parent keeps what was counted since the leader took office")
    func orphanCounters() throws {
        let play = try family()
        play.failover()
        for _ in 1...2 {
            try play.run("c")
            play.finish()
        }
        try play.tell(.deleteJob(name: "p"))
        #expect(play.named("c")?.counters.successes == 2)
        try play.tell(.deleteJob(name: "q"))
        #expect(play.named("c")?.counters.successes == 2)
        #expect(play.named("c")?.definition.trigger == .manual)
    }

    @Test("what waits for a worker or for its next try can be dropped, and what runs goes on")
    func dropping() throws {
        let play = Play()
        play.worker("w1", cpus: 0.1)
        try play.job("runs")
        try play.job("waits")
        try play.run("runs")
        play.claim()
        try play.run("waits")
        try play.tell(.dropWaitingRuns)
        #expect(play.active("runs").map(\.state) == [.started])
        #expect(play.active("waits").isEmpty)
        #expect(play.ended("waits").map(\.state) == [.aborted])
    }

    @Test("two runs of a job never share the millisecond that its task ids carry")
    func milliseconds() throws {
        let play = Play()
        play.worker("w1")
        let start = "2026-01-01T00:00:01.000Z"
        let schedule = ScheduleText(notation: .iso8601, text: "R1/\(start)/PT1H", zone: "", anchor: instant(start))
        try play.job("a", .schedule(schedule)) { $0.overlap = .allow }
        play.pass(.seconds(1))
        try play.run("a")
        try play.run("a")
        let dues = play.active("a").map(\.due.milliseconds)
        #expect(dues.count == 3)
        #expect(Set(dues).count == 3)
    }
}
