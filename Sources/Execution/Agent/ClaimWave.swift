import Domain
import Runtime

/// Attempts that are claimed by one request, and when.
struct ClaimWave: Sendable, Equatable {
    var attempts: [AttemptID]
    /// When they are to be started; nil: at once.
    var startAt: MonotonicInstant?

    /// In the order of the offers. Those that start at the same instant go together, up to a number.
    /// - Parameters:
    ///   - clock: as it was when the offers came.
    ///   - received: when they came. Where the clock says nothing, what each offer says of itself counts: nothing
    ///     starts before it is due because nobody knows when that is.
    static func waves(
        of offers: [Offer], accepted: [AttemptID], clock: LeaderClock, received: MonotonicInstant
    ) -> [ClaimWave] {
        let wanted = Set(accepted)
        var waves: [ClaimWave] = []
        for offer in offers where wanted.contains(offer.attempt) {
            let startAt = offer.lead > .zero ? clock.steady(offer.due) ?? received.advanced(by: offer.lead) : nil
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
}
