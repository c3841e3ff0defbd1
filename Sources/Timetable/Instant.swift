/// A point on the UTC time line in microseconds since 1970-01-01T00:00:00Z; leap seconds do not exist here.
///
/// Arithmetic saturates at `distantPast` and `distantFuture` instead of trapping.
public struct Instant: Hashable, Comparable, Sendable {
    public var microseconds: Int64

    public static let distantPast = Instant(microseconds: .min)
    public static let distantFuture = Instant(microseconds: .max)

    public init(microseconds: Int64) {
        self.microseconds = microseconds
    }

    public init(milliseconds: Int64) {
        self.init(milliseconds.saturatingMultiplied(by: 1_000))
    }

    public init(seconds: Int64) {
        self.init(seconds.saturatingMultiplied(by: 1_000_000))
    }

    private init(_ microseconds: Int64) {
        self.microseconds = microseconds
    }

    /// Whole milliseconds since 1970, rounded down.
    public var milliseconds: Int64 { microseconds.floorDivided(by: 1_000) }

    /// Whole seconds since 1970, rounded down.
    public var seconds: Int64 { microseconds.floorDivided(by: 1_000_000) }

    /// The instant later (or earlier) by the duration, whose fraction of a microsecond is cut off.
    public func advanced(by duration: Duration) -> Instant {
        Instant(microseconds.saturatingAdded(duration.wholeMicroseconds))
    }

    /// The time from here to `other`; negative when `other` is earlier.
    public func duration(to other: Instant) -> Duration {
        .microseconds(other.microseconds) - .microseconds(microseconds)
    }

    public static func < (left: Instant, right: Instant) -> Bool {
        left.microseconds < right.microseconds
    }
}

extension Duration {
    /// Microseconds, cut towards zero and clamped to 64 bits.
    var wholeMicroseconds: Int64 {
        Int64(clamping: attoseconds / 1_000_000_000_000)
    }
}

extension Int64 {
    func saturatingAdded(_ other: Int64) -> Int64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? (other < 0 ? .min : .max) : sum
    }

    func saturatingMultiplied(by other: Int64) -> Int64 {
        let (product, overflow) = multipliedReportingOverflow(by: other)
        return overflow ? ((self < 0) == (other < 0) ? .max : .min) : product
    }

    /// Division that rounds down; `divisor` is positive.
    func floorDivided(by divisor: Int64) -> Int64 {
        let quotient = self / divisor
        return self % divisor < 0 ? quotient - 1 : quotient
    }

    /// The rest of a division that rounds down, never negative; `divisor` is positive.
    func floorModulo(_ divisor: Int64) -> Int64 {
        let rest = self % divisor
        return rest < 0 ? rest + divisor : rest
    }
}
