import Domain
import Runtime
import Timetable

/// The machine's wall clock.
struct SystemClock: WallClock {
    let timekeeper: any Timekeeper
    func now() -> Instant { Instant(microseconds: timekeeper.wallMicroseconds) }
}
