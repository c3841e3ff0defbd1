/// One instant of a schedule.
public struct Occurrence: Hashable, Sendable {
    /// What is stored to know how far a schedule has come; it only grows.
    ///
    /// Repeating intervals count from 0; cron expressions and minute matrices use the seconds since 1970 of `due`.
    public let index: Int64
    /// The nominal instant.
    public let due: Instant

    public init(index: Int64, due: Instant) {
        self.index = index
        self.due = due
    }
}
