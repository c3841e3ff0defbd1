import Foundation
import Testing

@testable import Timetable

@Suite("Foundation's calendar agrees")
struct FoundationOracleTests {
    static let names = [
        "America/New_York", "Europe/Berlin", "Europe/Dublin", "Australia/Lord_Howe", "Pacific/Chatham",
        "Asia/Kathmandu",
        "Africa/Cairo", "America/Asuncion", "Asia/Beirut", "Pacific/Apia", "America/Sao_Paulo", "Asia/Tehran",
    ]

    // A gap moves forward by the gap, an overlap means its first copy: from an anchor Foundation does the same.
    // In Apia it counts days that passed rather than dates, so that it is a day ahead after the skipped one.
    @Test("days, weeks and months added to an anchor", arguments: names.filter { $0 != "Pacific/Apia" })
    func anchored(name: String) throws {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = try #require(TimeZone(identifier: name))
        var random = SeededGenerator(seed: 3)
        for start in ["2010-01-31T02:30:00", "2010-10-02T00:15:00", "2037-08-31T01:45:00", "2040-02-29T02:05:00"] {
            for (period, component) in [("P1D", Calendar.Component.day), ("P1M", .month), ("P1W", .weekOfYear)] {
                let schedule = try repeating("R/\(start)/\(period)", zone: name)
                let anchor = try #require(schedule.anchor)
                let date = Date(timeIntervalSince1970: Double(anchor.seconds))
                for _ in 0..<60 {
                    let index = Int.random(in: 1...900, using: &random)
                    guard schedule.count(from: Int64(index), through: Int64(index)) == 1 else { continue }
                    let theirs = try #require(calendar.date(byAdding: component, value: index, to: date))
                    let ours = try #require(schedule.next(afterIndex: Int64(index) - 1))
                    if Int64(theirs.timeIntervalSince1970) != ours.due.seconds {
                        Issue.record("\(name) \(start) \(period) \(index): \(ours.due), Foundation: \(theirs)")
                    }
                }
            }
        }
    }

    @Test("local readings to 2200", arguments: names)
    func readings(name: String) throws {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = try #require(TimeZone(identifier: name))
        let rules = try #require(SystemZones.shared.rules(named: name))
        var random = SeededGenerator(seed: 4)
        for _ in 0..<400 {
            let seconds = Int64.random(in: 100_000_000..<Limits.horizonSeconds, using: &random)
            let parts = calendar.dateComponents(
                [.year, .month, .day, .hour, .minute, .second, .weekday],
                from: Date(timeIntervalSince1970: Double(seconds)))
            let local = rules.local(at: Instant(seconds: seconds))
            #expect([local.year, local.month, local.day] == [parts.year, parts.month, parts.day])
            #expect([local.hour, local.minute, local.second] == [parts.hour, parts.minute, parts.second])
            #expect(local.weekday + 1 == parts.weekday)
        }
    }

    @Test("week dates and ordinal dates")
    func weekDates() throws {
        var calendar = Calendar(identifier: .iso8601)
        calendar.timeZone = TimeZone.gmt
        for year in 1_971...2_199 {
            for (week, weekday) in [(1, 1), (8, 3), (52, 7)] {
                let theirs = try #require(
                    calendar.date(
                        from: DateComponents(
                            weekday: weekday % 7 + 1, weekOfYear: week, yearForWeekOfYear: year)))
                let ours = try repeating("R/\(year)-W\(week)-\(weekday)/P1D").anchor
                #expect(ours?.seconds == Int64(theirs.timeIntervalSince1970))
            }
            let last = CivilDate.isLeap(year: year) ? 366 : 365
            #expect(try repeating("R/\(year)-\(last)/P1D").anchor == (try instant("\(year)-12-31T00:00:00Z")))
        }
    }
}
