/// An ISO 8601 duration as Chronos' periods and epsilons are written: `PnYnMnWnDTnHnMnS`.
///
/// Parts come in this order, each at most once and each may carry its own sign; only seconds may have a fraction
/// (`PT0.5S`, also with a comma). `P` alone is zero. As in Joda-Time, parts are kept as written: `PT60M` is not `PT1H`.
public struct ISODuration: Sendable, Hashable {
    public let years: Int64
    public let months: Int64
    public let weeks: Int64
    public let days: Int64
    public let hours: Int64
    public let minutes: Int64
    public let seconds: Int64
    /// The fraction of the seconds, with their sign.
    public let microseconds: Int64

    /// Throws `.syntax` or `.outOfRange`; a zero or negative duration is none of its errors.
    public init(_ text: String) throws(ScheduleError) {
        guard text.utf8.count <= Limits.textLength else {
            throw ScheduleError(code: .syntax, message: "a period has at most \(Limits.textLength) characters")
        }
        var parser = Parser(text: text)
        try parser.run()
        let values = parser.values
        (years, months, weeks, days) = (values[0], values[1], values[2], values[3])
        (hours, minutes, seconds) = (values[4], values[5], values[6])
        microseconds = parser.fraction
    }

    /// The exact length, with a day of 24 hours; nil with years or months, whose length depends on where they begin.
    public var fixed: Duration? {
        guard years == 0, months == 0 else { return nil }
        return .seconds((weeks * 7 + days) * 86_400) + .microseconds(elapsedMicroseconds)
    }

    /// The length with a mean year of 365.2425 days and a month of a twelfth of it.
    public var approximate: Duration {
        .seconds((years * 12 + months) * 2_629_746) + .seconds((weeks * 7 + days) * 86_400)
            + .microseconds(elapsedMicroseconds)
    }

    /// Whether any part is below zero.
    public var hasNegativePart: Bool {
        [years, months, weeks, days, hours, minutes, seconds, microseconds].contains { $0 < 0 }
    }

    /// Years and months; at most 2.8e10 by the limit of a part.
    var calendarMonths: Int64 { years * 12 + months }

    /// Weeks and days.
    var calendarDays: Int64 { weeks * 7 + days }

    /// Hours, minutes and seconds in microseconds; at most 7.9e18 by the limit of a part.
    var elapsedMicroseconds: Int64 {
        hours * 3_600_000_000 + minutes * 60_000_000 + seconds * 1_000_000 + microseconds
    }

    /// As Joda-Time prints it: without the parts that are zero, `PT0S` for nothing.
    var normalizedText: String {
        func part(_ value: Int64, _ letter: String) -> String { value == 0 ? "" : "\(value)\(letter)" }
        let date = part(years, "Y") + part(months, "M") + part(weeks, "W") + part(days, "D")
        let time = part(hours, "H") + part(minutes, "M") + secondsText
        if date.isEmpty, time.isEmpty { return "PT0S" }
        return "P" + date + (time.isEmpty ? "" : "T" + time)
    }

    private var secondsText: String {
        guard seconds != 0 || microseconds != 0 else { return "" }
        guard microseconds != 0 else { return "\(seconds)S" }
        let isWholeMilliseconds = microseconds % 1_000 == 0
        let size = Int(microseconds.magnitude)
        var writer = TextWriter()
        writer.write(seconds < 0 || microseconds < 0 ? "-" : "")
        writer.write("\(seconds.magnitude).")
        writer.write(isWholeMilliseconds ? size / 1_000 : size, width: isWholeMilliseconds ? 3 : 6)
        writer.write("S")
        return writer.text
    }
}

extension ISODuration {
    private struct Parser {
        let text: String
        var scanner: TextScanner
        /// Years, months, weeks, days, hours, minutes, seconds.
        var values = [Int64](repeating: 0, count: 7)
        var fraction: Int64 = 0

        init(text: String) {
            self.text = text
            scanner = TextScanner(text)
        }

        mutating func run() throws(ScheduleError) {
            guard scanner.take("P") else { throw refusal(reasonForMissingP) }
            try parts(["Y", "M", "W", "D"], firstSlot: 0)
            if scanner.take("T") {
                guard !scanner.isAtEnd else { throw refusal("after T there must be hours, minutes or seconds") }
                try parts(["H", "M", "S"], firstSlot: 4)
            }
            guard scanner.isAtEnd else { throw refusal("\(quoted(scanner.rest)) is out of place") }
        }

        private var reasonForMissingP: String {
            text.hasPrefix("p") ? "it must be in capital letters" : "it must begin with P"
        }

        private mutating func parts(_ letters: [Unicode.Scalar], firstSlot: Int) throws(ScheduleError) {
            var slot = 0
            while let byte = scanner.next, byte != UInt8(ascii: "T") {
                let number = try takeNumber()
                while slot < letters.count, !scanner.take(letters[slot]) { slot += 1 }
                guard slot < letters.count else {
                    throw refusal("\(quoted(scanner.rest)) is not a unit that may follow here")
                }
                guard !number.hasFraction || letters[slot] == "S" else {
                    throw refusal("only seconds may have a fraction; write PT90M rather than PT1.5H")
                }
                values[firstSlot + slot] = number.whole
                fraction = number.fraction
                slot += 1
            }
        }

        private typealias Number = (whole: Int64, fraction: Int64, hasFraction: Bool)

        private mutating func takeNumber() throws(ScheduleError) -> Number {
            let sign: Int64 = scanner.take(anyOf: "+-") == UInt8(ascii: "-") ? -1 : 1
            guard let whole = scanner.takeNumber() else {
                throw refusal("a number is missing before \(quoted(scanner.rest))")
            }
            guard whole <= Limits.periodPart else {
                throw ScheduleError(
                    code: .outOfRange,
                    message: "the period \(quoted(text)) has a number above \(Limits.periodPart)")
            }
            guard scanner.take(anyOf: ".,") != nil else { return (sign * whole, 0, false) }
            guard let fraction = scanner.takeFraction(scale: 1_000_000, limit: Limits.textLength) else {
                throw refusal("digits are missing after the decimal point")
            }
            return (sign * whole, sign * fraction, true)
        }

        private func refusal(_ reason: String) -> ScheduleError {
            ScheduleError(
                code: .syntax,
                message: "the period \(quoted(text)) is not an ISO 8601 duration such as PT30M, P1D or P1M: \(reason)")
        }
    }
}
