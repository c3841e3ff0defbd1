// Timetable: when is a job due?
//
// The whole calendar of Carillon as pure values: no clock, no files, no Foundation. Callers hand in instants and the
// bytes of time zones and get instants back, so that every rule here can be tested by the thousand and simulated at
// any speed. Domain, Coordination and the APIs call it through one narrow type, `Schedule`.
//
// Invariants
// - A repeating schedule is text + zone + anchor + index. The instant of index k is computed from the anchor, never
//   from k-1: the 31st comes back after February, 02:30 comes back after the night it did not exist.
// - Date parts of a period are wall clock, time parts are elapsed time: P1D is not PT24H.
// - Instants of one schedule strictly increase. A target that falls on its predecessor (Apia skipped a whole day in
//   2011) keeps its index, but is never returned.
// - A local time inside a gap moves forward by the gap, that day only; a repeated local time means its first copy.
//   Cron expressions and minute matrices match real time instead: a gap skips, an overlap matches twice.
// - Indexes are found by arithmetic and bisection, never by walking occurrences: an outage of ten years costs the same
//   as one of a minute.
// - Everything has a limit (`Limits`), and nothing that comes from outside can overflow: arithmetic on it saturates,
//   or is bounded before.
//
// What it refuses: years outside 1970-2200, periods below a second, unknown zones, zone files that count leap seconds.

/// The named limits of this target.
enum Limits {
    /// No occurrence lies before this year (UTC).
    static let firstYear = 1970
    /// No occurrence lies after this year (UTC).
    static let lastYear = 2200
    /// The first second that no schedule reaches: 2201-01-01T00:00:00Z.
    static let horizonSeconds: Int64 = 7_289_654_400
    static let horizonMicroseconds: Int64 = horizonSeconds * 1_000_000
    /// Bytes of a schedule's text, a duration or an instant.
    static let textLength = 256
    /// Bytes of a zone's name; the longest in the database has 32.
    static let zoneNameLength = 64
    /// Bytes of a zone file; the largest of the database has 4 KiB.
    static let zoneFileBytes = 262_144
    /// Seconds of the offset from UTC that RFC 8536 allows, exclusive.
    static let zoneOffset: Range<Int64> = -90_000 + 1..<93_600
    /// No two offsets differ by more than this around one transition. Whole days were skipped (Apia 2011), never more;
    /// that occurrences of steps of a day or more never run backwards rests on it.
    static let offsetChange: Int64 = 86_400
    /// The largest number in a part of a period, as in Joda-Time.
    static let periodPart: Int64 = 2_147_483_647
    /// The shortest period of a repeating interval, in microseconds.
    static let shortestPeriod: Int64 = 1_000_000
    /// How much of a text an error repeats.
    static let quotedLength = 80
}

/// A text from outside, cut to a length fit for a message.
func quoted(_ text: some StringProtocol) -> String {
    let start = text.prefix(Limits.quotedLength)
    return start.endIndex == text.endIndex ? "\"\(start)\"" : "\"\(start)…\""
}
