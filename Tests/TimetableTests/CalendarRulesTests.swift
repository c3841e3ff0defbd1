import Testing

@testable import Timetable

/// The cases of the design's table of calendars, one by one, and its ten rules.
@Suite("Rules of the calendar")
struct CalendarRulesTests {
    @Test("a daily schedule moves out of a gap that day only")
    func gap() throws {
        let schedule = try repeating("R/2026-03-07T02:30:00/P1D", zone: "America/New_York")
        #expect(
            localTimes(schedule, 4) == ["2026-03-07T02:30", "2026-03-08T03:30", "2026-03-09T02:30", "2026-03-10T02:30"])
    }

    @Test("an anchor inside a gap moves, its successors do not")
    func anchorInGap() throws {
        let schedule = try repeating("R/2026-03-08T02:30:00/P1D", zone: "America/New_York")
        #expect(localTimes(schedule, 2) == ["2026-03-08T03:30", "2026-03-09T02:30"])
    }

    @Test("a repeated time is due once, the first time")
    func overlap() throws {
        let schedule = try repeating("R/2026-10-31T01:30:00/P1D", zone: "America/New_York")
        let dues = schedule.occurrences(from: 0, through: try instant("2026-11-02T23:00:00Z"), limit: 10).map(\.due)
        #expect(
            dues == [
                try instant("2026-10-31T05:30:00Z"), try instant("2026-11-01T05:30:00Z"),
                try instant("2026-11-02T06:30:00Z"),
            ])
    }

    @Test("an hour is elapsed time, a day is not: P1D is not PT24H")
    func elapsed() throws {
        let day = try repeating("R/2026-03-07T12:00:00/P1D", zone: "America/New_York")
        let hours = try repeating("R/2026-03-07T12:00:00/PT24H", zone: "America/New_York")
        #expect(localTimes(day, 2) == ["2026-03-07T12:00", "2026-03-08T12:00"])
        #expect(localTimes(hours, 2) == ["2026-03-07T12:00", "2026-03-08T13:00"])
        let hourly = try repeating("R/2026-11-01T00:30:00/PT1H", zone: "America/New_York")
        #expect(
            localTimes(hourly, 4) == ["2026-11-01T00:30", "2026-11-01T01:30", "2026-11-01T01:30", "2026-11-01T02:30"])
    }

    @Test("a mixed period adds its days in wall time and then its hours as elapsed time")
    func mixed() throws {
        let schedule = try repeating("R/2026-03-06T18:00:00/P1DT12H", zone: "America/New_York")
        // Day 1: March 7 18:00 + 12 h crosses the gap, so 07:00 rather than 06:00.
        #expect(localTimes(schedule, 3) == ["2026-03-06T18:00", "2026-03-08T07:00", "2026-03-09T18:00"])
    }

    @Test("yearly from a leap day falls on the 28th and comes back to the 29th")
    func leapDay() throws {
        let schedule = try repeating("R/2024-02-29T00:00:00Z/P1Y")
        #expect(
            localTimes(schedule, 5) == [
                "2024-02-29T00:00", "2025-02-28T00:00", "2026-02-28T00:00", "2027-02-28T00:00", "2028-02-29T00:00",
            ])
        #expect(
            localTimes(try cron("0 0 29 2 *"), 2, after: try instant("2096-03-01T00:00:00Z")) == [
                "2104-02-29T00:00", "2108-02-29T00:00",
            ])
    }

    @Test("month ends come from the anchor")
    func monthEnds() throws {
        let schedule = try repeating("R/2026-01-31T00:00:00Z/P1M")
        #expect(
            localTimes(schedule, 6).map { String($0.prefix(10)) } == [
                "2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30", "2026-05-31", "2026-06-30",
            ])
        let weeks = try repeating("R/2026-01-31T00:00:00Z/P1M1W")
        #expect(
            localTimes(weeks, 3).map { String($0.prefix(10)) } == ["2026-01-31", "2026-03-07", "2026-04-14"],
            "months are added and cut to the month's end before weeks")
        #expect(schedule.next(after: try instant("2026-01-31T23:00:00Z"))?.index == 1, "no month is skipped")
        #expect(
            schedule.next(after: try instant("2126-03-01T00:00:00Z"))
                == Occurrence(index: 1_202, due: try instant("2126-03-31T00:00:00Z")))
    }

    @Test("the years 2038, 2040 and 2100 are years like others")
    func farYears() throws {
        let schedule = try repeating("R/2000-01-01T02:30:00/P1D", zone: "America/New_York")
        #expect(localTimes(schedule, 1, after: try instant("2038-01-19T03:14:08Z")) == ["2038-01-19T02:30"])
        #expect(localTimes(schedule, 1, after: try instant("2040-03-11T06:00:00Z")) == ["2040-03-11T03:30"])
        #expect(localTimes(schedule, 1, after: try instant("2040-07-01T00:00:00Z")) == ["2040-07-01T02:30"])
        #expect(
            localTimes(schedule, 2, after: try instant("2100-02-28T00:00:00Z")) == [
                "2100-02-28T02:30", "2100-03-01T02:30",
            ])
        let seconds = try repeating("R/1970-01-01T00:00:00Z/PT1S")
        #expect(seconds.next(after: try instant("2199-12-31T23:59:59Z"))?.index == 7_258_118_400)
    }

    @Test(
        "zones with odd offsets keep the minute of the wall clock",
        arguments: [
            ("Asia/Kathmandu", "2026-06-01T01:15:00Z"), ("Australia/Adelaide", "2026-05-31T21:30:00Z"),
            ("Pacific/Chatham", "2026-05-31T18:15:00Z"), ("Australia/Lord_Howe", "2026-05-31T20:30:00Z"),
        ])
    func oddOffsets(zone: String, due: String) throws {
        let start = try repeating("R/2026-01-01T07:00:00/P1D", zone: zone)
        #expect(start.next(after: try instant("2026-05-31T12:00:00Z"))?.due == (try instant(due)))
        let nightly = try cron("0 7 * * *", zone: zone)
        #expect(nightly.next(after: try instant("2026-05-31T12:00:00Z"))?.due == (try instant(due)))
    }

    @Test("Lord Howe's gap of half an hour moves by half an hour")
    func lordHowe() throws {
        let schedule = try repeating("R/2026-10-03T02:15:00/P1D", zone: "Australia/Lord_Howe")
        #expect(localTimes(schedule, 3) == ["2026-10-03T02:15", "2026-10-04T02:45", "2026-10-05T02:15"])
    }

    @Test("a day that was skipped leaves one occurrence at its instant and drops the other")
    func skippedDay() throws {
        let schedule = try repeating("R6/2011-12-28T12:00:00/P1D", zone: "Pacific/Apia")
        let found = schedule.occurrences(from: 0, through: .distantFuture, limit: 10)
        #expect(found.map(\.index) == [0, 1, 2, 4, 5])
        #expect(
            localTimes(schedule, 9) == [
                "2011-12-28T12:00", "2011-12-29T12:00", "2011-12-31T12:00", "2012-01-01T12:00", "2012-01-02T12:00",
            ])
        #expect(schedule.count(from: 0, through: 5) == 5)
        #expect(schedule.count(from: 3, through: 3) == 0)
        #expect(schedule.next(afterIndex: 2)?.index == 4)
        #expect(schedule.last(atOrBefore: found[2].due) == found[2])
        #expect(schedule.next(after: found[1].due) == found[2])
        #expect(schedule.occurrences(from: 3, through: .distantFuture, limit: 1).map(\.index) == [4])
        let kwajalein = try repeating("R4/1993-08-20T12:00:00/P1D", zone: "Pacific/Kwajalein")
        #expect(kwajalein.occurrences(from: 0, through: .distantFuture, limit: 10).map(\.index) == [0, 1, 3])
        #expect(
            localTimes(try cron("0 12 * * *", zone: "Pacific/Apia"), 2, after: try instant("2011-12-29T00:00:00Z")) == [
                "2011-12-29T12:00", "2011-12-31T12:00",
            ])
    }

    @Test("of a skipped day each time of day is dropped once", arguments: ["00:00:00", "00:00:01", "23:59:59"])
    func edgesOfSkippedDay(time: String) throws {
        let schedule = try repeating("R6/2011-12-28T\(time)/P1D", zone: "Pacific/Apia")
        let found = schedule.occurrences(from: 0, through: .distantFuture, limit: 10)
        #expect(found.map(\.index) == [0, 1, 2, 4, 5])
        #expect(schedule.count(from: 0, through: 5) == 5)
        #expect(zip(found, found.dropFirst()).allSatisfy { $0.due < $1.due })
    }

    @Test(
        "where midnight does not exist the day is not lost",
        arguments: [
            ("Africa/Cairo", "2026-04-24"), ("Asia/Beirut", "2026-03-29"), ("America/Asuncion", "2023-10-01"),
            ("America/Sao_Paulo", "2018-11-04"),
        ])
    func midnightGaps(zone: String, day: String) throws {
        let schedule = try repeating("R/2010-01-01T00:00:00/P1D", zone: zone)
        let noonBefore = try instant(day + "T00:00:00Z").advanced(by: .seconds(-43_200))
        #expect(localTimes(schedule, 1, after: noonBefore) == [day + "T01:00"])
        let nightly = try cron("0 0 * * *", zone: zone)
        #expect(localTimes(nightly, 1, after: noonBefore) != [day + "T00:00"], "cron skips what clocks do not show")
    }

    @Test("R5 means five occurrences, and R0 none")
    func counts() throws {
        let five = try repeating("R5/2026-01-01T00:00:00Z/PT1H")
        #expect(five.occurrences(from: 0, through: .distantFuture, limit: 10).map(\.index) == [0, 1, 2, 3, 4])
        #expect(five.count(from: .min, through: .max) == 5)
        #expect(five.next(afterIndex: 4) == nil)
        #expect(five.next(after: try instant("2026-01-01T04:00:00Z")) == nil)
        #expect(five.last(atOrBefore: .distantFuture)?.index == 4)
        let none = try repeating("R0/2026-01-01T00:00:00Z/PT1H")
        #expect(none.next(afterIndex: nil) == nil && none.next(after: .distantPast) == nil)
        #expect(none.last(atOrBefore: .distantFuture) == nil && none.count(from: 0, through: .max) == 0)
        #expect(none.occurrences(from: 0, through: .distantFuture, limit: 10).isEmpty)
    }

    @Test("nothing before the anchor, nothing after 2200")
    func ends() throws {
        let schedule = try repeating("R/2026-01-01T00:00:00Z/P1Y")
        #expect(schedule.last(atOrBefore: try instant("2025-12-31T23:59:59.999Z")) == nil)
        #expect(schedule.next(after: .distantPast)?.index == 0)
        #expect(schedule.last(atOrBefore: .distantFuture)?.due == (try instant("2200-01-01T00:00:00Z")))
        #expect(schedule.next(after: try instant("2200-01-01T00:00:00Z")) == nil)
        #expect(schedule.count(from: 0, through: .max) == 175)
        let once = try repeating("R/2026-01-01T00:00:00Z/P2147483647Y2147483647M2147483647W2147483647DT2147483647H")
        #expect(once.count(from: 0, through: .max) == 1)
        #expect(once.next(afterIndex: 0) == nil && once.next(after: .distantPast)?.index == 0)
        #expect(once.remainingText(after: 0).hasPrefix("R/2026-01-01"))
    }

    @Test("extreme indexes and instants are answered, not trapped")
    func extremes() throws {
        let schedules = [
            try repeating("R/1970-01-01T00:00:00Z/PT1S"), try repeating("R9223372036854775806/2026-01-31/P1M1DT1S"),
            try repeating("R/1990-01-01T12:00:00/P1D", zone: "Pacific/Apia"), try cron("* * * * * *"),
            try cron("0 0 29 2 *", zone: "Pacific/Apia"),
        ]
        for schedule in schedules {
            for index in [Int64.min, -1, 0, 1 << 40, .max - 1, .max] {
                _ = schedule.next(afterIndex: index)
                _ = schedule.count(from: index, through: .max)
                _ = schedule.count(from: .min, through: index)
                _ = schedule.occurrences(from: index, through: .distantFuture, limit: 2)
                _ = schedule.remainingText(after: index)
            }
            for instant in [Instant.distantPast, .distantFuture, Instant(seconds: -1)] {
                _ = schedule.next(after: instant)
                _ = schedule.last(atOrBefore: instant)
            }
            #expect(schedule.next(afterIndex: .max) == nil)
            #expect(schedule.next(after: .distantFuture) == nil)
            #expect(schedule.last(atOrBefore: .distantPast) == nil)
            #expect(schedule.next(afterIndex: -1) == schedule.next(afterIndex: nil))
            #expect(schedule.occurrences(from: 0, through: .distantFuture, limit: 0).isEmpty)
            #expect(schedule.occurrences(from: 0, through: .distantFuture, limit: -1).isEmpty)
            #expect(schedule.count(from: 5, through: 4) == 0)
        }
    }
}
