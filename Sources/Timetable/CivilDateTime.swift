/// A reading of a wall clock: date and time of day, without a zone.
public struct CivilDateTime: Hashable, Comparable, Sendable {
    public let date: CivilDate
    /// 0...23
    public let hour: Int
    /// 0...59
    public let minute: Int
    /// 0...59; leap seconds do not exist here.
    public let second: Int
    /// 0...999999
    public let microsecond: Int

    /// Nil when a field is out of its range.
    public init?(
        year: Int, month: Int, day: Int, hour: Int = 0, minute: Int = 0, second: Int = 0, microsecond: Int = 0
    ) {
        guard let date = CivilDate(year: year, month: month, day: day) else { return nil }
        guard (0...23).contains(hour), (0...59).contains(minute), (0...59).contains(second) else { return nil }
        guard (0...999_999).contains(microsecond) else { return nil }
        self.date = date
        self.hour = hour
        self.minute = minute
        self.second = second
        self.microsecond = microsecond
    }

    /// The reading that is this many seconds after the reading 1970-01-01T00:00:00.
    init(localSeconds: Int64, microsecond: Int = 0) {
        date = CivilDate(daysSinceEpoch: localSeconds.floorDivided(by: 86_400))
        let secondOfDay = Int(localSeconds.floorModulo(86_400))
        hour = secondOfDay / 3_600
        minute = secondOfDay / 60 % 60
        second = secondOfDay % 60
        self.microsecond = microsecond
    }

    /// Seconds from the reading 1970-01-01T00:00:00 to this one: an instant only where the offset is zero.
    var localSeconds: Int64 {
        date.daysSinceEpoch * 86_400 + Int64(secondOfDay)
    }

    var secondOfDay: Int { hour * 3_600 + minute * 60 + second }

    public var year: Int { date.year }
    public var month: Int { date.month }
    public var day: Int { date.day }
    /// 0 is Sunday, 6 Saturday.
    public var weekday: Int { date.weekday }

    public static func < (left: CivilDateTime, right: CivilDateTime) -> Bool {
        (left.date, left.secondOfDay, left.microsecond) < (right.date, right.secondOfDay, right.microsecond)
    }
}
