public import Domain
public import Runtime
import Synchronization
public import Timetable

/// The time of the whole cluster: the database server's clock, as far as this node knows it.
///
/// Every node asks the database several times a second or each second anyway, and carries the time on in between by a
/// clock that cannot be set. So it does not matter what a node's own wall clock shows, nor that somebody sets it: a
/// schedule that followed a leader's clock an hour ahead would decide that hour at once, and its successor could only
/// stand still until it has passed.
///
/// What is shown is never later than the database's time by more than the two clocks have drifted apart since the last
/// answer, so that nothing starts early; it is earlier by what the fastest answer took on its way. Until the first
/// answer it is the node's own time, which no leader ever uses: it has asked before it leads.
public final class ClusterClock: WallClock {
    /// Differences of which an operator is told.
    static let notable = Duration.seconds(2)

    private let timekeeper: any Timekeeper
    private let log: Log
    private let state = Mutex(State())

    private struct State {
        /// Microseconds by which the database's clock is ahead of this machine's time since it was started.
        var offset: Int64?
        /// The own wall clock is known to be wrong: told once, until it is right again.
        var isOwnClockOff = false
    }

    public init(timekeeper: any Timekeeper, log: Log) {
        self.timekeeper = timekeeper
        self.log = log
    }

    public func now() -> Instant {
        guard let offset = state.withLock({ $0.offset }) else {
            return Instant(microseconds: timekeeper.wallMicroseconds)
        }
        return Instant(microseconds: Self.microseconds(timekeeper.monotonicNow) + offset)
    }

    /// The database's clock showed an instant some time between the sending of a question and now.
    public func observe(_ shown: Instant, sent: MonotonicInstant) {
        let earliest = shown.microseconds - Self.microseconds(timekeeper.monotonicNow)
        let latest = shown.microseconds - Self.microseconds(sent)
        let step = state.withLock { state -> Int64 in
            guard let known = state.offset else {
                state.offset = earliest
                return 0
            }
            // Within the bounds nothing new is known. A fast answer raises the earliest, a clock set back lowers both.
            if known < earliest || known > latest { state.offset = earliest }
            return known > latest ? known - latest : max(0, earliest - known)
        }
        if Duration.microseconds(step) >= Self.notable {
            log.warning("the database's clock was set, by \(step / 1_000_000) s or more: the cluster's time follows it")
        }
        compareOwnClock()
    }

    private func compareOwnClock() {
        let ahead = timekeeper.wallMicroseconds - now().microseconds
        let difference = Duration.microseconds(Int64(clamping: ahead.magnitude))
        let isOff = difference >= Self.notable
        let isNews = state.withLock { state in
            defer { state.isOwnClockOff = isOff }
            return state.isOwnClockOff != isOff
        }
        guard isNews else { return }
        if isOff {
            let seconds = (difference + .milliseconds(500)).components.seconds
            log.warning(
                "this machine's clock is \(seconds) s \(ahead > 0 ? "ahead of" : "behind") the database's, which alone "
                    + "counts; set it, so that logs and the commands of workers here show the right time")
        } else {
            log.notice("this machine's clock agrees with the database's again")
        }
    }

    private static func microseconds(_ instant: MonotonicInstant) -> Int64 { Int64(instant.nanoseconds / 1_000) }
}
