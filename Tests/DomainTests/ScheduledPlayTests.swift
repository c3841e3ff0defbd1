import Testing
import Timetable

@testable import Domain

@Suite struct ScheduledPlayTests {
    static let minutely = Trigger.schedule(text("R/2026-01-01T00:00:10Z/PT1M"))

    @Test("a due job is launched, offered, claimed and ends")
    func plain() throws {
        let play = Play()
        play.worker("w1")
        try play.job("a", Self.minutely)
        play.pass(.seconds(9))
        #expect(play.active("a").isEmpty)
        play.pass(.seconds(1))
        #expect(play.active("a").map(\.state) == [.offered])
        play.finish()
        #expect(play.ended("a").map(\.state) == [.succeeded])
        #expect(play.named("a")?.counters.successes == 1)
        #expect(play.verdicts("a") == [.launched])
    }

    @Test("posting a job again goes on where its schedule stands")
    func repost() throws {
        let play = Play()
        play.worker("w1")
        try play.job("a", Self.minutely)
        play.pass(.seconds(15))
        play.finish()
        let again = try play.job("a", Self.minutely) { $0.command = "other" }
        #expect(again.version == 2)
        #expect(again.next?.index == 1)
        play.pass(.seconds(55))
        #expect(play.active("a").map(\.due) == [instant("2026-01-01T00:01:10Z")])
    }

    @Test("a job posted again in the very turn in which it is due keeps the verdict of that turn")
    func repostInTheTurn() throws {
        let play = Play { $0.horizon = .seconds(20) }
        play.worker("w1")
        try play.job("a", Self.minutely)
        play.uptime += .seconds(10)
        play.wall = play.wall.advanced(by: .seconds(10))
        try play.job("a", Self.minutely)
        #expect(play.verdicts("a") == [.launched])
        #expect(play.named("a")?.next?.index == 1)
    }

    @Test("a job is disabled when its last run has ended, not before")
    func exhaustion() throws {
        let play = Play()
        play.worker("w1")
        try play.job("a", .schedule(text("R2/2026-01-01T00:00:10Z/PT10S")))
        play.pass(.seconds(10))
        play.finish()
        #expect(play.named("a")?.isEnabled == true)
        play.pass(.seconds(10))
        play.claim()
        #expect(play.named("a")?.isEnabled == true)
        play.finish()
        #expect(play.named("a")?.isEnabled == false)
        #expect(play.named("a")?.disabledReason == "")
    }

    @Test("a job whose last occurrence is skipped is disabled when the run before it ends")
    func exhaustionBySkip() throws {
        let play = Play()
        play.worker("w1")
        try play.job("a", .schedule(text("R2/2026-01-01T00:00:10Z/PT10S")))
        play.pass(.seconds(10))
        play.claim()
        play.pass(.seconds(10))
        #expect(play.verdicts("a") == [.launched, .skipped])
        #expect(play.named("a")?.isEnabled == true)
        play.finish()
        #expect(play.named("a")?.isEnabled == false)
    }

    @Test("a job whose last run is retried is disabled after the last try")
    func exhaustionByRetry() throws {
        let play = Play { $0.retryDelay = .seconds(5) }
        play.worker("w1")
        try play.job("a", .schedule(text("R1/2026-01-01T00:00:10Z/PT10S"))) { $0.retries = 1 }
        play.pass(.seconds(10))
        play.finish(1)
        #expect(play.active("a").map(\.state) == [.waiting])
        #expect(play.named("a")?.isEnabled == true)
        play.pass(.seconds(5))
        play.finish(1)
        #expect(play.named("a")?.isEnabled == false)
        #expect(play.named("a")?.counters.errors == 1)
        #expect(play.database.attempts.count == 2)
    }

    @Test("the end of an old version's last run leaves the new version on the agenda")
    func oldVersionEnds() throws {
        let play = Play()
        play.worker("w1")
        try play.job("a", .schedule(text("R1/2026-01-01T00:00:10Z/PT10S")))
        play.pass(.seconds(10))
        play.claim()
        try play.job("a", .schedule(text("R/2026-01-01T00:00:30Z/PT10S")))
        play.finish()
        #expect(play.named("a")?.isEnabled == true)
        play.pass(.seconds(20))
        #expect(play.active("a").map(\.due) == [instant("2026-01-01T00:00:30Z")])
    }

    @Test("a run whose start window closes is missed, and so is its occurrence")
    func window() throws {
        let play = Play()
        try play.job("a", Self.minutely) { $0.startWindow = .seconds(20) }
        play.pass(.seconds(31))
        #expect(play.ended("a").map(\.state) == [.missed])
        #expect(play.verdicts("a") == [.missed])
        #expect(play.ended("a").first?.reason.contains("no worker is alive") == true)
    }

    @Test("a run that is aborted before it starts leaves an occurrence that was skipped")
    func abortBeforeStart() throws {
        let play = Play()
        try play.job("a", Self.minutely)
        play.pass(.seconds(10))
        let id = try #require(play.active("a").first?.id)
        try play.tell(.abortRun(id))
        #expect(play.ended("a").map(\.state) == [.aborted])
        #expect(play.verdicts("a") == [.skipped])
    }

    @Test("what a job misses while it is disabled is nobody's")
    func disabled() throws {
        let play = Play()
        play.worker("w1")
        try play.job("a", Self.minutely)
        play.pass(.seconds(15))
        play.finish()
        try play.job("a", Self.minutely, enabled: false)
        play.pass(.seconds(600))
        #expect(play.verdicts("a") == [.launched])
        try play.job("a", Self.minutely)
        #expect(play.verdicts("a") == [.launched])
        let open = play.database.eras.values.filter { $0.closed == nil }
        #expect(open.map(\.firstIndex) == [11])
        play.pass(.seconds(60))
        #expect(play.verdicts("a") == [.launched, .launched])
    }

    @Test("a schedule whose zone has gone disables its job, and its era ends before what was not decided")
    func poison() throws {
        let play = Play(zones: NoZones(known: ["Mars/Base"]))
        play.worker("w1")
        try play.job("bad", .schedule(text("R/2026-01-01T01:00:10Z/PT1M", zone: "Mars/Base")))
        try play.job("good", Self.minutely)
        play.zones.known = []
        play.failover()
        #expect(play.named("bad")?.isEnabled == false)
        #expect(play.named("bad")?.disabledReason.contains("cannot be computed") == true)
        let era = play.database.eras.values.first { $0.jobName == "bad" }
        #expect(try #require(era?.closed) < instant("2026-01-01T00:00:10Z"))
        play.pass(.seconds(10))
        #expect(play.active("good").count == 1)
    }

    @Test("after an outage a job with catch-up for all launches in portions")
    func portions() throws {
        let play = Play { $0.launchesPerTurn = 10 }
        play.worker("w1", cpus: 100)
        try play.job("a", .schedule(text("R/2026-01-01T00:00:10Z/PT1S"))) {
            $0.catchUp = .all
            $0.overlap = .allow
        }
        play.uptime += .seconds(34)
        play.wall = play.wall.advanced(by: .seconds(34))
        play.turn()
        #expect(play.active("a").count == 10)
        #expect(play.state.nextWall.map { $0 <= play.wall } == true)
        play.turn()
        #expect(play.active("a").count == 20)
        play.turn()
        #expect(play.active("a").count == 25)
        // What follows is offered ahead.
        #expect(play.state.nextWall == instant("2026-01-01T00:00:34.5Z"))
    }

    @Test("a clock that is stepped back repeats nothing")
    func steppedBack() throws {
        let play = Play()
        play.worker("w1")
        try play.job("a", Self.minutely)
        play.pass(.seconds(10))
        play.finish()
        play.wall = play.wall.advanced(by: .seconds(-3_600))
        play.pass(.seconds(3_600))
        #expect(play.verdicts("a") == [.launched])
        play.pass(.seconds(60))
        #expect(play.verdicts("a") == [.launched, .launched])
    }

    @Test("thousands of jobs that are due at one instant are decided in one turn")
    func herd() throws {
        let play = Play()
        let start = instant("2026-01-01T00:00:00Z")
        for number in 0..<3_000 {
            var definition = JobDefinition(name: "j\(number)")
            definition.trigger = .schedule(text("R/2026-01-01T00:00:10Z/PT1H"))
            definition.resources = Resources(cpus: Double(number) / 1e6, memory: 1, disk: 1)
            let job = Job(
                id: JobID("e\(number)"), version: 1, definition: definition, isEnabled: true,
                next: Occurrence(index: 0, due: instant("2026-01-01T00:00:10Z")), created: start, modified: start)
            play.database.jobs[job.id] = job
            play.database.definitions[job.reference] = definition
        }
        play.worker("w1", cpus: 1_000)
        let clock = ContinuousClock()
        play.state.extendAgenda(
            play.database.agenda(before: start.advanced(by: .seconds(60))), through: start.advanced(by: .seconds(60)))
        let moment = Moment(wall: start.advanced(by: .seconds(10)), uptime: .seconds(1_003))
        let spent = clock.measure {
            play.state.advance(to: moment)
            play.state.place(now: moment)
        }
        let changes = play.state.drainChanges()
        #expect(changes.newRuns.count == 3_000)
        #expect(changes.newRuns.allSatisfy { $0.state == .offered })
        // What grows with the square of the jobs would take minutes; the bound leaves room for a busy machine.
        #expect(spent < .seconds(8))
    }
}
