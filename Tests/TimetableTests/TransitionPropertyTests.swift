import Testing

@testable import Timetable

/// Rule 10 of the calendar's design: every zone of the database, every transition from 1970 to 2040.
@Suite("Properties at every transition of every zone")
struct TransitionPropertyTests {
    static let zones = SystemZones.shared
    /// Links have the rules of their targets, which another test checks.
    static let names = zones.names.filter { zones.links[$0] == nil }

    /// A start in local time, `days` before the middle of what the transition removes or repeats.
    static func start(before change: Change, days: Int64) -> String {
        let middle = change.start + (change.before + change.after) / 2
        var writer = TextWriter()
        writer.write(CivilDateTime(localSeconds: middle - days * 86_400))
        return writer.text
    }

    /// What must hold for any schedule; the occurrences are `count` from the first on.
    static func checkAgreement(
        _ schedule: Schedule, _ found: [Occurrence], every stride: Int = 1, _ what: () -> String
    ) {
        for position in Swift.stride(from: 0, to: found.count, by: stride) {
            let occurrence = found[position]
            let before = Instant(microseconds: occurrence.due.microseconds - 1)
            if schedule.next(after: before) != occurrence {
                Issue.record("\(what()): next(after:) misses \(occurrence)")
            }
            if schedule.last(atOrBefore: occurrence.due) != occurrence {
                Issue.record("\(what()): last misses \(occurrence)")
            }
            guard position > 0 else { continue }
            let previous = found[position - 1]
            if occurrence.due <= previous.due { Issue.record("\(what()): \(occurrence) does not follow \(previous)") }
            if schedule.last(atOrBefore: before) != previous { Issue.record("\(what()): last before \(occurrence)") }
            if schedule.next(afterIndex: previous.index) != occurrence { Issue.record("\(what()): next(afterIndex:)") }
        }
        guard let first = found.first, let last = found.last else { return }
        if schedule.count(from: first.index, through: last.index) != found.count { Issue.record("\(what()): count") }
    }

    @Test("daily schedules: increasing, never in a gap, each local time once, one a day")
    func daily() throws {
        var transitions = 0
        for name in Self.names {
            let rules = try #require(Self.zones.rules(named: name))
            for change in rules.changes(years: 1970...2_040) where change.start > 2 * 86_400 {
                transitions += 1
                let text = "R4/\(Self.start(before: change, days: 1))/P1D"
                let schedule = try Schedule.repeating(text, zone: name, created: .distantPast, zones: Self.zones)
                let found = schedule.occurrences(from: 0, through: .distantFuture, limit: 5)
                Self.checkAgreement(schedule, found) { "\(name) \(text)" }
                let locals = found.map { $0.due.seconds + rules.span(containing: $0.due.seconds).offset }
                let gap = change.start + change.before..<max(change.start + change.after, change.start + change.before)
                if locals.contains(where: gap.contains) { Issue.record("\(name) \(text): in the gap") }
                if Set(locals).count != locals.count { Issue.record("\(name) \(text): a local time twice") }
                let skipped = change.after - change.before >= 86_400 ? 1 : 0
                if found.count + skipped != 4 { Issue.record("\(name) \(text): \(found.map(\.index))") }
                let days = Set(locals.map { $0.floorDivided(by: 86_400) })
                let isGapOverMidnight =
                    gap.lowerBound.floorDivided(by: 86_400) != gap.upperBound.floorDivided(by: 86_400)
                if days.count != found.count, !isGapOverMidnight {
                    Issue.record("\(name) \(text): a day lost or doubled")
                }
            }
        }
        #expect(transitions > 15_000, "only \(transitions) transitions were seen")
    }

    @Test("elapsed schedules keep their step, mixed ones add it to the wall time")
    func elapsedAndMixed() throws {
        for name in Self.names {
            let rules = try #require(Self.zones.rules(named: name))
            for change in rules.changes(years: 1970...2_040) where change.start > 2 * 86_400 {
                let middle = change.start + (change.before + change.after) / 2
                let mixed = "R4/\(Self.start(before: change, days: 1))/P1DT1H"
                let both = try Schedule.repeating(mixed, zone: name, created: .distantPast, zones: Self.zones)
                let dues = both.occurrences(from: 0, through: .distantFuture, limit: 5)
                Self.checkAgreement(both, dues, every: 2) { "\(name) \(mixed)" }
                let expected = (0..<4).map { index in
                    rules.resolve(localSeconds: middle + (index - 1) * 86_400).chosen + index * 3_600
                }
                if dues.map(\.due.seconds) != expected { Issue.record("\(name) \(mixed): \(dues)") }
                // Every other transition is enough for what knows no wall clock but in its start.
                guard change.start / 3_600 % 2 == 0 else { continue }
                let often = "R5/\(Self.start(before: change, days: 0))/PT20M"
                let steps = try Schedule.repeating(often, zone: name, created: .distantPast, zones: Self.zones)
                let found = steps.occurrences(from: 0, through: .distantFuture, limit: 6)
                for pair in zip(found, found.dropFirst()) where pair.0.due.duration(to: pair.1.due) != .seconds(1_200) {
                    Issue.record("\(name) \(often): \(pair)")
                }
            }
        }
    }

    @Test("cron and matrices: skipped in a gap, twice in an overlap")
    func fields() throws {
        for name in Self.names {
            let rules = try #require(Self.zones.rules(named: name))
            for change in rules.changes(years: 1970...2_040) where change.start > 2 * 86_400 {
                let local = CivilDateTime(localSeconds: change.start + (change.before + change.after) / 2)
                let text = "\(local.second) \(local.minute) \(local.hour) * * *"
                let schedule = try Schedule.cron(text, zone: name, zones: Self.zones)
                let from = change.start - 2 * 86_400
                let to = change.start + 2 * 86_400
                let found = schedule.occurrences(from: from, through: Instant(seconds: to), limit: 20)
                Self.checkAgreement(schedule, found) { "\(name) \(text) at \(change)" }
                let readings = found.map { rules.local(at: $0.due) }
                if readings.contains(where: { $0.secondOfDay != local.secondOfDay }) {
                    Issue.record("\(name) \(text): wrong local time")
                }
                let times = readings.count { $0.date == local.date }
                let expected = change.after > change.before ? 0 : 2
                if times != expected { Issue.record("\(name) \(text) at \(change): \(times) times, not \(expected)") }
            }
        }
    }

    @Test("monthly and yearly schedules from the 31st agree with themselves over 70 years")
    func months() throws {
        for (position, name) in Self.names.enumerated() {
            let text = ["R/1970-01-31T02:30:00/P1M", "R/1972-02-29T00:30:00/P1Y"][position % 2]
            let schedule = try Schedule.repeating(text, zone: name, created: .distantPast, zones: Self.zones)
            let found = schedule.occurrences(from: 0, through: try instant("2040-12-31T23:59:59Z"), limit: 1_000)
            #expect(found.count == (position % 2 == 0 ? 851 : 69) || found.count == (position % 2 == 0 ? 852 : 70))
            Self.checkAgreement(schedule, found, every: 7) { "\(name) \(text)" }
            for occurrence in found {
                let local = schedule.zone.local(at: occurrence.due)
                let anchorDay = position % 2 == 0 ? 31 : 29
                let length = CivilDate.length(ofMonth: local.month, year: local.year)
                // Kiritimati's 1994 had no December 31st; nothing else may move the day.
                if local.day != min(anchorDay, length), (name, local.year) != ("Pacific/Kiritimati", 1_995) {
                    Issue.record("\(name) \(text): \(local)")
                }
            }
        }
    }
}
