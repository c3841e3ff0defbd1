public import Domain

/// The logs of runs, wherever they are: at the worker while a try runs, in the database afterwards. Any node reads
/// them, and no client needs a line to a worker.
///
/// A run has one log: that of its first try, then of the second, and so on (cronicle.md §2.9), each with its header and
/// its footer, and an empty line between two of them. Whether the principal may see the run is for the caller to check.
public protocol RunLogReading: Sendable {
    /// What there is of a run's log; nil for a run that is not known (any more).
    func status(of run: RunID) async throws(DomainError) -> RunLogStatus?

    /// Writes the log, or a part of it, piece by piece; each call of `write` may wait for a slow reader. Returns at the
    /// end: of what there is, or of the run where the query follows it.
    ///
    /// What cannot be had (a worker that is away, a log that has expired) is said in a line of the text.
    /// - Throws: `DomainError` (`.notFound`, `.tooMany` readers, `.unavailable`) and what `write` throws. Cancellable.
    func read(_ query: RunLogQuery, to write: @escaping @Sendable (RunLogChunk) async throws -> Void) async throws
}

public struct RunLogStatus: Hashable, Sendable {
    public var run: Run
    /// The run has ended, and the log of its last try that was started is stored: nothing will be added.
    public var isComplete: Bool
    /// Stored tries, first one first.
    public var stored: [Int]
    /// Bytes of the text of the stored tries.
    public var bytes: Int64

    public init(run: Run, isComplete: Bool, stored: [Int], bytes: Int64) {
        self.run = run
        self.isComplete = isComplete
        self.stored = stored
        self.bytes = bytes
    }
}

public struct RunLogQuery: Hashable, Sendable {
    public var run: RunID
    /// Nil: the log over all tries.
    public var attempt: Int?
    /// Where to begin.
    public var position = RunLogPosition.start
    /// Goes on until the run has ended.
    public var follows = false
    public var coding = RunLogCoding.plain

    public init(run: RunID) { self.run = run }
}

public enum RunLogCoding: Hashable, Sendable {
    case plain
    /// One or several gzip members; stored logs pass as they are.
    case gzip
}

/// A place in a run's log: a try, and bytes of its log. Its text is `TRY:BYTES`.
public struct RunLogPosition: Hashable, Sendable {
    public var attempt: Int
    public var bytes: Int64

    public static let start = RunLogPosition(attempt: 0, bytes: 0)

    public init(attempt: Int, bytes: Int64) {
        self.attempt = attempt
        self.bytes = bytes
    }

    /// Nil for what is no position.
    public init?(text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, let attempt = Int32(parts[0]), let bytes = Int64(parts[1]), attempt >= 0, bytes >= 0
        else { return nil }
        self.init(attempt: Int(attempt), bytes: bytes)
    }

    public var text: String { "\(attempt):\(bytes)" }
}

public struct RunLogChunk: Hashable, Sendable {
    /// Never empty, but for a sign of life of a log that is followed and has nothing new.
    public var bytes: [UInt8]
    /// Where reading goes on after it. Of no use with `.gzip`.
    public var next: RunLogPosition

    public init(bytes: [UInt8], next: RunLogPosition) {
        self.bytes = bytes
        self.next = next
    }
}
