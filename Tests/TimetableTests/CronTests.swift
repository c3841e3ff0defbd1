import Testing

@testable import Timetable

@Suite("Cron expressions")
struct CronTests {
    @Test(
        "expressions are due at these times after 2026-01-01 (a Thursday)",
        arguments: [
            ("* * * * *", ["2026-01-01T00:01", "2026-01-01T00:02"]),
            ("30 2 * * mon-fri", ["2026-01-01T02:30", "2026-01-02T02:30", "2026-01-05T02:30"]),
            ("0 0 1 jan *", ["2027-01-01T00:00", "2028-01-01T00:00"]),
            ("*/20 9-10 * * *", ["2026-01-01T09:00", "2026-01-01T09:20", "2026-01-01T09:40", "2026-01-01T10:00"]),
            ("5/25 0 * * *", ["2026-01-01T00:05", "2026-01-01T00:30", "2026-01-01T00:55", "2026-01-02T00:05"]),
            ("0,15,30-32 0 * * *", ["2026-01-01T00:15", "2026-01-01T00:30", "2026-01-01T00:31", "2026-01-01T00:32"]),
            ("10-20/5 0 * * *", ["2026-01-01T00:10", "2026-01-01T00:15", "2026-01-01T00:20", "2026-01-02T00:10"]),
            ("0 0 13 * fri", ["2026-01-02T00:00", "2026-01-09T00:00", "2026-01-13T00:00", "2026-01-16T00:00"]),
            ("0 0 */2 * mon", ["2026-01-05T00:00", "2026-01-19T00:00", "2026-02-09T00:00"]),
            ("0 0 13 * ?", ["2026-01-13T00:00", "2026-02-13T00:00"]),
            ("0 0 ? * SUN", ["2026-01-04T00:00", "2026-01-11T00:00"]),
            ("0 0 * * 7", ["2026-01-04T00:00", "2026-01-11T00:00"]), ("0 0 * * 0", ["2026-01-04T00:00"]),
            ("0 0 * * 5-7", ["2026-01-02T00:00", "2026-01-03T00:00", "2026-01-04T00:00", "2026-01-09T00:00"]),
            ("0 0 * * sat-sun", ["2026-01-03T00:00", "2026-01-04T00:00", "2026-01-10T00:00"]),
            ("0 0 * * */2", ["2026-01-03T00:00", "2026-01-04T00:00", "2026-01-06T00:00", "2026-01-08T00:00"]),
            ("0 0 L * *", ["2026-01-31T00:00", "2026-02-28T00:00", "2026-03-31T00:00"]),
            ("0 0 15,l * *", ["2026-01-15T00:00", "2026-01-31T00:00", "2026-02-15T00:00", "2026-02-28T00:00"]),
            ("30 59 23 31 12 *", ["2026-12-31T23:59:30.000", "2027-12-31T23:59:30.000"]),
            ("*/30 * * * * *", ["2026-01-01T00:00:30.000", "2026-01-01T00:01"]),
            ("  0\t12  *   * * ", ["2026-01-01T12:00"]), ("0 0 31 * *", ["2026-01-31T00:00", "2026-03-31T00:00"]),
            ("0 0 1 Jan,JUL *", ["2026-07-01T00:00", "2027-01-01T00:00"]),
            ("@yearly", ["2027-01-01T00:00"]), ("@annually", ["2027-01-01T00:00"]),
            ("@monthly", ["2026-02-01T00:00"]), ("@weekly", ["2026-01-04T00:00"]),
            ("@daily", ["2026-01-02T00:00"]), ("@midnight", ["2026-01-02T00:00"]), ("@Hourly", ["2026-01-01T01:00"]),
            ("0 0 1-7 * 1-7", ["2026-01-02T00:00", "2026-01-03T00:00"]), ("59/9 23 31 12 *", ["2026-12-31T23:59"]),
        ])
    func due(text: String, times: [String]) throws {
        let schedule = try cron(text)
        #expect(localTimes(schedule, times.count, after: try instant("2026-01-01T00:00:00Z")) == times)
    }

    @Test(
        "malformed expressions are refused",
        arguments: [
            "", " ", "*", "* * * *", "* * * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * 32 * *",
            "* * * 0 *", "* * * 13 *", "* * * * 8", "*/0 * * * *", "*/60 * * * *", "5-1 * * * *", "a * * * *",
            "* * * foo *", "1,,2 * * * *", ",1 * * * *", "1- * * * *", "-1 * * * *", "1-2-3 * * * *", "*/5/5 * * * *",
            "+5 * * * *", "? * * * *", "* * * jan-mär *", "1/ * * * *", "/5 * * * *", "*5 * * * *",
            "99999999999 * * * *",
            "@reboot", "@every 5m", "@dayly", "@daily x", "* * 15W * *", "* * * * 5L", "* * * * 5#3", "L * * * *",
            "CRON_TZ=UTC * * * * *", "mon * * * *", "* * LW * *", "٣ * * * *", "60 * * * * *", "0x1 * * * *",
        ])
    func malformed(text: String) {
        #expect(refusal { try cron(text) } != nil)
    }

    @Test(
        "an error says what would be right",
        arguments: [
            ("@reboot", "reboot"), ("60 * * * *", "0-59"), ("* * * *", "4 fields"), ("* 22-2 * * *", "22-23,0-2"),
            ("* * 15W * *", "only L"), ("@every 5m", "R//PT"), ("@dayly", "@daily"), ("* ? * * *", "write *"),
            ("CRON_TZ=UTC 1 * * * * *", "time zone"), ("*/0 * * * *", "1-59"), ("* * * foo *", "month"),
        ])
    func messages(text: String, hint: String) {
        let error = refusal { try cron(text) }
        #expect(error?.message.contains(hint) == true, "\(error?.message ?? "accepted")")
    }

    @Test("a day that never comes ends the search at once")
    func impossible() throws {
        for text in ["0 0 30 2 *", "0 0 31 2,4,6,9,11 *"] {
            let schedule = try cron(text, zone: "Europe/Berlin")
            #expect(schedule.next(after: Instant(seconds: 0)) == nil)
            #expect(schedule.next(afterIndex: nil) == nil)
            #expect(schedule.last(atOrBefore: .distantFuture) == nil)
            #expect(schedule.count(from: 0, through: .max) == 0)
            #expect(schedule.occurrences(from: 0, through: .distantFuture, limit: 5).isEmpty)
        }
    }

    @Test("the index of an occurrence is its due second")
    func index() throws {
        let schedule = try cron("0 12 * * *", zone: "Asia/Kathmandu")
        let next = try #require(schedule.next(after: try instant("2026-01-01T00:00:00Z")))
        #expect(next.due == (try instant("2026-01-01T06:15:00Z")))
        #expect(next.index == next.due.seconds)
        #expect(schedule.next(afterIndex: next.index)?.index == next.index + 86_400)
        #expect(schedule.anchor == nil && schedule.repetitions == nil && schedule.period == nil)
        #expect(schedule.next(afterIndex: nil)?.due == (try instant("1970-01-01T06:30:00Z")), "Nepal had +5:30 then")
    }

    @Test("a fraction of a second does not lose the second that follows")
    func fractions() throws {
        let schedule = try cron("* * * * * *")
        #expect(
            schedule.next(after: try instant("2026-01-01T00:00:00.999Z"))?.due == (try instant("2026-01-01T00:00:01Z")))
        #expect(schedule.next(after: try instant("2026-01-01T00:00:01Z"))?.due == (try instant("2026-01-01T00:00:02Z")))
        #expect(
            schedule.last(atOrBefore: try instant("2026-01-01T00:00:01.5Z"))?.due
                == (try instant("2026-01-01T00:00:01Z")))
    }

    @Test("a gap is skipped, an overlap matches twice")
    func daylightSaving() throws {
        let night = try cron("30 2 * * *", zone: "America/New_York")
        #expect(
            localTimes(night, 2, after: try instant("2026-03-07T12:00:00Z")) == [
                "2026-03-09T02:30", "2026-03-10T02:30",
            ])
        let autumn = try cron("30 1 * * *", zone: "America/New_York")
        let dues = autumn.occurrences(
            from: try instant("2026-10-31T12:00:00Z").seconds, through: try instant("2026-11-02T12:00:00Z"), limit: 9)
        #expect(
            dues.map(\.due) == [
                try instant("2026-11-01T05:30:00Z"), try instant("2026-11-01T06:30:00Z"),
                try instant("2026-11-02T06:30:00Z"),
            ])
        let hourly = try cron("@hourly", zone: "America/New_York")
        #expect(
            hourly.count(
                from: try instant("2026-11-01T04:00:00Z").seconds, through: try instant("2026-11-02T04:59:59Z").seconds)
                == 25)
        #expect(
            hourly.count(
                from: try instant("2026-03-08T05:00:00Z").seconds, through: try instant("2026-03-09T03:59:59Z").seconds)
                == 23)
        let single = try cron("30 1 1 11 *", zone: "America/New_York")
        #expect(
            single.last(atOrBefore: try instant("2026-11-01T06:29:59Z"))?.due == (try instant("2026-11-01T05:30:00Z")))
        #expect(single.next(after: try instant("2026-11-01T05:30:00Z"))?.due == (try instant("2026-11-01T06:30:00Z")))
    }

    @Test("counting is arithmetic: two centuries of seconds are counted at once")
    func counting() throws {
        #expect(try cron("* * * * * *").count(from: 0, through: .max) == Limits.horizonSeconds)
        #expect(
            try cron("* * * * *", zone: "America/New_York").count(from: 0, through: .max) == Limits.horizonSeconds / 60)
        #expect(try cron("0 0 29 2 *").count(from: 0, through: .max) == 56)
    }
}
