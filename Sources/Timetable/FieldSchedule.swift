/// Calendar fields in a zone: every real second whose local reading matches is an occurrence.
///
/// So a reading that a zone jumps over is skipped and one that it repeats matches twice, as in Cronicle, which walks
/// real minutes. Nothing is walked here: within a span of one offset, local time is as even as UTC and the fields are
/// searched there; spans between which nothing can match are leapt over.
struct FieldSchedule: Sendable, Hashable {
    let fields: CalendarFields
    let zone: ZoneRules

    /// More than any two offsets can differ.
    private static let reach: Int64 = 200_000

    /// The first due second at or after the given one; nil when there is none before the horizon.
    func first(atOrAfter second: Int64) -> Int64? {
        var position = max(0, second)
        while position < Limits.horizonSeconds {
            let span = zone.span(containing: position)
            let local = fields.first(atOrAfter: position + span.offset) ?? Limits.horizonSeconds + Self.reach
            let due = local - span.offset
            if due < span.end { return due < Limits.horizonSeconds ? due : nil }
            // Past this span, local time may step back, but no further than `reach` from here; beyond that nothing
            // can match before a clock shows `local`, whatever its offset is then.
            position = span.end >= position + Self.reach ? max(span.end, local - Self.reach) : span.end
        }
        return nil
    }

    /// The last due second at or before the given one, since 1970.
    func last(atOrBefore second: Int64) -> Int64? {
        var position = min(second, Limits.horizonSeconds - 1)
        while position >= 0 {
            let span = zone.span(containing: position)
            let local = fields.last(atOrBefore: position + span.offset) ?? -Self.reach
            let due = local - span.offset
            if due >= span.start { return due >= 0 ? due : nil }
            position = span.start <= position - Self.reach ? min(span.start - 1, local + Self.reach) : span.start - 1
        }
        return nil
    }

    /// How many due seconds lie in the closed range.
    func count(from first: Int64, through last: Int64) -> Int64 {
        var position = max(0, first)
        let end = min(last, Limits.horizonSeconds - 1)
        var total: Int64 = 0
        while position <= end {
            let span = zone.span(containing: position)
            let next = min(span.end, end + 1)
            total += fields.count(from: position + span.offset, to: next + span.offset)
            position = next
        }
        return total
    }

    /// The first whole second after an instant.
    func secondAfter(_ instant: Instant) -> Int64 {
        instant.seconds + 1
    }
}
