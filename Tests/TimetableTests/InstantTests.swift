import Foundation
import Testing

@testable import Timetable

@Suite("Instants and civil dates")
struct InstantTests {
    @Test(
        "an instant prints as UTC with three decimals",
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"), (-1, "1969-12-31T23:59:59.999Z"),
            (1_795_299_101_123_456, "2026-11-21T22:11:41.123Z"), (4_107_542_399_000_000, "2100-02-28T23:59:59.000Z"),
            (2_147_483_648_000_000, "2038-01-19T03:14:08.000Z"),
        ])
    func printing(microseconds: Int64, text: String) throws {
        #expect(Instant(microseconds: microseconds).iso8601 == text)
        #expect(try instant(text).milliseconds == Instant(microseconds: microseconds).milliseconds)
    }

    @Test(
        "RFC 3339 is read with any offset and any number of decimals",
        arguments: [
            ("2026-11-21T22:11:41Z", 1_795_299_101_000_000), ("2026-11-21t23:11:41.5+01:00", 1_795_299_101_500_000),
            ("2026-11-21 22:11:41.1234567899-00:00", 1_795_299_101_123_456),
            ("2016-12-31T23:59:60Z", 1_483_228_800_000_000), ("0001-01-01T00:00:00Z", -62_135_596_800_000_000),
        ])
    func reading(text: String, microseconds: Int64) {
        #expect(Instant(iso8601: text)?.microseconds == microseconds)
    }

    @Test(
        "what is not RFC 3339 is refused",
        arguments: [
            "", "2026-11-21", "2026-11-21T22:11:41", "2026-11-21T22:11Z", "2026-11-21T22:11:41+0100",
            "2026-02-30T00:00:00Z", "2026-11-21T24:00:00Z", "2026-11-21T22:11:41.Z", "2026-11-21T22:11:61Z",
            "2026-11-21T22:11:41Zx", " 2026-11-21T22:11:41Z", "2026-11-21T22:11:41+24:00", "20261121T221141Z",
            "2026-11-21T22:11:41Z" + String(repeating: " ", count: 10_000),
        ])
    func refusing(text: String) {
        #expect(Instant(iso8601: text) == nil)
    }

    @Test("arithmetic saturates instead of trapping")
    func saturation() {
        #expect(Instant.distantFuture.advanced(by: .seconds(1)) == .distantFuture)
        #expect(Instant.distantPast.advanced(by: .seconds(-1)) == .distantPast)
        #expect(Instant(seconds: .max) == .distantFuture)
        #expect(Instant(milliseconds: .min) == .distantPast)
        #expect(Instant(seconds: 0).advanced(by: .seconds(Int64.max)) == .distantFuture)
        #expect(Instant.distantPast.duration(to: .distantFuture) > .seconds(18_000_000_000_000))
        #expect(Instant(microseconds: -1).seconds == -1)
        #expect(Instant(microseconds: -1).milliseconds == -1)
        #expect(Instant.distantFuture.iso8601.hasSuffix("Z"))
        #expect(Instant.distantPast.iso8601.hasPrefix("-"))
    }

    @Test("durations are cut to microseconds and measured exactly")
    func durations() {
        let start = Instant(milliseconds: 1_500)
        #expect(start.advanced(by: .milliseconds(250)).microseconds == 1_750_000)
        #expect(start.advanced(by: .nanoseconds(1_999)).microseconds == 1_500_001)
        #expect(start.duration(to: Instant(seconds: 1)) == .milliseconds(-500))
    }

    @Test("every day from 1600 to 2400 follows its predecessor")
    func everyDay() {
        var (year, month, day, weekday) = (1_600, 1, 1, 6)
        for number in Int64(-135_140)..<157_054 {
            let date = CivilDate(daysSinceEpoch: number)
            guard (date.year, date.month, date.day) == (year, month, day), date.daysSinceEpoch == number,
                date.weekday == weekday
            else {
                Issue.record("day \(number) is \(date), not \(year)-\(month)-\(day)")
                return
            }
            weekday = (weekday + 1) % 7
            day += 1
            if day > CivilDate.length(ofMonth: month, year: year) { (month, day) = (month + 1, 1) }
            if month == 13 { (year, month) = (year + 1, 1) }
        }
        #expect((year, month, day) == (2_400, 1, 1))
    }

    @Test("dates that do not exist cannot be made")
    func impossibleDates() {
        #expect(CivilDate(year: 2_026, month: 2, day: 29) == nil)
        #expect(CivilDate(year: 1_900, month: 2, day: 29) == nil)
        #expect(CivilDate(year: 2_000, month: 2, day: 29) != nil)
        #expect(CivilDate(year: 2_026, month: 13, day: 1) == nil)
        #expect(CivilDate(year: 2_026, month: 0, day: 1) == nil)
        #expect(CivilDate(year: 2_026, month: 4, day: 31) == nil)
        #expect(CivilDate(year: .max, month: 1, day: 1) == nil)
        #expect(CivilDateTime(year: 2_026, month: 1, day: 1, hour: 24) == nil)
        #expect(CivilDateTime(year: 2_026, month: 1, day: 1, second: 60) == nil)
        #expect(CivilDateTime(year: 2_026, month: 1, day: 1, microsecond: 1_000_000) == nil)
    }
}
