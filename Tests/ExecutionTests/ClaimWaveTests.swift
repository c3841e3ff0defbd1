import Domain
import Runtime
import Testing
import Timetable

@testable import Execution

@Suite("Waves of claims") struct ClaimWaveTests {
    /// The leader's clock showed 500 ms when this worker's steady time was one second.
    private let clock: LeaderClock = {
        var clock = LeaderClock()
        clock.note(Instant(milliseconds: 500), at: MonotonicInstant(nanoseconds: 1_000_000_000))
        return clock
    }()

    private let received = MonotonicInstant(nanoseconds: 7_000)

    private func offer(_ number: Int, due: Int64 = 0, lead: Duration = .zero) -> Offer {
        var offer = sampleOffer(attempt(number))
        offer.due = Instant(milliseconds: due)
        offer.lead = lead
        return offer
    }

    private func waves(_ offers: [Offer], accepted: [AttemptID]) -> [ClaimWave] {
        ClaimWave.waves(of: offers, accepted: accepted, clock: clock, received: received)
    }

    @Test("what may be claimed at once goes together, and so does what is due at the same later instant")
    func grouping() {
        let offers = [
            offer(1), offer(2, due: 500), offer(3, due: 900, lead: .milliseconds(400)),
            offer(4, due: 900, lead: .milliseconds(400)), offer(5, due: 950, lead: .milliseconds(450)),
        ]
        let found = waves(offers, accepted: offers.map(\.attempt))
        #expect(found.map { $0.attempts.count } == [2, 2, 1])
        // The clock says whole microseconds: one more, so that nothing is early.
        let starts = [nil, 1_400_001_000, 1_450_001_000].map { (at: UInt64?) in at.map(MonotonicInstant.init) }
        #expect(found.map(\.startAt) == starts)
    }

    @Test("where nobody knows what the leader's clock shows, nothing starts before its offer says so")
    func unknownClock() {
        let found = ClaimWave.waves(
            of: [offer(1, due: 900, lead: .milliseconds(400)), offer(2)], accepted: [attempt(1), attempt(2)],
            clock: LeaderClock(), received: received)
        #expect(found.map(\.startAt) == [received.advanced(by: .milliseconds(400)), nil])
    }

    @Test("what was not accepted is not claimed, and no request has too many")
    func bounds() {
        let offers = (0..<600).map { offer($0) }
        let accepted = offers.dropFirst(10).map(\.attempt)
        let found = waves(offers, accepted: accepted)
        #expect(found.flatMap(\.attempts) == accepted)
        #expect(found.allSatisfy { $0.attempts.count <= ExecutionLimits.claimsPerRequest })
        #expect(found.count == 3)
    }
}
