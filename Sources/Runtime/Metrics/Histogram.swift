/// How often a length of time fell between which bounds.
public struct Histogram: Sendable, Equatable {
    /// Upper bounds in seconds, rising.
    public let bounds: [Double]
    /// One for each bound; what is above the last is in `count` alone.
    public private(set) var counts: [UInt64]
    public private(set) var count: UInt64 = 0
    /// Seconds.
    public private(set) var sum = 0.0

    /// For waits that should be short: a millisecond to five minutes.
    public static let latencies: [Double] = [
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300,
    ]
    /// For what commands take: ten milliseconds to a day.
    public static let durations: [Double] = [0.01, 0.1, 0.5, 1, 5, 15, 60, 300, 900, 3_600, 14_400, 86_400]

    public init(_ bounds: [Double]) {
        self.bounds = bounds
        counts = Array(repeating: 0, count: bounds.count)
    }

    /// A negative length, which clocks that differ can make, counts as none.
    public mutating func observe(_ length: Duration) {
        let seconds = max(0, Double(length.components.seconds) + Double(length.components.attoseconds) / 1e18)
        count += 1
        sum += seconds
        if let slot = bounds.firstIndex(where: { seconds <= $0 }) { counts[slot] += 1 }
    }
}
