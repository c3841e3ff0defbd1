/// Cronicle's timing object: lists of values a field of the local time must be in, an empty list meaning any.
///
/// All fields must match: days and weekdays are ANDed, unlike cron's. A minute matrix without any list is every minute.
public struct MinuteMatrix: Sendable, Hashable, CustomStringConvertible {
    /// 1...9999; only 1970...2200 can match.
    public let years: [Int]
    /// 1...12
    public let months: [Int]
    /// 1...31
    public let days: [Int]
    /// 0...6, 0 is Sunday.
    public let weekdays: [Int]
    /// 0...23
    public let hours: [Int]
    /// 0...59
    public let minutes: [Int]

    /// Sorts the lists and drops doubles; throws `.outOfRange` for a value no clock shows.
    public init(
        years: [Int] = [], months: [Int] = [], days: [Int] = [], weekdays: [Int] = [], hours: [Int] = [],
        minutes: [Int] = []
    ) throws(ScheduleError) {
        self.years = try Self.checked(years, "years", 1...9_999)
        self.months = try Self.checked(months, "months", 1...12)
        self.days = try Self.checked(days, "days", 1...31)
        self.weekdays = try Self.checked(weekdays, "weekdays", 0...6)
        self.hours = try Self.checked(hours, "hours", 0...23)
        self.minutes = try Self.checked(minutes, "minutes", 0...59)
    }

    private static func checked(
        _ values: [Int], _ name: String, _ range: ClosedRange<Int>
    ) throws(ScheduleError) -> [Int] {
        if let wrong = values.first(where: { !range.contains($0) }) {
            throw ScheduleError(
                code: .outOfRange,
                message: "\(name) must be in \(range.lowerBound)-\(range.upperBound), \(wrong) is not")
        }
        return Set(values).sorted()
    }

    /// The lists that restrict, such as `hours 2,14 minutes 30`.
    public var description: String {
        let parts = [
            ("years", years), ("months", months), ("days", days), ("weekdays", weekdays), ("hours", hours),
            ("minutes", minutes),
        ]
        let texts = parts.filter { !$0.1.isEmpty }.map { name, values in
            "\(name) \(values.map(String.init).joined(separator: ","))"
        }
        return texts.isEmpty ? "every minute" : texts.joined(separator: " ")
    }
}

extension CalendarFields {
    init(_ matrix: MinuteMatrix) {
        func mask(_ values: [Int], _ any: UInt64) -> UInt64 {
            values.isEmpty ? any : values.reduce(0) { $0 | 1 << UInt64($1) }
        }
        minutes = mask(matrix.minutes, minutes)
        hours = mask(matrix.hours, hours)
        days = mask(matrix.days, days)
        months = mask(matrix.months, months)
        weekdays = mask(matrix.weekdays, weekdays)
        years = matrix.years.isEmpty ? nil : matrix.years.filter(Self.searchedYears.contains)
    }
}
