import JSON
import Timetable

extension Instant {
    /// Seconds since 1970 with three decimals, as JavaScript's clock has them.
    var epoch: JSONValue { .number(Double(milliseconds) / 1_000) }
    /// Whole seconds since 1970.
    var epochSeconds: JSONValue { .integer(seconds) }
}

extension Duration {
    var wholeMilliseconds: Int64 {
        let (seconds, attoseconds) = components
        let (scaled, overflowed) = seconds.multipliedReportingOverflow(by: 1_000)
        guard !overflowed else { return seconds < 0 ? .min : .max }
        return scaled.addingReportingOverflow(attoseconds / 1_000_000_000_000_000).partialValue
    }
}
