import CLinux

/// A point on the machine's CLOCK_BOOTTIME: it never goes back, and it runs on while the machine is suspended, so that
/// a lease that was slept through has expired. Not comparable between machines, nor across a boot.
public struct MonotonicInstant: Comparable, Hashable, Sendable {
    /// Nanoseconds since the machine was started.
    public var nanoseconds: UInt64

    public init(nanoseconds: UInt64) {
        self.nanoseconds = nanoseconds
    }

    /// Now, on the real clock. Code that is simulated asks its `Timekeeper` instead.
    public static var now: MonotonicInstant {
        MonotonicInstant(nanoseconds: clinux_boottime_nanoseconds())
    }

    /// Saturates at both ends.
    public func advanced(by duration: Duration) -> MonotonicInstant {
        let distance = duration.clampedNanoseconds
        let magnitude = distance.magnitude
        let (sum, overflow) =
            distance < 0
            ? nanoseconds.subtractingReportingOverflow(magnitude) : nanoseconds.addingReportingOverflow(magnitude)
        if overflow { return MonotonicInstant(nanoseconds: distance < 0 ? 0 : .max) }
        return MonotonicInstant(nanoseconds: sum)
    }

    /// Negative when `other` is earlier. Saturates at 292 years.
    public func duration(to other: MonotonicInstant) -> Duration {
        let forward = other.nanoseconds >= nanoseconds
        let magnitude = forward ? other.nanoseconds - nanoseconds : nanoseconds - other.nanoseconds
        let clamped = Int64(clamping: magnitude)
        return .nanoseconds(forward ? clamped : -clamped)
    }

    public static func < (left: MonotonicInstant, right: MonotonicInstant) -> Bool {
        left.nanoseconds < right.nanoseconds
    }
}

extension Duration {
    /// Whole nanoseconds, clamped to what an `Int64` holds (292 years): no duration from outside can trap here.
    public var clampedNanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        if overflow { return seconds < 0 ? .min : .max }
        let (sum, carried) = whole.addingReportingOverflow(attoseconds / 1_000_000_000)
        if carried { return seconds < 0 ? .min : .max }
        return sum
    }
}
