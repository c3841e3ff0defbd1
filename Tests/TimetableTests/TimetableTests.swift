// Tests of the calendar. They read the system's tz database, because the traps are in its data: every name is loaded
// once, and the properties below run over every transition of every zone from 1970 to 2040.
import Foundation
import Synchronization
import Testing

@testable import Timetable

/// The tz database of the machine that runs the tests.
final class SystemZones: ZoneDatabase {
    static let shared = SystemZones()
    static let folder = "/usr/share/zoneinfo"

    let version: String
    /// Every name, links included.
    let names: [String]
    /// From a link to what it stands for.
    let links: [String: String]
    private let cache = Mutex<[String: ZoneRules]>([:])

    private init() {
        var version = "unknown"
        var names: Set<String> = []
        var links: [String: String] = [:]
        // Without the file there are no names, and the test of their number fails.
        let text = (try? String(contentsOfFile: Self.folder + "/tzdata.zi", encoding: .utf8)) ?? ""
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ").map(String.init)
            switch words.first {
            case "#": version = words.last ?? version
            case "Z": names.insert(words[1])
            case "L":
                names.insert(words[2])
                links[words[2]] = words[1]
            default: break
            }
        }
        self.version = version
        self.names = names.sorted()
        self.links = links
    }

    static func bytes(of name: String) -> [UInt8]? {
        FileManager.default.contents(atPath: folder + "/" + name).map { Array($0) }
    }

    func rules(named name: String) -> ZoneRules? {
        if let known = cache.withLock({ $0[name] }) { return known }
        // A file that is no zone is no zone here; the reader's errors have their own tests.
        guard let bytes = Self.bytes(of: name), let rules = try? ZoneRules(name: name, tzif: bytes) else { return nil }
        cache.withLock { $0[name] = rules }
        return rules
    }
}

/// A change of clocks: `before` and `after` are offsets in seconds east.
struct Change: Sendable {
    let start: Int64
    let before: Int64
    let after: Int64
}

extension ZoneRules {
    /// The changes of clocks in a range of UTC years.
    func changes(years: ClosedRange<Int>) -> [Change] {
        let low = CivilDate(uncheckedYear: years.lowerBound, month: 1, day: 1).daysSinceEpoch * 86_400
        let high = CivilDate(uncheckedYear: years.upperBound + 1, month: 1, day: 1).daysSinceEpoch * 86_400
        var found: [Change] = []
        var current = span(containing: low)
        while current.end < high {
            let next = span(containing: current.end)
            if next.offset != current.offset {
                found.append(Change(start: current.end, before: current.offset, after: next.offset))
            }
            current = next
        }
        return found
    }
}

/// A seeded generator (SplitMix64), so that a failure repeats.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

func instant(_ text: String) throws -> Instant {
    try #require(Instant(iso8601: text), "\(text) is no instant")
}

func repeating(
    _ text: String, zone: String = "", created: String = "2026-01-01T00:00:00Z"
) throws -> Schedule {
    try Schedule.repeating(text, zone: zone, created: try instant(created), zones: SystemZones.shared)
}

func cron(_ text: String, zone: String = "") throws -> Schedule {
    try Schedule.cron(text, zone: zone, zones: SystemZones.shared)
}

/// The first occurrences as local times of the schedule's zone, such as `2026-03-08T03:30`.
func localTimes(_ schedule: Schedule, _ count: Int = 100, after start: Instant? = nil) -> [String] {
    var found: [String] = []
    var next = start.map { schedule.next(after: $0) } ?? schedule.next(afterIndex: nil)
    while let occurrence = next, found.count < count {
        let offset = schedule.zone.offset(at: occurrence.due)
        let shown = occurrence.due.advanced(by: .seconds(offset)).iso8601
        found.append(String(shown.hasSuffix(":00.000Z") ? shown.dropLast(8) : shown.dropLast(1)))
        next = schedule.next(afterIndex: occurrence.index)
    }
    return found
}

/// The error's code, nil when nothing is thrown.
func refusal(_ body: () throws -> Schedule) -> ScheduleError? {
    do {
        _ = try body()
        return nil
    } catch {
        return error as? ScheduleError
    }
}
