public import Timetable

/// Recomputes from a schedule which occurrences should have a verdict, and finds those that have none, or two.
public enum LedgerAudit {
    public struct Hole: Hashable, Sendable {
        public var job: JobVersion
        public var jobName: String
        public var first: Occurrence
        public var last: Occurrence
        public var count: Int64
        /// "no verdict", or "two verdicts".
        public var finding: String
    }

    /// Holes listed for one era; more are counted in the last one.
    static let holesPerEra = 1_000

    /// Checks the occurrences of one era that are due in the closed range `from ... through`.
    ///
    /// - Parameters:
    ///   - entries: all verdicts of this era that overlap the range, in any order.
    ///   - through: nothing later is expected to be decided; the era's own end counts if it is earlier.
    /// - Throws: `ScheduleError` when the schedule cannot be computed any more.
    public static func check(
        _ era: ScheduleEra, entries: [LedgerEntry], from: Instant, through: Instant, zones: any ZoneDatabase
    ) throws(ScheduleError) -> (expected: Int64, holes: [Hole]) {
        let schedule = try era.schedule.schedule(zones: zones)
        let end = min(through, era.closed ?? through)
        guard let last = schedule.last(atOrBefore: end), last.index >= era.firstIndex,
            var next = first(of: schedule, era: era, from: from), next.index <= last.index
        else { return (0, []) }
        let expected = schedule.count(from: next.index, through: last.index)
        var holes: [Hole] = []
        for entry in entries.sorted(by: { ($0.firstIndex, $0.lastIndex) < ($1.firstIndex, $1.lastIndex) }) {
            guard entry.lastIndex >= next.index || entry.firstIndex >= next.index else {
                if entry.lastIndex >= era.firstIndex, entry.firstDue >= from {
                    note(schedule, era, entry.firstIndex, entry.lastIndex, "two verdicts", &holes)
                }
                continue
            }
            if entry.firstIndex > last.index { break }
            if entry.firstIndex > next.index {
                note(schedule, era, next.index, min(entry.firstIndex - 1, last.index), "no verdict", &holes)
            } else if entry.firstIndex < next.index, entry.firstDue >= from {
                note(schedule, era, entry.firstIndex, next.index - 1, "two verdicts", &holes)
            }
            guard let following = schedule.next(afterIndex: entry.lastIndex) else { return (expected, holes) }
            next = following
            if next.index > last.index { return (expected, holes) }
        }
        note(schedule, era, next.index, last.index, "no verdict", &holes)
        return (expected, holes)
    }

    private static func first(of schedule: Schedule, era: ScheduleEra, from: Instant) -> Occurrence? {
        let opening = schedule.next(afterIndex: era.firstIndex - 1)
        let inRange = schedule.next(after: Instant(microseconds: max(from.microseconds, .min + 1) - 1))
        guard let opening, let inRange else { return nil }
        return opening.index >= inRange.index ? opening : inRange
    }

    private static func note(
        _ schedule: Schedule, _ era: ScheduleEra, _ firstIndex: Int64, _ lastIndex: Int64, _ finding: String,
        _ holes: inout [Hole]
    ) {
        let count = schedule.count(from: firstIndex, through: lastIndex)
        guard count > 0, holes.count < holesPerEra, let first = schedule.next(afterIndex: firstIndex - 1) else { return }
        let last =
            schedule.next(afterIndex: lastIndex).flatMap {
                schedule.last(atOrBefore: Instant(microseconds: $0.due.microseconds - 1))
            } ?? first
        holes.append(
            Hole(job: era.job, jobName: era.jobName, first: first, last: last, count: count, finding: finding))
    }
}
