/// The core of an ISO 8601 repeating interval: instants by index, computed from the anchor.
///
/// The instant of index k is the anchor's wall time plus k times the date part of the period, looked up in the zone,
/// plus k times its time part as elapsed time. `due` never decreases with the index, because no zone jumps by more
/// than a day; where a whole day was skipped, a daily schedule has two targets at one instant, and the second of them
/// is `dropped`.
struct RepeatingInterval: Sendable, Hashable {
    /// How many indexes there are; nil for no end.
    let repetitions: Int64?
    let period: ISODuration
    let zone: ZoneRules
    /// The instant of index 0.
    let anchor: Instant
    private let date: CivilDate
    private let secondOfDay: Int64
    private let microsecond: Int64
    private let months: Int64
    private let days: Int64
    private let elapsed: Int64
    /// The last index with an instant before the horizon and within the repetitions; -1 when there is none.
    private(set) var lastIndex: Int64 = -1
    /// Indexes that exist but are never returned; ascending, rarely any.
    private(set) var dropped: [Int64] = []

    /// `anchor` is the instant of `local` (they may differ only where a clock shows `local` twice or never); `period`
    /// has no negative part and is not zero.
    init(repetitions: Int64?, anchor: Instant, local: CivilDateTime, period: ISODuration, zone: ZoneRules) {
        self.repetitions = repetitions
        self.period = period
        self.zone = zone
        self.anchor = anchor
        date = local.date
        secondOfDay = Int64(local.secondOfDay)
        microsecond = Int64(local.microsecond)
        months = period.calendarMonths
        days = period.calendarDays
        elapsed = period.elapsedMicroseconds
        lastIndex = findLastIndex()
        dropped = findDropped()
    }

    /// The instant of an index, dropped or not, repetitions or not; nil from the horizon on.
    func due(_ index: Int64) -> Instant? {
        guard index > 0 else { return index == 0 ? anchor : nil }
        let (sinceStart, overflow) = index.multipliedReportingOverflow(by: elapsed)
        guard !overflow else { return nil }
        var microseconds = anchor.microseconds
        if months != 0 || days != 0 {
            guard let resolved = wallMicroseconds(index) else { return nil }
            microseconds = resolved
        }
        microseconds = microseconds.saturatingAdded(sinceStart)
        return microseconds < Limits.horizonMicroseconds ? Instant(microseconds: microseconds) : nil
    }

    /// The anchor's wall time plus `index` date parts, as an instant.
    private func wallMicroseconds(_ index: Int64) -> Int64? {
        let monthCount = index.saturatingMultiplied(by: months).saturatingAdded(Int64(date.year * 12 + date.month - 1))
        let dayCount = index.saturatingMultiplied(by: days)
        let year = monthCount / 12
        guard year <= Limits.lastYear, dayCount <= Limits.horizonSeconds / 86_400 else { return nil }
        let month = Int(monthCount % 12) + 1
        let day = min(date.day, CivilDate.length(ofMonth: month, year: Int(year)))
        let first = CivilDate(uncheckedYear: Int(year), month: month, day: day).daysSinceEpoch
        let local = (first + dayCount) * 86_400 + secondOfDay
        return zone.resolve(localSeconds: local).chosen * 1_000_000 + microsecond
    }

    /// The smallest index whose instant is after the given one, lastIndex + 1 when there is none.
    func firstIndex(after instant: Instant) -> Int64 {
        guard lastIndex >= 0, instant >= anchor else { return 0 }
        var low = max(0, min(lastIndex, estimate(instant)))
        var high = low
        var step: Int64 = 1
        // Gallop from the estimate until due(low) <= instant < due(high + 1), then halve.
        while low > 0, isAfter(low, instant) {
            high = low
            low = max(0, low - step)
            step *= 2
        }
        step = 1
        while high <= lastIndex, !isAfter(high, instant) {
            low = high
            high = min(lastIndex + 1, high + step)
            step *= 2
        }
        while low + 1 < high {
            let middle = low + (high - low) / 2
            if isAfter(middle, instant) { high = middle } else { low = middle }
        }
        return high
    }

    private func isAfter(_ index: Int64, _ instant: Instant) -> Bool {
        due(index).map { $0 > instant } ?? true
    }

    private func estimate(_ instant: Instant) -> Int64 {
        instant.microseconds.saturatingAdded(-anchor.microseconds) / averageStep
    }

    /// In microseconds, at least one second.
    private var averageStep: Int64 {
        max(Limits.shortestPeriod, period.approximate.wholeMicroseconds)
    }

    private func findLastIndex() -> Int64 {
        if repetitions == 0 { return -1 }
        if let repetitions, due(repetitions - 1) != nil { return repetitions - 1 }
        var low: Int64 = 0
        // No period is shorter than nine tenths of its average (February is 0.92 of a month).
        var high = (Limits.horizonMicroseconds - anchor.microseconds) / (averageStep / 10 * 9) + 2
        if let repetitions { high = min(high, repetitions) }
        while low + 1 < high {
            let middle = low + (high - low) / 2
            if due(middle) == nil { high = middle } else { low = middle }
        }
        return low
    }

    private func findDropped() -> [Int64] {
        // Steps longer than a day, and steps with a time part, still move forward over a skipped day.
        guard months == 0, days == 1, elapsed == 0, lastIndex > 0 else { return [] }
        let start = anchor.seconds - 86_400
        var found: [Int64] = []
        for gap in zone.wholeDayGaps(in: start..<Limits.horizonSeconds) {
            let afterGap = Instant(seconds: gap.start)
            let nearest = firstIndex(after: afterGap)
            for index in max(1, nearest - 2)...max(1, nearest + 2) where index <= lastIndex {
                guard let due = due(index), let previous = self.due(index - 1), due <= previous else { continue }
                if found.last.map({ $0 < index }) ?? true { found.append(index) }
            }
        }
        return found
    }
}
