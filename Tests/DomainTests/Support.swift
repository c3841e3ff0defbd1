import Domain
import Timetable

/// A reproducible source of chance (SplitMix64).
struct Seeded: RandomNumberGenerator {
    private var state: UInt64
    init(_ seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

/// Knows no zone but those that every system has.
struct NoZones: ZoneDatabase {
    var known: Set<String> = []
    var version: String { "test" }
    func rules(named name: String) -> ZoneRules? { known.contains(name) ? .fixed(offsetSeconds: 3_600) : nil }
}

func instant(_ text: String) -> Instant {
    guard let instant = Instant(iso8601: text) else { preconditionFailure("\(text) is no instant") }
    return instant
}

func text(_ schedule: String, _ notation: ScheduleText.Notation = .iso8601, zone: String = "") -> ScheduleText {
    ScheduleText(notation: notation, text: schedule, zone: zone, anchor: instant("2026-01-01T00:00:00Z"))
}
