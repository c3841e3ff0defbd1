/// When a job is due: a repeating interval, a cron expression or a minute matrix, in its time zone.
///
/// An immutable value that knows no clock. Callers store the index of the last occurrence they have dealt with and ask
/// for the next; the same text, zone, creation and zone data give the same answers on every node.
public struct Schedule: Sendable, Hashable {
    /// The text it was read from; for a minute matrix a description of it.
    public let text: String
    private let rule: Rule

    private enum Rule: Sendable, Hashable {
        case repeating(RepeatingInterval)
        case fields(FieldSchedule)
    }

    /// Reads an ISO 8601 repeating interval, `Rn/start/period`, as both generations of Chronos accept it.
    ///
    /// - Parameters:
    ///   - zone: replaces the zone of the start, keeping its local fields; when empty, the start keeps its own fixed
    ///     offset, UTC without one.
    ///   - created: the start when the text has none. The caller stores it: the anchor must not slide.
    public static func repeating(
        _ text: String, zone: String, created: Instant, zones: any ZoneDatabase
    ) throws(ScheduleError) -> Schedule {
        let interval = try RepeatingInterval(text, zone: zone, created: created, zones: zones)
        return Schedule(text: text, rule: .repeating(interval))
    }

    /// Reads a cron expression of five fields, or six with leading seconds, or a name such as `@daily`.
    ///
    /// An empty zone is UTC.
    public static func cron(
        _ text: String, zone: String, zones: any ZoneDatabase
    ) throws(ScheduleError) -> Schedule {
        let rules = try ZoneName.resolve(zone, in: zones, as: .database)
        return Schedule(text: text, rule: .fields(FieldSchedule(fields: try CalendarFields(cron: text), zone: rules)))
    }

    /// Cronicle's timing object: every minute whose local fields are all in the lists. An empty zone is UTC.
    public static func minutes(
        _ matrix: MinuteMatrix, zone: String, zones: any ZoneDatabase
    ) throws(ScheduleError) -> Schedule {
        let rules = try ZoneName.resolve(zone, in: zones, as: .database)
        return Schedule(
            text: matrix.description, rule: .fields(FieldSchedule(fields: CalendarFields(matrix), zone: rules)))
    }

    /// The occurrence that follows an index, the very first for nil; nil when the schedule has ended.
    public func next(afterIndex index: Int64?) -> Occurrence? {
        let from = index.map { $0 == .max ? $0 : $0 + 1 } ?? 0
        return index == .max ? nil : first(fromIndex: from)
    }

    /// The first occurrence that is due after the instant.
    public func next(after instant: Instant) -> Occurrence? {
        switch rule {
        case .repeating(let interval):
            return first(fromIndex: interval.firstIndex(after: instant))
        case .fields(let fields):
            return first(fromIndex: fields.secondAfter(instant))
        }
    }

    /// The last occurrence that is due at or before the instant.
    public func last(atOrBefore instant: Instant) -> Occurrence? {
        switch rule {
        case .repeating(let interval):
            var index = interval.firstIndex(after: instant) - 1
            while interval.dropped.contains(index) { index -= 1 }
            return interval.due(index).flatMap { index <= interval.lastIndex ? Occurrence(index: index, due: $0) : nil }
        case .fields(let fields):
            return fields.last(atOrBefore: instant.seconds).map(Self.occurrence)
        }
    }

    /// The occurrences with an index from `index` on that are due at or before `instant`, at most `limit`.
    public func occurrences(from index: Int64, through instant: Instant, limit: Int) -> [Occurrence] {
        var found: [Occurrence] = []
        var candidate = first(fromIndex: index)
        while let occurrence = candidate, found.count < limit, occurrence.due <= instant {
            found.append(occurrence)
            candidate = next(afterIndex: occurrence.index)
        }
        return found
    }

    /// How many occurrences have an index in the closed range; by arithmetic, however many there are.
    public func count(from first: Int64, through last: Int64) -> Int64 {
        switch rule {
        case .repeating(let interval):
            let low = max(0, first)
            let high = min(last, interval.lastIndex)
            guard low <= high else { return 0 }
            return high - low + 1 - Int64(interval.dropped.count { $0 >= low && $0 <= high })
        case .fields(let fields):
            return fields.count(from: first, through: last)
        }
    }

    /// The start of a repeating interval; nil for the others.
    public var anchor: Instant? {
        if case .repeating(let interval) = rule { interval.anchor } else { nil }
    }

    /// The period of a repeating interval; nil for the others.
    public var period: ISODuration? {
        if case .repeating(let interval) = rule { interval.period } else { nil }
    }

    /// How many occurrences a repeating interval names; nil for the endless.
    public var repetitions: Int64? {
        if case .repeating(let interval) = rule { interval.repetitions } else { nil }
    }

    /// The zone it is computed in.
    public var zone: ZoneRules {
        switch rule {
        case .repeating(let interval): interval.zone
        case .fields(let fields): fields.zone
        }
    }

    /// What Chronos' listing shows once the occurrence of an index has been dealt with: the count left, the start of
    /// the next slot in its zone's offset and the normalised period; the text verbatim for nil and for other schedules.
    public func remainingText(after index: Int64?) -> String {
        guard let index, case .repeating(let interval) = rule else { return text }
        return interval.remainingText(after: index)
    }

    private func first(fromIndex index: Int64) -> Occurrence? {
        switch rule {
        case .repeating(let interval):
            var candidate = max(0, index)
            while interval.dropped.contains(candidate) { candidate += 1 }
            guard candidate <= interval.lastIndex else { return nil }
            return interval.due(candidate).map { Occurrence(index: candidate, due: $0) }
        case .fields(let fields):
            return fields.first(atOrAfter: index).map(Self.occurrence)
        }
    }

    private static func occurrence(second: Int64) -> Occurrence {
        Occurrence(index: second, due: Instant(seconds: second))
    }
}
