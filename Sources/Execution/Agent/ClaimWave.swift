import Domain
import Runtime

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
    /// - Parameter received: when the offers came.
    static func waves(of offers: [Offer], accepted: [AttemptID], received: MonotonicInstant) -> [ClaimWave] {
        let wanted = Set(accepted)
        var waves: [ClaimWave] = []
        for offer in offers where wanted.contains(offer.attempt) {
            let startAt = startAt(offer, received: received)
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

    /// The leader says how long it is until then, and no clock of this worker that may have been set wrong: so nothing
    /// starts early, and late by what the offer took on its way.
    static func startAt(_ offer: Offer, received: MonotonicInstant) -> MonotonicInstant? {
        offer.lead > .zero ? received.advanced(by: offer.lead) : nil
    }
}
