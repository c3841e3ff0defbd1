import Testing

@testable import Timetable

@Suite("The schedule as Chronos' listing shows it")
struct RemainingTextTests {
    @Test(
        "after an occurrence the text names what is left",
        arguments: [
            ("R5/2014-10-10T00:00:00Z/PT60M", "", 0, "R4/2014-10-10T01:00:00.000Z/PT60M"),
            ("R/2014-10-10/PT1H", "", 23, "R/2014-10-11T00:00:00.000Z/PT1H"),
            ("R5/2014-10-10T00:00:00+02:00/P1D", "", 3, "R1/2014-10-14T00:00:00.000+02:00/P1D"),
            ("R5/2014-10-10T00:00:00-0730/P01D", "", 4, "R0/2014-10-15T00:00:00.000-07:30/P1D"),
            ("R/2026-03-07T02:30:00Z/P1D", "America/New_York", 0, "R/2026-03-08T03:30:00.000-04:00/P1D"),
            ("R/2026-03-07T02:30:00Z/P1D", "America/New_York", 1, "R/2026-03-09T02:30:00.000-04:00/P1D"),
            ("R/2026-01-07T02:30:00Z/P1D", "Europe/London", 0, "R/2026-01-08T02:30:00.000Z/P1D"),
            ("R/2014-01-31T00:00:00Z/P1M", "", 0, "R/2014-02-28T00:00:00.000Z/P1M"),
            ("R/2014-01-31T00:00:00Z/P1M", "", 1, "R/2014-03-31T00:00:00.000Z/P1M"),
            ("R2/2014-10-10T00:00:00.5Z/PT1,5S", "", 0, "R1/2014-10-10T00:00:02.000Z/PT1.500S"),
            ("R3/2011-12-29T12:00:00Z/P1D", "Pacific/Apia", 1, "R0/2012-01-01T12:00:00.000+14:00/P1D"),
        ] as [(String, String, Int64, String)])
    func remaining(text: String, zone: String, index: Int64, expected: String) throws {
        #expect(try repeating(text, zone: zone).remainingText(after: index) == expected)
    }

    @Test("before the first occurrence the text is verbatim")
    func verbatim() throws {
        #expect(try repeating("R007//PT060M").remainingText(after: nil) == "R007//PT060M")
        #expect(try cron("@daily").remainingText(after: 86_400) == "@daily")
    }

    @Test("what is listed leads on to the same occurrences")
    func roundTrip() throws {
        for text in [
            "R50/2026-01-31T02:30:00Z/P1M", "R50/2026-03-01T02:30:00Z/P1DT1H", "R50/2026-03-01T02:30:00Z/PT7H",
        ] {
            let schedule = try repeating(text)
            let listed = try repeating(schedule.remainingText(after: 11))
            let next = try #require(schedule.next(afterIndex: 11))
            #expect(listed.next(afterIndex: nil)?.due == next.due)
            #expect(listed.repetitions == 38)
        }
    }

    @Test("an index beyond everything still prints")
    func extremes() throws {
        let schedule = try repeating("R5/2014-10-10T00:00:00Z/PT1H")
        #expect(schedule.remainingText(after: .max) == "R0/2014-10-10T04:00:00.000Z/PT1H")
        #expect(schedule.remainingText(after: -5) == "R5/2014-10-10T00:00:00.000Z/PT1H")
        #expect(try repeating("R0/2014-10-10T00:00:00Z/PT1H").remainingText(after: .max).hasPrefix("R0/2014"))
    }
}
