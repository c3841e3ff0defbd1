/// The rule for the years after a zone file's table, written like POSIX' TZ variable: `EST5EDT,M3.2.0,M11.1.0`.
///
/// With RFC 8536's extensions: times from -167 to 167 hours, names in angle brackets.
struct PosixZone: Sendable, Hashable {
    /// A day of the year on which clocks change.
    enum Day: Sendable, Hashable {
        /// 1...365, February 29th is never counted.
        case julian(Int)
        /// 0...365, leap days count.
        case zeroBased(Int)
        /// The `week`th such weekday of the month, 5 for the last one.
        case weekday(month: Int, week: Int, weekday: Int)
    }

    struct Change: Sendable, Hashable {
        let day: Day
        /// Seconds after local midnight.
        let time: Int64
    }

    struct Daylight: Sendable, Hashable {
        let offset: Int64
        let begin: Change
        let end: Change
    }

    /// Seconds east of UTC.
    let standardOffset: Int64
    let daylight: Daylight?

    func span(containing seconds: Int64) -> ZoneRules.Span {
        guard let daylight else { return ZoneRules.Span(start: .min, end: .max, offset: standardOffset) }
        // Six changes, of which the first is at least half a year before the second and the last after it. Both of
        // a year may fall on neighbouring years in UTC, and either of them may come first.
        let year = CivilDate(daysSinceEpoch: (seconds + standardOffset).floorDivided(by: 86_400)).year
        var latest = ZoneRules.Transition(start: .min, offset: standardOffset)
        for candidate in [year - 1, year, year + 1] {
            let begin = ZoneRules.Transition(
                start: start(of: daylight.begin, year: candidate, offset: standardOffset), offset: daylight.offset)
            let end = ZoneRules.Transition(
                start: start(of: daylight.end, year: candidate, offset: daylight.offset), offset: standardOffset)
            let earlier = begin.start <= end.start ? begin : end
            let later = begin.start <= end.start ? end : begin
            for change in [earlier, later] {
                if change.start > seconds {
                    return ZoneRules.Span(start: latest.start, end: change.start, offset: latest.offset)
                }
                latest = change
            }
        }
        return ZoneRules.Span(start: latest.start, end: .max, offset: latest.offset)
    }

    private func start(of change: Change, year: Int, offset: Int64) -> Int64 {
        day(change.day, year: year) * 86_400 + change.time - offset
    }

    private func day(_ day: Day, year: Int) -> Int64 {
        let newYear = CivilDate(uncheckedYear: year, month: 1, day: 1).daysSinceEpoch
        switch day {
        case .julian(let number):
            return newYear + Int64(number - 1) + (number >= 60 && CivilDate.isLeap(year: year) ? 1 : 0)
        case .zeroBased(let number):
            return newYear + Int64(number)
        case .weekday(let month, let week, let weekday):
            let first = CivilDate(uncheckedYear: year, month: month, day: 1).daysSinceEpoch
            var dayOfMonth = (weekday - CivilDate.weekday(ofDay: first) + 7) % 7 + (week - 1) * 7
            if dayOfMonth >= CivilDate.length(ofMonth: month, year: year) { dayOfMonth -= 7 }
            return first + Int64(dayOfMonth)
        }
    }
}

extension PosixZone {
    init(_ text: ArraySlice<UInt8>) throws(ZoneError) {
        var scanner = TextScanner(text)
        let refusal = ZoneError(message: "the rule for later years, \(quoted(scanner.rest)), is malformed")
        guard scanner.takeZoneName(), let west = scanner.takeTime(hourLimit: 24) else { throw refusal }
        standardOffset = -west
        guard !scanner.isAtEnd else {
            daylight = nil
            return
        }
        guard scanner.takeZoneName() else { throw refusal }
        var offset = standardOffset + 3_600
        if scanner.next != UInt8(ascii: ",") {
            guard let west = scanner.takeTime(hourLimit: 24) else { throw refusal }
            offset = -west
        }
        guard scanner.take(","), let begin = scanner.takeChange(), scanner.take(","), let end = scanner.takeChange(),
            scanner.isAtEnd
        else { throw refusal }
        guard abs(offset - standardOffset) < Limits.offsetChange else {
            throw ZoneError(message: "daylight saving differs by a day or more from standard time")
        }
        daylight = Daylight(offset: offset, begin: begin, end: end)
    }
}

extension TextScanner {
    fileprivate mutating func takeZoneName() -> Bool {
        guard take("<") else { return takeLetters() >= 3 }
        let start = position
        while let byte = next, byte != UInt8(ascii: ">") { skip(1) }
        return position - start >= 3 && take(">")
    }

    /// `[+-]h[h][:mm[:ss]]` in seconds.
    fileprivate mutating func takeTime(hourLimit: Int64) -> Int64? {
        let sign: Int64 = take(anyOf: "+-") == UInt8(ascii: "-") ? -1 : 1
        guard let hours = takeDigits(limit: 3)?.value, hours <= hourLimit else { return nil }
        var size = hours * 3_600
        for unit in [Int64(60), 1] {
            guard take(":") else { break }
            guard let part = takeDigits(limit: 2), part.count == 2, part.value <= 59 else { return nil }
            size += part.value * unit
        }
        return sign * size
    }

    /// `Mm.w.d`, `Jn` or `n`, then optionally `/time`; two o'clock without.
    fileprivate mutating func takeChange() -> PosixZone.Change? {
        guard let day = takeDay() else { return nil }
        guard take("/") else { return PosixZone.Change(day: day, time: 7_200) }
        guard let time = takeTime(hourLimit: 167) else { return nil }
        return PosixZone.Change(day: day, time: time)
    }

    private mutating func takeDay() -> PosixZone.Day? {
        if take("J") {
            guard let number = takeDigits(limit: 3)?.value, (1...365).contains(number) else { return nil }
            return .julian(Int(number))
        }
        if take("M") {
            guard let month = takeDigits(limit: 2)?.value, (1...12).contains(month), take("."),
                let week = takeDigits(limit: 1)?.value, (1...5).contains(week), take("."),
                let weekday = takeDigits(limit: 1)?.value, weekday <= 6
            else { return nil }
            return .weekday(month: Int(month), week: Int(week), weekday: Int(weekday))
        }
        guard let number = takeDigits(limit: 3)?.value, number <= 365 else { return nil }
        return .zeroBased(Int(number))
    }
}
