/// How long claims take to be answered, so that those of a known instant are sent in time.
struct ClaimPace: Sendable {
    /// Of the slowest of the last ones: after a slow one it sinks with each that is faster.
    private var slowest: Duration = .zero

    mutating func note(_ took: Duration) {
        slowest = max(took, slowest - slowest / ExecutionLimits.claimsRemembered)
    }

    /// How long before the instant so many attempts are claimed, so that then only the start is left.
    func ahead(of count: Int) -> Duration {
        let usual = slowest + slowest / 2 + ExecutionLimits.claimAheadForEach * count
        return min(max(usual, ExecutionLimits.claimAhead), ExecutionLimits.claimAheadMaximum)
    }
}
