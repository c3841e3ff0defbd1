/// A timestamptz as the server writes it (datestyle ISO) and reads it, from and to microseconds since 1970.
///
/// Only the wire's form: it knows no time zone but the numeric offset in the text. The server's infinities are the
/// ends of `Int64`.
enum TimestampText {
    /// 4714-11-24 BC, where the server's range begins. It ends after that of `Int64`.
    private static let earliest: Int64 = -210_866_803_200_000_000
    private static let microsecondsPerDay: Int64 = 86_400_000_000

    static func format(microseconds: Int64) -> String {
        if microseconds < earliest { return "-infinity" }
        if microseconds == .max { return "infinity" }
        let day = floorDivide(microseconds, microsecondsPerDay)
        let inDay = microseconds - day * microsecondsPerDay
        let date = civil(fromDay: day)
        let isBefore = date.year <= 0
        var text = pad(isBefore ? 1 - date.year : date.year, 4) + "-" + pad(date.month, 2) + "-" + pad(date.day, 2)
        let second = inDay / 1_000_000
        text += " " + pad(second / 3600, 2) + ":" + pad(second / 60 % 60, 2) + ":" + pad(second % 60, 2)
        text += "." + pad(inDay % 1_000_000, 6) + "+00"
        return isBefore ? text + " BC" : text
    }

    /// `2026-11-21 22:24:05.123456+00`, with or without fraction, offset `+05:30` or `+00`, ` BC`; nil for anything
    /// else.
    static func parse(_ text: some Sequence<UInt8>) -> Int64? {
        var reader = Reader(bytes: Array(text))
        if reader.rest == Array("infinity".utf8) { return .max }
        if reader.rest == Array("-infinity".utf8) { return .min }
        guard var year = reader.number(), reader.take("-"), let month = reader.number(), reader.take("-"),
            let day = reader.number(), reader.take(" "), let hour = reader.number(), reader.take(":"),
            let minute = reader.number(), reader.take(":"), let second = reader.number(),
            (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60, second < 60, year < 300_000
        else { return nil }
        let fraction = reader.take(".") ? reader.fraction() : 0
        guard let fraction, let offset = reader.offset() else { return nil }
        if reader.take(" BC") { year = 1 - year }
        guard reader.rest.isEmpty else { return nil }
        let seconds = dayNumber(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset
        let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000)
        let (sum, carried) = whole.addingReportingOverflow(fraction)
        // The last thirty years of the server's range.
        return overflow || carried ? .max : sum
    }

    private struct Reader {
        let bytes: [UInt8]
        var position = 0

        init(bytes: [UInt8]) {
            self.bytes = bytes
        }

        var rest: [UInt8] { Array(bytes[position...]) }

        mutating func take(_ text: StaticString) -> Bool {
            let wanted = text.withUTF8Buffer { Array($0) }
            guard bytes[position...].starts(with: wanted) else { return false }
            position += wanted.count
            return true
        }

        /// Digits, at most nine.
        mutating func number() -> Int64? {
            let start = position
            var value: Int64 = 0
            while position < bytes.count, (48...57).contains(bytes[position]), position - start < 9 {
                value = value * 10 + Int64(bytes[position] - 48)
                position += 1
            }
            return position == start ? nil : value
        }

        /// Up to six decimals, in microseconds.
        mutating func fraction() -> Int64? {
            let start = position
            guard var value = number() else { return nil }
            let digits = position - start
            guard digits <= 6 else { return nil }
            for _ in digits..<6 { value *= 10 }
            return value
        }

        /// Seconds east; a missing offset is UTC, which every session of ours is set to.
        mutating func offset() -> Int64? {
            let isWest = take("-")
            guard isWest || take("+") else { return 0 }
            guard let hours = number(), hours < 24 else { return nil }
            var seconds = hours * 3600
            if take(":") {
                guard let minutes = number(), minutes < 60 else { return nil }
                seconds += minutes * 60
                if take(":") {
                    guard let more = number(), more < 60 else { return nil }
                    seconds += more
                }
            }
            return isWest ? -seconds : seconds
        }
    }

    private static func pad(_ value: Int64, _ width: Int) -> String {
        let text = String(value)
        return String(repeating: "0", count: max(0, width - text.count)) + text
    }

    private static func floorDivide(_ value: Int64, _ divisor: Int64) -> Int64 {
        value >= 0 ? value / divisor : -((-value + divisor - 1) / divisor)
    }

    /// Days since 1970 of a date in the proleptic Gregorian calendar; years count from March, in eras of 400.
    private static func dayNumber(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let shifted = month <= 2 ? year - 1 : year
        let era = floorDivide(shifted, 400)
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }

    private static func civil(fromDay day: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let shifted = day + 719_468
        let era = floorDivide(shifted, 146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        return (year, month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
    }
}
