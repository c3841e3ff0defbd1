/// Measured values and what they say together.
struct Samples: Sendable {
    private var sorted: [Double]

    init(_ values: [Double]) { sorted = values.sorted() }

    var count: Int { sorted.count }
    var median: Double { quantile(0.5) }
    var maximum: Double { sorted.last ?? .nan }
    var minimum: Double { sorted.first ?? .nan }

    /// The smallest value that the given part of the values does not exceed.
    func quantile(_ part: Double) -> Double {
        guard !sorted.isEmpty else { return .nan }
        let index = (part * Double(sorted.count)).rounded(.up) - 1
        return sorted[min(max(0, Int(index)), sorted.count - 1)]
    }
}
