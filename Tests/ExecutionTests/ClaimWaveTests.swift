import Domain
import Runtime
import Testing
import Timetable

@testable import Execution

@Suite("Waves of claims") struct ClaimWaveTests {
    private let received = MonotonicInstant(nanoseconds: 1_000)

    private func offer(_ number: Int, due: Int64 = 0, lead: Duration = .zero) -> Offer {
        var offer = sampleOffer(attempt(number))
        offer.due = Instant(milliseconds: due)
        offer.lead = lead
        return offer
    }

    private let wall = Instant(milliseconds: 500)

    private func waves(_ offers: [Offer], accepted: [AttemptID]) -> [ClaimWave] {
        ClaimWave.waves(of: offers, accepted: accepted, received: received, wall: wall)
    }

    @Test("what may be claimed at once goes together, and so does what is due at the same later instant")
    func grouping() {
        let offers = [
            offer(1), offer(2, due: 500), offer(3, due: 900, lead: .milliseconds(410)),
            offer(4, due: 900, lead: .milliseconds(410)), offer(5, due: 950, lead: .milliseconds(460)),
        ]
        let found = waves(offers, accepted: offers.map(\.attempt))
        #expect(found.map { $0.attempts.count } == [2, 2, 1])
        let starts = [nil, received.advanced(by: .milliseconds(400)), received.advanced(by: .milliseconds(450))]
        #expect(found.map(\.startAt) == starts)
    }

    @Test(
        "a clock that does not say nearly what the leader says is not believed",
        arguments: [(900, 400, 400), (900, 450, 400), (900, 451, 451), (900, 399, 399), (3_600_500, 300, 300)]
    )
    func clocks(due: Int64, lead: Int, start: Int) {
        let offer = offer(1, due: due, lead: .milliseconds(lead))
        let startAt = ClaimWave.startAt(offer, received: received, wall: wall)
        #expect(startAt == received.advanced(by: .milliseconds(start)))
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
