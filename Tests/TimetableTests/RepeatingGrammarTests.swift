import Testing

@testable import Timetable

@Suite("The grammar of repeating intervals")
struct RepeatingGrammarTests {
    @Test(
        "starts are read as Joda-Time reads them",
        arguments: [
            ("2014-10-10T18:32:00Z", "2014-10-10T18:32:00.000Z"), ("2014-10-10", "2014-10-10T00:00:00.000Z"),
            ("2014", "2014-01-01T00:00:00.000Z"), ("2014-10", "2014-10-01T00:00:00.000Z"),
            ("2014-10-10T18Z", "2014-10-10T18:00:00.000Z"), ("T18Z", "1970-01-01T18:00:00.000Z"),
            ("T10:00Z", "1970-01-01T10:00:00.000Z"), ("2014-10-10T18:32Z", "2014-10-10T18:32:00.000Z"),
            ("2014-10-10T18:32:00.5Z", "2014-10-10T18:32:00.500Z"),
            ("2014-10-10T18:32:00,123456789Z", "2014-10-10T18:32:00.123Z"),
            ("2014-10-10T18.5Z", "2014-10-10T18:30:00.000Z"), ("2014-10-10T18:32,25Z", "2014-10-10T18:32:15.000Z"),
            ("2014-W05-3", "2014-01-29T00:00:00.000Z"), ("2014-W05", "2014-01-27T00:00:00.000Z"),
            ("2015-W53-7T00:00Z", "2016-01-03T00:00:00.000Z"), ("2014-W01-1", "2013-12-30T00:00:00.000Z"),
            ("2014-200", "2014-07-19T00:00:00.000Z"), ("2016-366T12Z", "2016-12-31T12:00:00.000Z"),
            ("2014-10-10T18:32:00+02:00", "2014-10-10T16:32:00.000Z"),
            ("2014-10-10T18:32:00-0700", "2014-10-11T01:32:00.000Z"),
            ("2014-10-10T18:32:00-07", "2014-10-11T01:32:00.000Z"), ("2014-10-10T", "2014-10-10T00:00:00.000Z"),
            ("2014-10-10TZ", "2014-10-10T00:00:00.000Z"), ("2014-10-10T+02:00", "2014-10-09T22:00:00.000Z"),
            ("2014-1-2T3:4:5Z", "2014-01-02T03:04:05.000Z"), ("2014-10-10t18:32z", "2014-10-10T18:32:00.000Z"),
            ("2014-10-10T18:32:00", "2014-10-10T18:32:00.000Z"), ("1970-01-01T00:00:01Z", "1970-01-01T00:00:01.000Z"),
            ("2200-12-31T23:59:59Z", "2200-12-31T23:59:59.000Z"), ("+2014-10-10", "2014-10-10T00:00:00.000Z"),
            ("1969-12-31T23:00:00-02:00", "1970-01-01T01:00:00.000Z"),
        ])
    func starts(start: String, due: String) throws {
        let schedule = try repeating("R5/\(start)/PT1H")
        #expect(schedule.next(afterIndex: nil) == Occurrence(index: 0, due: try instant(due)))
        #expect(schedule.anchor == (try instant(due)))
    }

    @Test(
        "starts that Joda-Time refuses are refused",
        arguments: [
            "20141010T183200Z", "2014-10-10T24:00:00Z", "2014-10-10 18:32:00Z", "tomorrow", "2014-10-10Z", "now",
            "2014-10-10T18:60Z", "2014-10-10T18:32:60Z", "2014-13-01", "2014-02-29", "2014-366", "2014-000", "2014-W53",
            "2014-W05-8", "2014-W00", "2014-W", "2014-10-10T18:32:00.Z", "2014-10-10T18:32:00.1234567890Z",
            "2014-10-10T18:32:00+2:00", "2014-10-10T18:32:00+24:00", "2014-10-10T18:32:00+02:60", "2014-", "-", "T",
            "2014-10-10T18:32:00Zx", "2014-10-10T18:", "2014-10-10T18:32:", "2014-10-10T18:32:00 Z", "2014-10-10Tx",
            " 2014-10-10", "2014-10-10T18:32:00[UTC]", "2014-10-10T18:32:00 +02:00", "２０１４",
        ])
    func refusedStarts(start: String) {
        let error = refusal { try repeating("R5/\(start)/PT1H") }
        #expect(error?.code == .syntax || error?.code == .outOfRange)
        #expect(error?.message.contains("2026-11-21T22:00:00Z") == true, "\(error?.message ?? "accepted")")
    }

    @Test(
        "starts outside 1970-2200 are refused with the range",
        arguments: [
            "1969-12-31T23:59:59Z", "-2014-10-10", "0001-01-01", "2201-01-01", "999999999-01-01", "20141010",
            "14-10-10",
            "1970-01-01T00:00:00+01:00", "2200-12-31T23:59:59-01:00",
        ])
    func startsOutside(start: String) {
        let error = refusal { try repeating("R5/\(start)/PT1H") }
        #expect(error?.code == .outOfRange)
        #expect(error?.message.contains("1970-2200") == true)
    }

    @Test(
        "counts are digits after a capital R",
        arguments: [
            ("R", nil), ("R1", 1), ("R007", 7), ("R0", 0), ("R000000000000000000000000001", 1),
            ("R9223372036854775806", 9_223_372_036_854_775_806),
        ] as [(String, Int64?)])
    func counts(text: String, count: Int64?) throws {
        let schedule = try repeating("\(text)/2014-10-10T18:32:00Z/PT1H")
        #expect(schedule.repetitions == count)
        #expect((schedule.next(afterIndex: nil) == nil) == (count == 0))
    }

    @Test(
        "texts that are no repeating intervals are refused",
        arguments: [
            "", "R", "R5", "R5/2014-10-10T18:32:00Z", "R-1//PT1H", "r5//PT1H", "5//PT1H", "//PT1H", "R 5//PT1H",
            "R9223372036854775807//PT1H", "R99999999999999999999//PT1H", "R5//PT1H/", "R5//PT1H ", " R5//PT1H",
            "R5/2014-10-10T18:32:00Z/2014-10-11T18:32:00Z", "R5/2014-10-10T18:32:00Z/", "R5x//PT1H", "R5,//PT1H",
            "0 * * * *", "R//PT1H\n", "Ｒ//PT1H",
        ])
    func noIntervals(text: String) {
        #expect(refusal { try repeating(text) } != nil)
    }

    @Test(
        "periods that do not move forward by a second are refused",
        arguments: [
            "P", "PT0S", "PT0M", "P0D", "P-1D", "PT-1H", "P1DT-1H", "P1M-1D", "PT0.5S", "PT0.999999S", "PT-0.5S",
        ])
    func refusedPeriods(period: String) {
        let error = refusal { try repeating("R//\(period)") }
        #expect(error?.code == .period)
        #expect(error?.message.contains("at least a second") == true || error?.message.contains("forward") == true)
    }

    @Test("periods combine weeks, days and fractional seconds")
    func periods() throws {
        #expect(
            localTimes(try repeating("R3/2014-10-10T00:00:00Z/P1W2DT1M")) == [
                "2014-10-10T00:00", "2014-10-19T00:01", "2014-10-28T00:02",
            ])
        #expect(
            localTimes(try repeating("R3/2014-10-10T00:00:00Z/PT1.5S")) == [
                "2014-10-10T00:00", "2014-10-10T00:00:01.500", "2014-10-10T00:00:03.000",
            ])
    }

    @Test("without a start the creation is the start, and stays it")
    func emptyStart() throws {
        let schedule = try repeating("R3//PT1H", created: "2026-03-04T05:06:07.089Z")
        #expect(localTimes(schedule, 2) == ["2026-03-04T05:06:07.089", "2026-03-04T06:06:07.089"])
        let zoned = try repeating("R3//P1D", zone: "America/New_York", created: "2026-03-07T12:00:00Z")
        #expect(localTimes(zoned, 3) == ["2026-03-07T07:00", "2026-03-08T07:00", "2026-03-09T07:00"])
        #expect(refusal { try repeating("R//PT1H", created: "1969-01-01T00:00:00Z") }?.code == .outOfRange)
        let second = try repeating("R3//P1D", zone: "America/New_York", created: "2026-11-01T06:30:00Z")
        #expect(second.anchor == (try instant("2026-11-01T06:30:00Z")), "the second copy of 01:30 stays the second")
    }

    @Test("a zone replaces that of the start and keeps its local fields")
    func zones() throws {
        let pacific = try repeating("R2/2014-10-10T18:32:00Z/P1D", zone: "PST")
        #expect(pacific.anchor == (try instant("2014-10-11T01:32:00Z")))
        let own = try repeating("R300/2014-10-10T18:32:00+02:00/P1D")
        #expect(localTimes(own, 300).allSatisfy { $0.hasSuffix("T18:32") })
        #expect(own.zone.name == "GMT+02:00")
        #expect(refusal { try repeating("R//PT1H", zone: "Mars/Olympus") }?.code == .unknownZone)
    }

    @Test("texts without end are refused at once")
    func long() {
        #expect(refusal { try repeating("R\(String(repeating: "0", count: 100_000))5//PT1H") }?.code == .syntax)
        #expect(refusal { try repeating("R5/\(String(repeating: "2", count: 240))/PT1H") } != nil)
    }
}
