import Testing
import Timetable

@testable import Domain

@Suite struct LedgerAuditTests {
    static let version = JobVersion(job: JobID("e1"), version: 1)

    private func era(_ schedule: ScheduleText, first: Int64 = 0, closed: Instant? = nil) -> ScheduleEra {
        ScheduleEra(job: Self.version, jobName: "a", schedule: schedule, firstIndex: first, closed: closed)
    }

    private func entry(_ first: Int64, _ last: Int64) -> LedgerEntry {
        LedgerEntry(
            job: Self.version, jobName: "a", firstIndex: first, lastIndex: last, firstDue: .distantPast,
            lastDue: .distantPast, count: last - first + 1, verdict: .missed, reason: "", run: nil,
            recorded: .distantPast)
    }

    private func check(
        _ era: ScheduleEra, _ entries: [LedgerEntry], from: Instant = .distantPast, through: String
    ) throws -> (expected: Int64, holes: [LedgerAudit.Hole]) {
        var audit = try LedgerAudit(era, from: from, through: instant(through), zones: NoZones())
        for entry in entries { audit.take(entry) }
        return audit.finish()
    }

    private static let hourly = text("R/2026-01-01T00:00:00Z/PT1H")

    @Test(
        "holes are found at the beginning, in the middle and at the end",
        arguments: [
            ([(0, 9)], []), ([(1, 9)], [(0, 0)]), ([(0, 3), (6, 9)], [(4, 5)]), ([(0, 7)], [(8, 9)]),
            ([], [(0, 9)]), ([(2, 2), (4, 4)], [(0, 1), (3, 3), (5, 9)]), ([(0, 30)], []),
        ] as [([(Int64, Int64)], [(Int64, Int64)])])
    func holes(_ ranges: [(Int64, Int64)], _ expected: [(Int64, Int64)]) throws {
        let result = try check(era(Self.hourly), ranges.map { entry($0.0, $0.1) }, through: "2026-01-01T09:00:00Z")
        #expect(result.expected == 10)
        #expect(result.holes.map { [$0.first.index, $0.last.index] } == expected.map { [$0.0, $0.1] })
        #expect(result.holes.allSatisfy { $0.finding == LedgerAudit.noVerdict })
    }

    @Test("second verdicts are found")
    func doubles() throws {
        let entries = [entry(0, 5), entry(2, 3), entry(5, 9)]
        let result = try check(era(Self.hourly), entries, through: "2026-01-01T09:00:00Z")
        #expect(result.holes.map { [$0.first.index, $0.last.index] } == [[2, 3], [5, 5]])
        #expect(result.holes.allSatisfy { $0.finding == LedgerAudit.twoVerdicts })
    }

    @Test("an era counts from its first index to its end")
    func bounds() throws {
        let closed = era(Self.hourly, first: 3, closed: instant("2026-01-01T06:00:00Z"))
        #expect(try check(closed, [entry(3, 6)], through: "2026-02-01T00:00:00Z").holes.isEmpty)
        #expect(try check(closed, [entry(3, 6)], through: "2026-02-01T00:00:00Z").expected == 4)
        let empty = era(Self.hourly, first: 3, closed: instant("2026-01-01T02:00:00Z"))
        #expect(try check(empty, [], through: "2026-02-01T00:00:00Z").expected == 0)
    }

    @Test("a range that is asked for is a closed range of due instants")
    func asked() throws {
        let result = try check(
            era(Self.hourly), [entry(0, 4)], from: instant("2026-01-01T02:00:00Z"), through: "2026-01-01T04:59:00Z")
        #expect(result.expected == 3 && result.holes.isEmpty)
    }

    @Test("tiles leave no hole, and the one that is taken away is found", arguments: 0..<40)
    func tiles(seed: UInt64) throws {
        var chance = Seeded(seed)
        let written =
            Bool.random(using: &chance)
            ? text("*/\(Int.random(in: 1...20, using: &chance)) * * * *", .cron) : Self.hourly
        let schedule = try written.schedule(zones: NoZones())
        let end = instant("2026-01-20T00:00:00Z")
        let opening = try #require(schedule.next(after: instant("2025-12-31T23:59:59Z")))
        var tiles: [LedgerEntry] = []
        var next: Occurrence? = opening
        while let first = next, first.due <= end {
            let some = schedule.occurrences(
                from: first.index, through: end, limit: Int.random(in: 1...90, using: &chance))
            let last = some.last ?? first
            tiles.append(entry(first.index, last.index))
            next = schedule.next(afterIndex: last.index)
        }
        let era = era(written, first: opening.index)
        let whole = try check(era, tiles, through: end.iso8601)
        #expect(whole.holes.isEmpty)
        let removed = tiles.remove(at: Int.random(in: 0..<tiles.count, using: &chance))
        let holed = try check(era, tiles, through: end.iso8601)
        #expect(holed.holes.map { [$0.first.index, $0.last.index] } == [[removed.firstIndex, removed.lastIndex]])
        #expect(holed.expected == whole.expected)
    }
}
