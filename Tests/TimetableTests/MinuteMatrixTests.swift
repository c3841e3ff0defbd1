import Testing

@testable import Timetable

@Suite("Minute matrices")
struct MinuteMatrixTests {
    func schedule(_ matrix: MinuteMatrix, zone: String) throws -> Schedule {
        try Schedule.minutes(matrix, zone: zone, zones: SystemZones.shared)
    }

    /// The moment of Cronicle's own test: Saturday 2016-02-06, 14:27 in Los Angeles, 17:27 in New York.
    @Test("Cronicle's membership cases")
    func membership() throws {
        let moment = Instant(seconds: 1_454_797_620)
        func isDue(_ matrix: MinuteMatrix, _ zone: String = "America/Los_Angeles") throws -> Bool {
            try schedule(matrix, zone: zone).last(atOrBefore: moment)?.due == moment
        }
        #expect(try isDue(MinuteMatrix()))
        #expect(try isDue(MinuteMatrix(minutes: [27])))
        #expect(try !isDue(MinuteMatrix(minutes: [28])))
        #expect(try isDue(MinuteMatrix(hours: [14], minutes: [26, 27])))
        #expect(try isDue(MinuteMatrix(hours: [17], minutes: [27]), "America/New_York"))
        #expect(try !isDue(MinuteMatrix(hours: [14], minutes: [27]), "America/New_York"))
        #expect(try isDue(MinuteMatrix(weekdays: [6])))
        #expect(try !isDue(MinuteMatrix(weekdays: [0, 1, 2, 3, 4, 5])))
        #expect(try isDue(MinuteMatrix(days: [6])))
        #expect(try !isDue(MinuteMatrix(days: [6], weekdays: [5])), "days and weekdays are ANDed")
        #expect(try isDue(MinuteMatrix(months: [2], days: [6], hours: [14], minutes: [27])))
        #expect(try !isDue(MinuteMatrix(months: [3])))
        #expect(try isDue(MinuteMatrix(years: [2_016])))
        #expect(try !isDue(MinuteMatrix(years: [2_015, 2_017])))
        #expect(
            try isDue(MinuteMatrix(years: [2_016], months: [2], days: [6], weekdays: [6], hours: [14], minutes: [27])))
    }

    @Test("values no clock shows are refused, doubles are dropped")
    func values() throws {
        for (name, make) in [
            ("years", { try MinuteMatrix(years: [0]) }), ("months", { try MinuteMatrix(months: [13]) }),
            ("days", { try MinuteMatrix(days: [0]) }), ("weekdays", { try MinuteMatrix(weekdays: [7]) }),
            ("hours", { try MinuteMatrix(hours: [24]) }), ("minutes", { try MinuteMatrix(minutes: [1, 60, .max]) }),
            ("minutes", { try MinuteMatrix(minutes: [-1]) }),
        ] as [(String, () throws -> MinuteMatrix)] {
            let error = #expect(throws: ScheduleError.self) { try make() }
            #expect(error?.message.hasPrefix(name) == true)
        }
        #expect(try MinuteMatrix(hours: [5, 3, 5]).hours == [3, 5])
        #expect(try MinuteMatrix(hours: [3], minutes: [0, 30]).description == "hours 3 minutes 0,30")
        #expect(try schedule(MinuteMatrix(), zone: "").text == "every minute")
        #expect(refusal { try schedule(MinuteMatrix(), zone: "Mars/Olympus") }?.code == .unknownZone)
    }

    @Test("years end a schedule, and years out of reach never begin it")
    func years() throws {
        let once = try schedule(
            MinuteMatrix(years: [2_027], months: [1], days: [1], hours: [0], minutes: [0]), zone: "Asia/Tokyo")
        let due = try instant("2026-12-31T15:00:00Z")
        #expect(once.next(afterIndex: nil)?.due == due)
        #expect(once.next(after: due) == nil)
        #expect(once.last(atOrBefore: .distantFuture)?.due == due)
        #expect(once.count(from: 0, through: .max) == 1)
        let never = try schedule(MinuteMatrix(years: [1, 1_960, 9_999]), zone: "")
        #expect(never.next(afterIndex: nil) == nil && never.last(atOrBefore: .distantFuture) == nil)
        let impossible = try schedule(MinuteMatrix(months: [2], days: [30]), zone: "")
        #expect(impossible.next(afterIndex: nil) == nil)
    }

    @Test("searches agree with walking every minute around transitions of every zone")
    func bruteForce() throws {
        var random = SeededGenerator(seed: 5)
        let zones = SystemZones.shared
        for name in zones.names where zones.links[name] == nil {
            let rules = try #require(zones.rules(named: name))
            // One transition a zone in full; the property tests touch all of them.
            guard let change = rules.changes(years: 1975...2_040).randomElement(using: &random) else { continue }
            let hours = (0..<12).map { _ in Int.random(in: 0...23, using: &random) }
            let minutes = (0..<6).map { _ in Int.random(in: 0...59, using: &random) }
            let weekdays = (0..<5).map { _ in Int.random(in: 0...6, using: &random) }
            let schedule = try schedule(
                MinuteMatrix(weekdays: weekdays, hours: hours, minutes: minutes), zone: name)
            let first = (change.start - 40_000) / 60 * 60
            let last = first + 90_000
            let expected = stride(from: first, through: last, by: 60).filter { second in
                let local = rules.local(at: Instant(seconds: second))
                return hours.contains(local.hour) && minutes.contains(local.minute) && weekdays.contains(local.weekday)
            }
            let found = schedule.occurrences(from: first, through: Instant(seconds: last), limit: .max).map(\.index)
            if found != expected { Issue.record("\(name): \(found.count) found, \(expected.count) walked") }
            if schedule.count(from: first, through: last) != expected.count { Issue.record("\(name): count") }
            var backwards: [Int64] = []
            var position = schedule.last(atOrBefore: Instant(seconds: last))
            while let occurrence = position, occurrence.index >= first {
                backwards.append(occurrence.index)
                position = schedule.last(atOrBefore: Instant(microseconds: occurrence.due.microseconds - 1))
            }
            if backwards != expected.reversed() { Issue.record("\(name): backwards") }
        }
    }
}
