/// A node's question to a worker: what has been written to a log since some position.
public struct LogRequest: Hashable, Sendable {
    public var attempt: AttemptID
    public var position: Int64
    /// Bytes of the answer.
    public var limit: Int
    /// The worker may wait so long for something to answer; 0: not at all.
    public var waitMilliseconds: Int

    public init(attempt: AttemptID, position: Int64, limit: Int, waitMilliseconds: Int) {
        self.attempt = attempt
        self.position = position
        self.limit = limit
        self.waitMilliseconds = waitMilliseconds
    }
}

/// A part of a log. Where the middle was cut out between the position that was asked for and here, it begins with the
/// line that says so.
public struct LogPiece: Hashable, Sendable {
    public var bytes: [UInt8]
    /// Where the reading goes on.
    public var next: Int64
    /// The log is complete, and nothing comes after `next`.
    public var hasEnded: Bool
    /// The worker has no such log (any more).
    public var isMissing: Bool

    public init(bytes: [UInt8], next: Int64, hasEnded: Bool, isMissing: Bool = false) {
        self.bytes = bytes
        self.next = next
        self.hasEnded = hasEnded
        self.isMissing = isMissing
    }
}
