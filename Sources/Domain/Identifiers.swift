public import Timetable

/// Identity of a job, stable over renames and updates: 1 to `Limits.identifier` characters of `[a-z0-9_]`.
public struct JobID: RawRepresentable, Hashable, Comparable, Sendable, CustomStringConvertible {
    public let rawValue: String

    /// Whether a job may have it; clients may choose one.
    public static func isPossible(_ text: String) -> Bool {
        (1...Limits.identifier).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || byte == UInt8(ascii: "_")
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
            }
    }
    public init(rawValue: String) { self.rawValue = rawValue }
    public init(_ rawValue: String) { self.rawValue = rawValue }
    public var description: String { rawValue }
    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// Identity of a run: 1 to 32 characters of `[a-z0-9]`; later runs of one cluster sort after earlier ones.
public struct RunID: RawRepresentable, Hashable, Comparable, Sendable, CustomStringConvertible {
    public let rawValue: String
    public init(rawValue: String) { self.rawValue = rawValue }
    public init(_ rawValue: String) { self.rawValue = rawValue }
    public var description: String { rawValue }
    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// One try of a run. The claim is made on this pair, so a start can happen once for each.
public struct AttemptID: Hashable, Comparable, Sendable, CustomStringConvertible {
    public let run: RunID
    /// 0 for the first try.
    public let number: Int
    public init(run: RunID, number: Int) {
        self.run = run
        self.number = number
    }
    public var description: String { "\(run)/\(number)" }
    public static func < (left: Self, right: Self) -> Bool {
        (left.run, left.number) < (right.run, right.number)
    }
}

/// Identity of a definition of a job at some time. Runs refer to the version that launched them.
public struct JobVersion: Hashable, Sendable {
    public let job: JobID
    public let version: Int64
    public init(job: JobID, version: Int64) {
        self.job = job
        self.version = version
    }
}

/// One office of a leader. Ordered by timeline first, so that a promoted standby's terms come after all of the old
/// primary's (leadership.md §1, M1).
public struct Term: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// PostgreSQL's timeline, from the name of the current WAL file.
    public let timeline: Int64
    /// Raised by one at each election.
    public let epoch: Int64
    public init(timeline: Int64, epoch: Int64) {
        self.timeline = timeline
        self.epoch = epoch
    }
    public static let none = Term(timeline: 0, epoch: 0)
    public var description: String { "\(timeline)/\(epoch)" }
    public static func < (left: Self, right: Self) -> Bool {
        (left.timeline, left.epoch) < (right.timeline, right.epoch)
    }
}

/// The instant of a decision on both clocks: the wall's, which says what is due, and a steady one that no operator can
/// step, which measures leases and timeouts.
public struct Moment: Hashable, Sendable {
    public let wall: Instant
    /// Time since an arbitrary fixed point, running through suspend (CLOCK_BOOTTIME).
    public let uptime: Duration
    public init(wall: Instant, uptime: Duration) {
        self.wall = wall
        self.uptime = uptime
    }
}

/// Makes identifiers that no other term can make: prefix, epoch, sequence number, in base 36.
public struct IdentifierSource: Sendable {
    private let epoch: String
    private var sequence: Int64 = 0

    public init(term: Term) {
        epoch = Self.padded(term.epoch, 5)
    }

    public mutating func run() -> RunID { RunID("r" + next()) }
    public mutating func job() -> JobID { JobID("e" + next()) }
    /// Of a message in the outbox.
    public mutating func message() -> String { "m" + next() }

    private mutating func next() -> String {
        sequence += 1
        return epoch + Self.padded(sequence, 7)
    }

    private static func padded(_ value: Int64, _ width: Int) -> String {
        let digits = String(value, radix: 36)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}
