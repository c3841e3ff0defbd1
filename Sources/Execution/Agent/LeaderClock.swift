import Runtime
import Timetable

/// What the leader's clock shows, by this worker's steady time: no clock of this machine that somebody may have set
/// wrong has a part in it.
///
/// A message says what the clock showed when it was sent, so the clock shows at least that when it arrives. The message
/// that was fastest on its way says most; of the last seconds each counts. So what is due starts late by what the
/// fastest of some messages took, not by what the last one took, and never early: but for what two clocks drift apart
/// within the time for which messages count.
struct LeaderClock: Sendable {
    private struct Slot {
        let number: UInt64
        /// Microseconds of the leader's clock before this worker's steady time; the most that was heard.
        var ahead: Int64
    }

    /// Messages of one slot are one.
    private static let slot: UInt64 = 2_000_000_000
    private static let slots: UInt64 = 5
    /// So far behind what was heard before, a message tells of a clock that was set, not of a slow way.
    private static let mostBehind: Int64 = 100_000

    private var heard: [Slot] = []

    /// - Parameters:
    ///   - instant: what the leader's clock showed when it sent a message.
    ///   - received: when it came.
    mutating func note(_ instant: Instant, at received: MonotonicInstant) {
        let (ahead, isNoTime) = instant.microseconds.subtractingReportingOverflow(Self.microseconds(received))
        guard !isNoTime else { return }
        let number = received.nanoseconds / Self.slot
        heard.removeAll { $0.number + Self.slots <= number }
        if let best = heard.map(\.ahead).max() {
            let (behind, isFar) = best.subtractingReportingOverflow(ahead)
            if isFar || behind > Self.mostBehind { heard = [] }
        }
        if let last = heard.indices.last, heard[last].number == number {
            heard[last].ahead = max(heard[last].ahead, ahead)
        } else {
            heard.append(Slot(number: number, ahead: ahead))
        }
    }

    /// Another leader has another clock.
    mutating func forget() { heard = [] }

    /// When the leader's clock shows the instant; nil where nothing was heard.
    func steady(_ instant: Instant) -> MonotonicInstant? {
        guard let best = heard.map(\.ahead).max() else { return nil }
        let (microseconds, overflow) = instant.microseconds.subtractingReportingOverflow(best)
        guard !overflow, microseconds > 0 else { return nil }
        let (nanoseconds, isTooLate) = UInt64(microseconds).multipliedReportingOverflow(by: 1_000)
        return MonotonicInstant(nanoseconds: isTooLate ? .max : nanoseconds)
    }

    /// Rounded up: what was sent at the beginning of a microsecond must not start within the one before.
    private static func microseconds(_ instant: MonotonicInstant) -> Int64 {
        Int64(clamping: instant.nanoseconds / 1_000) + 1
    }
}
