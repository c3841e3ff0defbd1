import Testing
import Timetable

@testable import Domain

/// What is decided before it is due, so that at the instant only the claim is left.
@Suite struct AheadTests {
    static let minutely = Trigger.schedule(text("R/2026-01-01T00:00:10Z/PT1M"))

    /// A job whose first occurrence is due in half a second and has been offered.
    static func offeredAhead(_ change: (inout JobDefinition) -> Void = { _ in }) throws -> Play {
        let play = Play()
        play.worker("w1")
        try play.job("a", minutely, change)
        play.pass(.milliseconds(9_600))
        return play
    }

    @Test("an occurrence is offered half a second ahead, with the time that is left until it is due")
    func ahead() throws {
        let play = try Self.offeredAhead()
        #expect(play.active("a").map(\.state) == [.offered])
        #expect(play.offers.map(\.offer.due) == [instant("2026-01-01T00:00:10Z")])
        #expect(play.offers.map(\.offer.lead) == [.milliseconds(500)])
        play.pass(.milliseconds(400))
        play.finish()
        #expect(play.verdicts("a") == [.launched])
        #expect(play.ended("a").map(\.state) == [.succeeded])
    }

    @Test("a run that is offered when it is due, or was asked for, may be claimed at once")
    func atOnce() throws {
        let play = Play()
        try play.job("a", Self.minutely)
        try play.job("b")
        play.pass(.seconds(10))
        play.worker("w1")
        try play.run("b")
        #expect(play.offers.map(\.offer.lead) == [.zero, .zero])
    }

    @Test("whether a job runs beside its active run is decided when it is due, not before")
    func overlap() throws {
        let play = try Self.offeredAhead()
        play.pass(.milliseconds(400))
        play.claim()
        play.pass(.milliseconds(59_800))
        #expect(play.verdicts("a") == [.launched])
        play.finish()
        play.pass(.milliseconds(200))
        #expect(play.verdicts("a") == [.launched, .launched])
        play.claim()
        play.pass(.seconds(60))
        #expect(play.verdicts("a") == [.launched, .launched, .skipped])
    }

    @Test("a job that is replaced before it is due runs as it is then")
    func replaced() throws {
        let play = try Self.offeredAhead()
        let again = try play.job("a", Self.minutely) { $0.command = "other" }
        #expect(again.next?.index == 0)
        play.turn()
        #expect(play.ended("a").map(\.state) == [.aborted])
        #expect(play.active("a").map(\.job.version) == [2])
        #expect(play.offers.map(\.offer.command).suffix(1) == ["other"])
        play.pass(.milliseconds(400))
        play.finish()
        #expect(play.ended("a").map(\.state) == [.aborted, .succeeded])
        #expect(play.verdicts("a") == [.skipped, .launched])
        #expect(play.named("a")?.next?.index == 1)
    }

    @Test("a job that is replaced before its only occurrence is due still has it")
    func replacedOnly() throws {
        let play = Play()
        play.worker("w1")
        let once = Trigger.schedule(text("R1/2026-01-01T00:00:10Z/PT1M"))
        try play.job("a", once)
        play.pass(.milliseconds(9_600))
        try play.job("a", once) { $0.command = "other" }
        play.pass(.milliseconds(400))
        play.finish()
        #expect(play.ended("a").map(\.state) == [.aborted, .succeeded])
        #expect(play.named("a")?.isEnabled == false)
    }

    @Test("a job that is deleted or switched off before it is due does not run", arguments: [true, false])
    func gone(isDeleted: Bool) throws {
        let play = try Self.offeredAhead()
        if isDeleted {
            try play.tell(.deleteJob(name: "a"))
        } else {
            try play.job("a", Self.minutely, enabled: false)
        }
        play.pass(.seconds(5))
        #expect(play.claim() == [])
        #expect(play.active("a").isEmpty)
        #expect(play.ended("a").map(\.state) == [.aborted])
        #expect(play.verdicts("a") == [.skipped])
    }

    @Test("a new leader offers again what was offered ahead, with the time that is left then")
    func failover() throws {
        let play = try Self.offeredAhead()
        play.uptime += .milliseconds(100)
        play.wall = play.wall.advanced(by: .milliseconds(100))
        play.failover()
        #expect(play.offers.map(\.offer.lead) == [.milliseconds(300)])
        play.pass(.milliseconds(300))
        #expect(play.claim().count == 1)
        #expect(play.verdicts("a") == [.launched])
    }
}
