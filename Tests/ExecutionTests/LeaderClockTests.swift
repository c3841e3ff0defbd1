import Runtime
import Testing
import Timetable

@testable import Execution

@Suite("The leader's clock at a worker") struct LeaderClockTests {
    private func steady(_ milliseconds: UInt64) -> MonotonicInstant {
        MonotonicInstant(nanoseconds: milliseconds * 1_000_000)
    }

    /// Milliseconds of steady time at which the clock shows the instant, of which one microsecond is lost by rounding.
    private func shown(_ clock: LeaderClock, _ milliseconds: Int64) -> UInt64? {
        clock.steady(Instant(milliseconds: milliseconds)).map { $0.nanoseconds / 1_000_000 }
    }

    @Test("the message that was fastest on its way says when something is due")
    func fastest() {
        var clock = LeaderClock()
        #expect(shown(clock, 5_000) == nil)
        // Sent at 1,000 of steady time, each with another way.
        clock.note(Instant(milliseconds: 4_000), at: steady(1_040))
        #expect(shown(clock, 5_000) == 2_040)
        clock.note(Instant(milliseconds: 4_500), at: steady(1_503))
        #expect(shown(clock, 5_000) == 2_003)
        clock.note(Instant(milliseconds: 4_700), at: steady(1_790))
        #expect(shown(clock, 5_000) == 2_003, "a slow one takes nothing away")
    }

    @Test("nothing starts before a clock shows it that every message was behind")
    func neverEarly() {
        var clock = LeaderClock()
        for (sent, took) in [(0, 9), (700, 3), (1_900, 30), (3_100, 1), (4_400, 80), (9_000, 2)] as [(Int64, Int64)] {
            // The clock shows the steady time.
            clock.note(Instant(milliseconds: sent), at: steady(UInt64(sent + took)))
            let due = Instant(milliseconds: sent + 500)
            #expect(clock.steady(due).map { $0 > steady(UInt64(sent + 500)) } == true)
        }
    }

    @Test("old messages do not count: clocks drift")
    func drift() {
        var clock = LeaderClock()
        clock.note(Instant(milliseconds: 4_000), at: steady(1_001))
        clock.note(Instant(milliseconds: 14_000), at: steady(11_050))
        #expect(shown(clock, 15_000) == 12_050)
    }

    @Test("a clock that was set back is believed at once, and so is one that was set forward")
    func step() {
        var clock = LeaderClock()
        clock.note(Instant(milliseconds: 3_604_000), at: steady(1_001))
        clock.note(Instant(milliseconds: 4_500), at: steady(1_502))
        #expect(shown(clock, 5_000) == 2_002)
        clock.note(Instant(milliseconds: 3_605_000), at: steady(2_001))
        #expect(shown(clock, 3_606_000) == 3_001)
    }

    @Test("another leader has another clock")
    func change() {
        var clock = LeaderClock()
        clock.note(Instant(milliseconds: 4_000), at: steady(1_001))
        clock.forget()
        #expect(shown(clock, 5_000) == nil)
    }

    @Test("instants at the ends of time do not trap")
    func extremes() {
        var clock = LeaderClock()
        clock.note(.distantFuture, at: steady(1))
        #expect(clock.steady(.distantPast) == nil)
        clock.note(.distantPast, at: steady(2))
        _ = clock.steady(.distantFuture)
        clock.note(.distantFuture, at: MonotonicInstant(nanoseconds: .max))
        #expect(clock.steady(Instant(milliseconds: 1)) == nil)
    }
}

@Suite("The time of claims") struct ClaimPaceTests {
    @Test("claims go out so early that the slowest of the last ones would be in time, within bounds")
    func ahead() {
        var pace = ClaimPace()
        #expect(pace.ahead(of: 1) == ExecutionLimits.claimAhead)
        pace.note(.milliseconds(20))
        #expect(pace.ahead(of: 1) == .milliseconds(30) + ExecutionLimits.claimAheadForEach)
        pace.note(.milliseconds(2))
        #expect(pace.ahead(of: 0) > .milliseconds(29) && pace.ahead(of: 0) < .milliseconds(30))
        pace.note(.seconds(30))
        #expect(pace.ahead(of: 1) == ExecutionLimits.claimAheadMaximum)
        for _ in 0..<2_000 { pace.note(.milliseconds(1)) }
        #expect(pace.ahead(of: 1) == ExecutionLimits.claimAhead)
    }
}
