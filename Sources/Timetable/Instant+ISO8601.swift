extension Instant: CustomStringConvertible {
    /// `2026-11-21T22:11:41.123Z`: always UTC, always three decimals, the rest cut off.
    public var iso8601: String {
        var writer = TextWriter()
        writer.write(CivilDateTime(localSeconds: seconds, microsecond: Int(microseconds.floorModulo(1_000_000))))
        writer.write("Z")
        return writer.text
    }

    public var description: String { iso8601 }

    /// Reads RFC 3339: a full date and time with an offset, any number of decimals (beyond microseconds cut off).
    ///
    /// Nil for anything else. A leap second (`:60`) is the first instant of the next minute.
    public init?(iso8601 text: String) {
        guard text.utf8.count <= Limits.textLength else { return nil }
        var scanner = TextScanner(text)
        guard let year = scanner.takeExactly(4), scanner.take("-"),
            let month = scanner.takeExactly(2), scanner.take("-"),
            let day = scanner.takeExactly(2), scanner.take(anyOf: "Tt ") != nil,
            let hour = scanner.takeExactly(2), scanner.take(":"),
            let minute = scanner.takeExactly(2), scanner.take(":"),
            let second = scanner.takeExactly(2), second <= 60
        else { return nil }
        var microsecond: Int64 = 0
        if scanner.take(".") {
            guard let fraction = scanner.takeFraction(scale: 1_000_000, limit: Limits.textLength) else { return nil }
            microsecond = fraction
        }
        guard let offset = scanner.takeOffset(), scanner.isAtEnd,
            let local = CivilDateTime(
                year: year, month: month, day: day, hour: hour, minute: minute, second: min(second, 59))
        else { return nil }
        let seconds = local.localSeconds - offset + (second == 60 ? 1 : 0)
        self.init(microseconds: seconds * 1_000_000 + microsecond)
    }
}

extension TextScanner {
    fileprivate mutating func takeExactly(_ count: Int) -> Int? {
        guard let digits = takeDigits(limit: count), digits.count == count else { return nil }
        return Int(digits.value)
    }

    /// `Z` or `+hh:mm`, in seconds east.
    fileprivate mutating func takeOffset() -> Int64? {
        if take(anyOf: "Zz") != nil { return 0 }
        guard let sign = take(anyOf: "+-"), let hours = takeExactly(2), take(":"), let minutes = takeExactly(2),
            hours <= 23, minutes <= 59
        else { return nil }
        let size = Int64(hours * 3_600 + minutes * 60)
        return sign == UInt8(ascii: "-") ? -size : size
    }
}
