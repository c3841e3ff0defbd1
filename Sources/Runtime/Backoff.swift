/// How long to wait before the next try: grows by a factor up to a maximum, and spread by chance so that many who lost
/// the same thing do not come back at the same time.
public struct Backoff: Sendable {
    private let initial: Duration
    private let maximum: Duration
    private let factor: Double
    private let jitter: Double
    private var current: Duration

    /// - Parameters:
    ///   - initial: the first pause.
    ///   - maximum: no pause is longer, the chance's share included.
    ///   - factor: how much longer each pause is than the one before, at least 1.
    ///   - jitter: the part of a pause that is left to chance, 0 to 1: with 0.2 a pause is 80 to 100 % of its length.
    public init(initial: Duration, maximum: Duration, factor: Double = 2, jitter: Double = 0.2) {
        self.initial = max(.zero, min(initial, maximum))
        self.maximum = max(.zero, maximum)
        self.factor = max(1, factor)
        self.jitter = min(max(0, jitter), 1)
        current = self.initial
    }

    public mutating func next() -> Duration {
        var generator = SystemRandomNumberGenerator()
        return next(using: &generator)
    }

    /// The same with the chance of a timekeeper, for code that is simulated.
    public mutating func next(on timekeeper: any Timekeeper) -> Duration {
        var chance = Chance(of: timekeeper)
        return next(using: &chance)
    }

    /// The same with a given source of chance, for what must be repeatable.
    public mutating func next(using generator: inout some RandomNumberGenerator) -> Duration {
        let pause = current
        // In floating point: a duration traps when a product overflows.
        let grown = Double(current.clampedNanoseconds) * factor
        current = grown < Double(maximum.clampedNanoseconds) ? .nanoseconds(Int64(grown)) : maximum
        return pause * (1 - jitter * Double.random(in: 0...1, using: &generator))
    }

    /// After a success: the next pause is the first one again.
    public mutating func reset() {
        current = initial
    }
}
