public import Timetable

/// Recomputes from a schedule which occurrences should have a verdict, and finds those that have none, or two.
///
/// A value that is fed the entries of one era in the order of their first indices, so that an era of any length is
/// checked in constant memory.
public struct LedgerAudit: Sendable {
    public struct Hole: Hashable, Sendable {
        public var job: JobVersion
        public var jobName: String
        public var first: Occurrence
        public var last: Occurrence
        public var count: Int64
        /// `noVerdict` or `twoVerdicts`.
        public var finding: String
    }

    public static let noVerdict = "no verdict"
    public static let twoVerdicts = "two verdicts"
    /// Holes listed for one era.
    static let holesPerEra = 1_000

    private let era: ScheduleEra
    private let schedule: Schedule
    /// The next occurrence that needs a verdict; nil once all have been passed.
    private var next: Occurrence?
    private let last: Occurrence?
    private let start: Occurrence?
    private var holes: [Hole] = []
    private let expected: Int64

    /// - Parameters:
    ///   - from, through: the closed range of due instants to check; the era's own end counts if it is earlier.
    /// - Throws: `ScheduleError` when the schedule cannot be computed any more.
    public init(
        _ era: ScheduleEra, from: Instant, through: Instant, zones: any ZoneDatabase
    ) throws(ScheduleError) {
        self.era = era
        schedule = try era.schedule.schedule(zones: zones)
        let end = min(through, era.closed ?? through)
        last = schedule.last(atOrBefore: end)
        let opening = schedule.next(afterIndex: era.firstIndex - 1)
        let inRange = schedule.next(after: Instant(microseconds: max(from.microseconds, .min + 1) - 1))
        if let opening, let inRange, let last {
            let first = opening.index >= inRange.index ? opening : inRange
            start = first.index <= last.index ? first : nil
        } else {
            start = nil
        }
        next = start
        if let start, let last {
            expected = schedule.count(from: start.index, through: last.index)
        } else {
            expected = 0
        }
    }

    /// Entries are wanted from this index on; nil: none.
    public var firstIndex: Int64? { start?.index }
    public var lastIndex: Int64 { last?.index ?? .min }

    /// The next entry of the era, in the order of first indices.
    public mutating func take(_ entry: LedgerEntry) {
        guard let start, let last, entry.lastIndex >= start.index, entry.firstIndex <= last.index else { return }
        let covered = next?.index ?? last.index + 1
        if entry.firstIndex > covered {
            note(covered, min(entry.firstIndex - 1, last.index), Self.noVerdict)
        } else if entry.firstIndex < covered, covered > start.index {
            note(max(entry.firstIndex, start.index), min(covered - 1, entry.lastIndex), Self.twoVerdicts)
        }
        guard entry.lastIndex >= covered else { return }
        next = schedule.next(afterIndex: entry.lastIndex)
        if let reached = next, reached.index > last.index { next = nil }
    }

    public mutating func finish() -> (expected: Int64, holes: [Hole]) {
        if let next, let last { note(next.index, last.index, Self.noVerdict) }
        return (expected, holes)
    }

    private mutating func note(_ firstIndex: Int64, _ lastIndex: Int64, _ finding: String) {
        guard firstIndex <= lastIndex, holes.count < Self.holesPerEra else { return }
        let count = schedule.count(from: firstIndex, through: lastIndex)
        guard count > 0, let first = schedule.next(afterIndex: firstIndex - 1) else { return }
        var final = first
        if count > 1 {
            final =
                schedule.next(afterIndex: lastIndex).flatMap {
                    schedule.last(atOrBefore: Instant(microseconds: $0.due.microseconds - 1))
                } ?? last ?? first
        }
        holes.append(
            Hole(job: era.job, jobName: era.jobName, first: first, last: final, count: count, finding: finding))
    }
}
