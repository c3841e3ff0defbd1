/// The start of a repeating interval, as Joda-Time's generic ISO parser (and so both generations of Chronos) reads it.
///
///     start    = 'T' time [offset] | date ['T' [time] [offset]]
///     date     = year ['-' month ['-' day]] | year '-' dayOfYear | year '-W' week ['-' weekday]
///     time     = hour [fraction | ':' minute [fraction | ':' second [fraction]]]
///     fraction = ('.' | ',') 1 to 9 digits
///     offset   = 'Z' | ('+' | '-') hh [[':'] mm [[':'] ss]]
///
/// Missing parts are those of 1970-01-01T00:00. Times are cut to milliseconds, Chronos' precision, so that the
/// listing, which prints three decimals, names the same instants.
struct StartText {
    let local: CivilDateTime
    /// Seconds east; nil when the text has none.
    let offset: Int?

    init(_ text: some StringProtocol) throws(ScheduleError) {
        var parser = Parser(text: String(text))
        try parser.run()
        guard
            let time = CivilDateTime(
                year: parser.date.year, month: parser.date.month, day: parser.date.day,
                hour: Int(parser.microseconds / 3_600_000_000),
                minute: Int(parser.microseconds / 60_000_000 % 60), second: Int(parser.microseconds / 1_000_000 % 60),
                microsecond: Int(parser.microseconds / 1_000 % 1_000 * 1_000))
        else { throw parser.refusal("no such time exists") }
        local = time
        offset = parser.offset
    }
}

extension StartText {
    private struct Parser {
        let text: String
        var scanner: TextScanner
        var date = CivilDate(uncheckedYear: 1970, month: 1, day: 1)
        /// Of the day.
        var microseconds: Int64 = 0
        var offset: Int?

        init(text: String) {
            self.text = text
            scanner = TextScanner(text)
        }

        mutating func run() throws(ScheduleError) {
            if scanner.take(anyOf: "Tt") != nil {
                try takeTime()
                try takeOffset()
            } else {
                try takeDate()
                if scanner.take(anyOf: "Tt") != nil {
                    if scanner.next.map({ $0 >= 48 && $0 <= 57 }) ?? false { try takeTime() }
                    try takeOffset()
                }
            }
            guard scanner.isAtEnd else { throw refusal("\(quoted(scanner.rest)) is out of place") }
        }

        func refusal(_ reason: String) -> ScheduleError {
            refusal(.syntax, reason)
        }

        private func refusal(_ code: ScheduleError.Code, _ reason: String) -> ScheduleError {
            ScheduleError(
                code: code,
                message: "the start \(quoted(text)) is not a time such as 2026-11-21T22:00:00Z: \(reason)")
        }

        private mutating func takeDate() throws(ScheduleError) {
            let sign: Int64 = scanner.take(anyOf: "+-") == UInt8(ascii: "-") ? -1 : 1
            guard let digits = scanner.takeDigits(limit: 9) else { throw refusal("it must begin with a year") }
            let year = Int(sign * digits.value)
            guard (Limits.firstYear - 1...Limits.lastYear + 1).contains(year) else {
                let hint = digits.count == 8 ? "; separate year, month and day by hyphens" : ""
                throw refusal(
                    .outOfRange, "the year must be in \(Limits.firstYear)-\(Limits.lastYear)\(hint)")
            }
            date = CivilDate(uncheckedYear: year, month: 1, day: 1)
            guard scanner.take("-") else { return }
            if scanner.take(anyOf: "Ww") != nil { return try takeWeek(year) }
            guard let second = scanner.takeDigits(limit: 3) else { throw refusal("the month is missing") }
            if second.count == 3 { return try takeDayOfYear(second.value, year) }
            var day: Int64 = 1
            if scanner.take("-") {
                guard let digits = scanner.takeDigits(limit: 2) else { throw refusal("the day is missing") }
                day = digits.value
            }
            guard (1...12).contains(second.value) else { throw refusal(.outOfRange, "the month must be in 01-12") }
            guard let found = CivilDate(year: year, month: Int(second.value), day: Int(day)) else {
                throw refusal(.outOfRange, "that month has no such day")
            }
            date = found
        }

        private mutating func takeDayOfYear(_ number: Int64, _ year: Int) throws(ScheduleError) {
            let length: Int64 = CivilDate.isLeap(year: year) ? 366 : 365
            guard number >= 1, number <= length else {
                throw refusal(.outOfRange, "the day of that year must be in 001-\(length)")
            }
            date = CivilDate(daysSinceEpoch: date.daysSinceEpoch + number - 1)
        }

        /// Week 1 is the one with January 4th; weeks begin on Monday.
        private mutating func takeWeek(_ year: Int) throws(ScheduleError) {
            guard let week = scanner.takeDigits(limit: 2)?.value else { throw refusal("the week is missing") }
            var weekday: Int64 = 1
            if scanner.take("-") {
                guard let digit = scanner.takeDigits(limit: 1)?.value else { throw refusal("the weekday is missing") }
                weekday = digit
            }
            guard (1...7).contains(weekday) else { throw refusal(.outOfRange, "the weekday must be in 1-7") }
            let first = Self.firstMonday(year)
            let weeks = (Self.firstMonday(year + 1) - first) / 7
            guard week >= 1, week <= weeks else {
                throw refusal(.outOfRange, "the week of that year must be in 01-\(weeks)")
            }
            date = CivilDate(daysSinceEpoch: first + (week - 1) * 7 + weekday - 1)
        }

        private static func firstMonday(_ year: Int) -> Int64 {
            let fourth = CivilDate(uncheckedYear: year, month: 1, day: 4).daysSinceEpoch
            return fourth - Int64((CivilDate.weekday(ofDay: fourth) + 6) % 7)
        }

        private mutating func takeTime() throws(ScheduleError) {
            var unit: Int64 = 3_600_000_000
            for (name, limit) in [("hour", Int64(23)), ("minute", 59), ("second", 59)] {
                guard let digits = scanner.takeDigits(limit: 2) else { throw refusal("the \(name) is missing") }
                guard digits.value <= limit else { throw refusal(.outOfRange, "the \(name) must be in 00-\(limit)") }
                microseconds += digits.value * unit
                if scanner.take(anyOf: ".,") != nil {
                    guard let fraction = scanner.takeFraction(scale: 1_000_000_000, limit: 9) else {
                        throw refusal("after the decimal point there must be 1 to 9 digits")
                    }
                    // At most 3.6e9 * 1e9 = 3.6e18, which fits.
                    microseconds += fraction * unit / 1_000_000_000
                    return
                }
                guard name != "second", scanner.take(":") else { return }
                unit /= 60
            }
        }

        private mutating func takeOffset() throws(ScheduleError) {
            if scanner.take(anyOf: "Zz") != nil {
                offset = 0
                return
            }
            guard let sign = scanner.take(anyOf: "+-") else { return }
            guard let hours = scanner.takeDigits(limit: 2), hours.count == 2, hours.value <= 23 else {
                throw refusal("an offset is written like +02:00, from -23:59 to +23:59")
            }
            var size = Int(hours.value) * 3_600
            for unit in [60, 1] where !scanner.isAtEnd {
                _ = scanner.take(":")
                guard let part = scanner.takeDigits(limit: 2), part.count == 2, part.value <= 59 else {
                    throw refusal("an offset is written like +02:00, from -23:59 to +23:59")
                }
                size += Int(part.value) * unit
            }
            offset = sign == UInt8(ascii: "-") ? -size : size
        }
    }
}
