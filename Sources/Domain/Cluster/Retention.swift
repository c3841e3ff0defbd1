/// For how long a cluster keeps what has happened.
public struct Retention: Hashable, Sendable {
    /// Ended runs and their tries, activity, sessions of the past.
    public var history: Duration
    /// What runs wrote.
    public var logs: Duration
    /// Verdicts on due occurrences, and what they were computed from.
    public var ledger: Duration

    /// - Parameters:
    ///   - logs: nil: as long as the history.
    ///   - ledger: nil: as long as the history.
    public init(history: Duration, logs: Duration? = nil, ledger: Duration? = nil) {
        self.history = history
        self.logs = logs ?? history
        self.ledger = ledger ?? history
    }

    public static func days(_ days: Int64) -> Self { Self(history: .seconds(days * 86_400)) }

    /// What anything of it refers to, such as definitions of jobs.
    public var longest: Duration { max(history, max(logs, ledger)) }
}
