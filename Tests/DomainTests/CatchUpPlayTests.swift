import Testing
import Timetable

@testable import Domain

/// Jobs that catch up on all of their occurrences (cronicle.md §2.6).
@Suite struct CatchUpPlayTests {
    private let start = "2026-01-01T00:00:00Z"
    private let minutely = "R/2026-01-01T00:01:00Z/PT1M"

    @discardableResult
    private func job(
        _ play: Play, _ name: String, enabled: Bool = true, schedule: ScheduleText? = nil,
        _ change: (inout PutOptions) -> Void = { _ in }
    ) throws -> Job {
        try play.put(definition(name, schedule), enabled: enabled) { change(&$0) }
    }

    private func definition(_ name: String, _ schedule: ScheduleText? = nil) -> JobDefinition {
        var definition = JobDefinition(name: name)
        definition.trigger = .schedule(schedule ?? text(minutely))
        definition.catchUp = .all
        definition.retries = 0
        return definition
    }

    private func dues(_ play: Play, _ name: String) -> [String] {
        (play.active(name) + play.ended(name)).map(\.due).sorted().map { String($0.iso8601.dropFirst(11).prefix(5)) }
    }

    @Test("while an earlier run is active nothing is lost: each occurrence is run in its turn")
    func heldBack() throws {
        let play = Play(at: start)
        play.worker("w1")
        try job(play, "a")
        play.pass(.seconds(200))
        #expect(dues(play, "a") == ["00:01"])
        for expected in [["00:01", "00:02"], ["00:01", "00:02", "00:03"]] {
            play.finish()
            play.pass(.seconds(1))
            #expect(dues(play, "a") == expected)
        }
        play.finish()
        play.failover()
        play.pass(.seconds(40))
        #expect(dues(play, "a").last == "00:04")
        #expect(Set(play.verdicts("a")) == [.launched])
    }

    @Test("while all schedules are off jobs with full catch-up keep their backlog, others skip, requests go on")
    func schedulingOff() throws {
        let play = Play(at: start)
        play.worker("w1")
        try job(play, "all")
        try play.job("latest", .schedule(text(minutely)))
        try play.tell(.setScheduling(isEnabled: false))
        play.pass(.seconds(100))
        play.failover()
        play.pass(.seconds(50))
        #expect(play.database.runs.isEmpty)
        #expect(Set(play.verdicts("latest")) == [.skipped] && play.verdicts("all").isEmpty)
        #expect(play.database.ledger.first?.reason == "the scheduler is switched off")
        try play.run("latest")
        #expect(play.active("latest").count == 1)
        play.finish()
        try play.tell(.setScheduling(isEnabled: true))
        for _ in 0..<6 {
            play.pass(.seconds(1))
            play.finish()
        }
        #expect(dues(play, "all") == ["00:01", "00:02"])
        #expect(play.ended("latest").count == 1)
    }

    @Test("a job that was off catches up on what it missed meanwhile once it is on again")
    func switchedOff() throws {
        let play = Play(at: start)
        play.worker("w1")
        try job(play, "a")
        play.pass(.seconds(61))
        play.finish()
        try job(play, "a", enabled: false)
        play.pass(.seconds(120))
        #expect(dues(play, "a") == ["00:01"])
        try job(play, "a")
        for _ in 0..<5 {
            play.pass(.seconds(1))
            play.finish()
        }
        #expect(dues(play, "a") == ["00:01", "00:02", "00:03"])
    }

    @Test("a backlog survives a change of the job's fields, and of its schedule")
    func replaced() throws {
        let play = Play(at: start)
        play.worker("w1")
        try job(play, "a")
        play.pass(.seconds(190))
        try job(play, "a", schedule: text("* * * * *", .cron))
        for _ in 0..<4 {
            play.finish()
            play.pass(.seconds(1))
        }
        #expect(dues(play, "a") == ["00:01", "00:02", "00:03"])
        try audit(play)
    }

    @Test("switching a job off with its runs puts its cursor back to the earliest of them")
    func abortedBySwitch() throws {
        let play = Play(at: start)
        play.worker("w1")
        try job(play, "a")
        play.pass(.seconds(61))
        play.claim()
        try job(play, "a", enabled: false) { $0.abortReason = "Event 'a' has been disabled." }
        #expect(play.kills.count == 1)
        for id in play.kills { play.turn([play.report(id, .aborted)]) }
        #expect(play.ended("a").map(\.state) == [.aborted])
        play.pass(.seconds(30))
        try job(play, "a")
        play.pass(.seconds(1))
        #expect(play.active("a").map { String($0.due.iso8601.dropFirst(11).prefix(5)) } == ["00:01"])
    }

    @Test("the cursor can be set back, and forward")
    func cursor() throws {
        let play = Play(at: start)
        play.worker("w1")
        try job(play, "a", schedule: text("* * * * *", .cron))
        for _ in 0..<4 {
            play.pass(.seconds(60))
            play.finish()
        }
        #expect(dues(play, "a") == ["00:01", "00:02", "00:03", "00:04"])
        try job(play, "a", schedule: text("* * * * *", .cron)) { $0.cursor = instant("2026-01-01T00:03:00Z") }
        for _ in 0..<3 {
            play.pass(.seconds(1))
            play.finish()
        }
        #expect(dues(play, "a") == ["00:01", "00:02", "00:03", "00:03", "00:04", "00:04"])
        try job(play, "a", schedule: text("* * * * *", .cron)) { $0.cursor = instant("2026-01-01T00:06:00Z") }
        for _ in 0..<3 {
            play.pass(.seconds(60))
            play.finish()
        }
        #expect(dues(play, "a").suffix(2).allSatisfy { $0 >= "00:06" })
        try audit(play)
    }

    @Test("an occurrence that is lost with its worker, or to a limit, is run once more, and only once")
    func again() throws {
        let play = Play(at: start)
        play.worker("w1")
        try play.put(
            {
                var definition = definition("a", text("R1/2026-01-01T00:01:00Z/PT1M"))
                definition.retriesAfterLimit = false
                return definition
            }()
        ) { _ in }
        play.pass(.seconds(61))
        play.claim()
        let first = try #require(play.active("a").first)
        play.turn([play.report(first.attemptID, .exceeded(.memory))])
        let second = try #require(play.active("a").first)
        #expect(second.due == first.due && second.id != first.id && second.isLast)
        play.claim()
        play.turn([play.report(second.attemptID, .exceeded(.memory))])
        #expect(play.active("a").isEmpty && play.ended("a").count == 2)
        #expect(play.named("a")?.isEnabled == false)
    }

    @Test("aborted runs are run again where that is asked for", arguments: [(true, 1), (false, 0)])
    func rewinding(rewinds: Bool, expected: Int) throws {
        let play = Play(at: start)
        play.worker("w1")
        try job(play, "a", schedule: text("R1/2026-01-01T00:01:00Z/PT1M"))
        play.pass(.seconds(61))
        play.claim()
        let run = try #require(play.active("a").first)
        guard
            case .runs(let ended) = try play.tell(
                .abortRuns([run.id, RunID("unknown")], reason: "because", rewinds: rewinds))
        else { return }
        #expect(ended == [run.id])
        play.turn([play.report(run.attemptID, .aborted)])
        #expect(play.active("a").count == expected)
        #expect(play.ended("a").map(\.state) == [.aborted])
    }

    @Test("several runs at once, where the job allows them")
    func parallel() throws {
        let play = Play(at: start)
        play.worker("w1")
        try play.put(
            {
                var definition = definition("a")
                definition.maximumActive = 2
                return definition
            }()
        ) { _ in }
        play.pass(.seconds(250))
        #expect(play.active("a").count == 2)
        play.finish()
        play.pass(.seconds(1))
        #expect(play.active("a").count == 2 && play.ended("a").count == 2)
    }

    /// No occurrence has two verdicts, and only the last era may have some without.
    private func audit(_ play: Play) throws {
        for era in play.database.eras.values {
            var audit = try LedgerAudit(era, from: instant(start), through: play.wall, zones: NoZones())
            let entries = play.database.ledger.filter { $0.job == era.job }.sorted { $0.firstIndex < $1.firstIndex }
            for entry in entries { audit.take(entry) }
            let holes = audit.finish().holes
            #expect(era.closed == nil || holes.isEmpty, "version \(era.job.version): \(holes)")
            #expect(!holes.contains { $0.finding == LedgerAudit.twoVerdicts })
        }
    }
}
