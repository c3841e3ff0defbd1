import Domain
import Runtime
import Timetable

/// Attempts that are claimed by one request, and when.
struct ClaimWave: Sendable, Equatable {
    var attempts: [AttemptID]
    /// When they are to be started; nil: at once.
    var startAt: MonotonicInstant?

    /// How long before the instant they are claimed: what the answer takes, so that then only the start is left.
    var ahead: Duration {
        ExecutionLimits.claimAhead + ExecutionLimits.claimAheadForEach * attempts.count
    }

    /// In the order of the offers. Those that start at the same instant go together, up to a number.
    /// - Parameters:
    ///   - received: when the offers came, by both clocks of this worker.
    static func waves(
        of offers: [Offer], accepted: [AttemptID], received: MonotonicInstant, wall: Instant
    ) -> [ClaimWave] {
        let wanted = Set(accepted)
        var waves: [ClaimWave] = []
        for offer in offers where wanted.contains(offer.attempt) {
            let startAt = startAt(offer, received: received, wall: wall)
            if let last = waves.indices.last, waves[last].startAt == startAt,
                waves[last].attempts.count < ExecutionLimits.claimsPerRequest
            {
                waves[last].attempts.append(offer.attempt)
            } else {
                waves.append(ClaimWave(attempts: [offer.attempt], startAt: startAt))
            }
        }
        return waves
    }

    /// The leader's word counts, how long it is until the offer is due, and what it took on its way makes it late. Only
    /// a clock of this worker that says nearly the same knows better; one that was set wrong starts nothing early.
    static func startAt(_ offer: Offer, received: MonotonicInstant, wall: Instant) -> MonotonicInstant? {
        guard offer.lead > .zero else { return nil }
        let rest = wall.duration(to: offer.due)
        let onItsWay = offer.lead - rest
        let agrees = onItsWay >= .zero && onItsWay <= ExecutionLimits.clockAgreement
        return received.advanced(by: agrees ? max(.zero, rest) : offer.lead)
    }
}
