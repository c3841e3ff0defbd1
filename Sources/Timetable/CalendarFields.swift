/// Which readings of a wall clock match: one bit a value and field. What cron expressions and minute matrices become.
///
/// All searches are field-wise: a month without a matching day costs one step, not 43,200 minutes. "Local seconds" are
/// seconds from the reading 1970-01-01T00:00:00.
struct CalendarFields: Sendable, Hashable {
    /// How days of the month and weekdays combine.
    enum DayRule: Sendable, Hashable {
        /// Both must match (Cronicle; cron when one of them is a star).
        case both
        /// One suffices (Vixie cron when both are restricted).
        case either
    }

    /// Bits 0...59
    var seconds: UInt64 = 1
    /// Bits 0...59
    var minutes: UInt64 = Self.bits(0...59)
    /// Bits 0...23
    var hours: UInt64 = Self.bits(0...23)
    /// Bits 1...31
    var days: UInt64 = Self.bits(1...31)
    /// Whether the last day of each month matches too.
    var lastDay = false
    /// Bits 1...12
    var months: UInt64 = Self.bits(1...12)
    /// Bits 0...6, Sunday first
    var weekdays: UInt64 = Self.bits(0...6)
    var dayRule = DayRule.both
    /// Ascending; nil for every year.
    var years: [Int]?

    static func bits(_ range: ClosedRange<Int>) -> UInt64 {
        (UInt64.max >> UInt64(63 - range.upperBound)) & (UInt64.max << UInt64(range.lowerBound))
    }

    /// Local years that are searched: one more on each side, because zones reach over the ends of UTC's years.
    static let searchedYears = Limits.firstYear - 1...Limits.lastYear + 1

    /// The first matching local second at or after the given one.
    func first(atOrAfter local: Int64) -> Int64? {
        let day = local.floorDivided(by: 86_400)
        let date = CivilDate(daysSinceEpoch: day)
        guard date.year <= Self.searchedYears.upperBound else { return nil }
        if matches(date), let time = firstTime(atOrAfter: Int(local - day * 86_400)) {
            return day * 86_400 + Int64(time)
        }
        guard let time = firstTime(atOrAfter: 0), let next = firstDay(after: date) else { return nil }
        return next.daysSinceEpoch * 86_400 + Int64(time)
    }

    /// The last matching local second at or before the given one.
    func last(atOrBefore local: Int64) -> Int64? {
        let day = local.floorDivided(by: 86_400)
        let date = CivilDate(daysSinceEpoch: day)
        guard date.year >= Self.searchedYears.lowerBound else { return nil }
        if matches(date), let time = lastTime(atOrBefore: Int(local - day * 86_400)) {
            return day * 86_400 + Int64(time)
        }
        guard let time = lastTime(atOrBefore: 86_399), let previous = lastDay(before: date) else { return nil }
        return previous.daysSinceEpoch * 86_400 + Int64(time)
    }

    /// How many local seconds match, from `low` inclusive to `high` exclusive.
    func count(from low: Int64, to high: Int64) -> Int64 {
        guard low < high else { return 0 }
        let (lowDay, highDay) = (low.floorDivided(by: 86_400), high.floorDivided(by: 86_400))
        let (lowDate, highDate) = (CivilDate(daysSinceEpoch: lowDay), CivilDate(daysSinceEpoch: highDay))
        var total: Int64 = 0
        if matches(highDate) { total += times(before: Int(high - highDay * 86_400)) }
        if matches(lowDate) { total -= times(before: Int(low - lowDay * 86_400)) }
        let perDay = times(before: 86_400)
        return total + perDay * countDays(from: lowDate, to: highDate)
    }
}

// Days: a month's matching days are a mask of bits 1...31.
extension CalendarFields {
    private func matches(_ date: CivilDate) -> Bool {
        dayMask(year: date.year, month: date.month) & (1 << UInt64(date.day)) != 0
    }

    private func dayMask(year: Int, month: Int) -> UInt64 {
        guard months & (1 << UInt64(month)) != 0 else { return 0 }
        if let years, !years.contains(year) { return 0 }
        let length = CivilDate.length(ofMonth: month, year: year)
        let byDay = lastDay ? days | (1 << UInt64(length)) : days
        let first = UInt64(CivilDate(uncheckedYear: year, month: month, day: 1).weekday)
        // The week as it begins on the month's first day, five times over.
        let week = ((weekdays >> first) | (weekdays << (7 - first))) & 0x7F
        let byWeekday = (week | week << 7 | week << 14 | week << 21 | week << 28) << 1
        let mask = dayRule == .both ? byDay & byWeekday : byDay | byWeekday
        return mask & Self.bits(1...length)
    }

    private func firstDay(after date: CivilDate) -> CivilDate? {
        var (year, month) = (date.year, date.month)
        var mask = dayMask(year: year, month: month) & ~Self.bits(0...date.day)
        while mask == 0 {
            let later = months & ~Self.bits(0...month)
            if later != 0 {
                month = later.trailingZeroBitCount
            } else {
                guard months != 0, let next = yearAfter(year) else { return nil }
                (year, month) = (next, months.trailingZeroBitCount)
            }
            mask = dayMask(year: year, month: month)
        }
        return CivilDate(uncheckedYear: year, month: month, day: mask.trailingZeroBitCount)
    }

    private func lastDay(before date: CivilDate) -> CivilDate? {
        var (year, month) = (date.year, date.month)
        var mask = dayMask(year: year, month: month) & Self.bits(0...(date.day - 1))
        while mask == 0 {
            let earlier = months & Self.bits(0...(month - 1))
            if earlier != 0 {
                month = 63 - earlier.leadingZeroBitCount
            } else {
                guard months != 0, let previous = yearBefore(year) else { return nil }
                (year, month) = (previous, 63 - months.leadingZeroBitCount)
            }
            mask = dayMask(year: year, month: month)
        }
        return CivilDate(uncheckedYear: year, month: month, day: 63 - mask.leadingZeroBitCount)
    }

    private func yearAfter(_ year: Int) -> Int? {
        let next = max(year + 1, Self.searchedYears.lowerBound)
        let found = years == nil ? next : years?.first { $0 >= next }
        return found.flatMap { $0 <= Self.searchedYears.upperBound ? $0 : nil }
    }

    private func yearBefore(_ year: Int) -> Int? {
        let previous = min(year - 1, Self.searchedYears.upperBound)
        let found = years == nil ? previous : years?.last { $0 <= previous }
        return found.flatMap { $0 >= Self.searchedYears.lowerBound ? $0 : nil }
    }

    /// Matching days, `low` inclusive, `high` exclusive.
    private func countDays(from low: CivilDate, to high: CivilDate) -> Int64 {
        var total = 0
        var (year, month) = (low.year, low.month)
        while (year, month) <= (high.year, high.month) {
            var mask = dayMask(year: year, month: month)
            if (year, month) == (low.year, low.month) { mask &= ~Self.bits(0...(low.day - 1)) }
            if (year, month) == (high.year, high.month) { mask &= Self.bits(0...(high.day - 1)) }
            total += mask.nonzeroBitCount
            (year, month) = month == 12 ? (year + 1, 1) : (year, month + 1)
        }
        return Int64(total)
    }
}

// Times of a day, in seconds since local midnight.
extension CalendarFields {
    private func firstTime(atOrAfter second: Int) -> Int? {
        let (hour, minute, rest) = (second / 3_600, second / 60 % 60, second % 60)
        guard let first = Self.first(in: hours, atOrAfter: hour) else { return nil }
        guard let firstMinute = Self.first(in: minutes, atOrAfter: 0),
            let firstSecond = Self.first(in: seconds, atOrAfter: 0)
        else { return nil }
        if first == hour {
            if minutes & (1 << UInt64(minute)) != 0, let found = Self.first(in: seconds, atOrAfter: rest) {
                return hour * 3_600 + minute * 60 + found
            }
            if let found = Self.first(in: minutes, atOrAfter: minute + 1) {
                return hour * 3_600 + found * 60 + firstSecond
            }
            guard let later = Self.first(in: hours, atOrAfter: hour + 1) else { return nil }
            return later * 3_600 + firstMinute * 60 + firstSecond
        }
        return first * 3_600 + firstMinute * 60 + firstSecond
    }

    private func lastTime(atOrBefore second: Int) -> Int? {
        let (hour, minute, rest) = (second / 3_600, second / 60 % 60, second % 60)
        guard let last = Self.last(in: hours, atOrBefore: hour) else { return nil }
        guard let lastMinute = Self.last(in: minutes, atOrBefore: 59),
            let lastSecond = Self.last(in: seconds, atOrBefore: 59)
        else { return nil }
        if last == hour {
            if minutes & (1 << UInt64(minute)) != 0, let found = Self.last(in: seconds, atOrBefore: rest) {
                return hour * 3_600 + minute * 60 + found
            }
            if let found = Self.last(in: minutes, atOrBefore: minute - 1) {
                return hour * 3_600 + found * 60 + lastSecond
            }
            guard let earlier = Self.last(in: hours, atOrBefore: hour - 1) else { return nil }
            return earlier * 3_600 + lastMinute * 60 + lastSecond
        }
        return last * 3_600 + lastMinute * 60 + lastSecond
    }

    /// Matching times before a second of the day, which may be 86400.
    private func times(before second: Int) -> Int64 {
        let (hour, minute, rest) = (second / 3_600, second / 60 % 60, second % 60)
        func size(_ mask: UInt64, below limit: Int) -> Int {
            limit == 0 ? 0 : (mask & Self.bits(0...(limit - 1))).nonzeroBitCount
        }
        let perMinute = seconds.nonzeroBitCount
        var total = size(hours, below: hour) * minutes.nonzeroBitCount * perMinute
        guard hours & (1 << UInt64(hour)) != 0 else { return Int64(total) }
        total += size(minutes, below: minute) * perMinute
        if minutes & (1 << UInt64(minute)) != 0 { total += size(seconds, below: rest) }
        return Int64(total)
    }

    private static func first(in mask: UInt64, atOrAfter value: Int) -> Int? {
        let rest = mask & (value > 63 ? 0 : UInt64.max << UInt64(value))
        return rest == 0 ? nil : rest.trailingZeroBitCount
    }

    private static func last(in mask: UInt64, atOrBefore value: Int) -> Int? {
        let rest = value < 0 ? 0 : mask & bits(0...value)
        return rest == 0 ? nil : 63 - rest.leadingZeroBitCount
    }
}
