// Journal: what must survive the worker's process.
//
// An append-only file of records, each with length and checksum before it. Records that are appended while a write is
// under way go with the next one, in one write and at most one flush. What a crash has torn off at the end is ignored.
// `JournalImage` is the state that the records add up to; when the file has grown too large, it is replaced by one that
// holds just that state.

public import Domain
public import Timetable

/// One event in a worker's life.
public enum JournalRecord: Hashable, Sendable {
    /// Offers taken, under the highest term seen so far. Durable before the offer is answered.
    case accepted([AttemptID], term: Term)
    /// Not claimed after all: refused, or nobody answered in time. They may be offered again.
    case forgotten([AttemptID])
    case started(AttemptID, process: ProcessIdentity, at: Instant)
    case finished(AttemptReport)
    /// A leader has the report.
    case acknowledged([AttemptID])
    case term(Term)
    /// Executed at some time (written when the journal is compacted).
    case executed([AttemptID])
}

/// Tells a process from all others, later ones with its number included.
public struct ProcessIdentity: Hashable, Sendable {
    public let process: Int32
    /// Clock ticks from the machine's start to the process's.
    public let startTime: UInt64
    /// Changes with each start of the machine: after one, no process is left of those before.
    public let machineBoot: String

    public init(process: Int32, startTime: UInt64, machineBoot: String) {
        self.process = process
        self.startTime = startTime
        self.machineBoot = machineBoot
    }
}

/// Why the journal could not be read or written.
public struct JournalError: Error, Hashable, Sendable, CustomStringConvertible {
    public let message: String
    public init(_ message: String) { self.message = message }
    public var description: String { message }
}

/// Where a worker keeps its records. The file is the real one; simulated workers keep theirs in memory.
public protocol AttemptJournal: Sendable {
    /// What earlier records add up to. Called once, before anything else.
    func open() async throws(JournalError) -> JournalImage

    /// Appends behind everything that was appended before. The completion is called on the loop when the records are
    /// written, and when durable is asked for, on the disk; or with the reason why not: then none of them is in the
    /// journal.
    func enqueue(
        _ records: [JournalRecord], durable: Bool, completion: @escaping @Sendable (JournalError?) -> Void)
}

extension AttemptJournal {
    /// Appends and waits. The order of calls is the order in the journal.
    func append(
        _ records: [JournalRecord], durable: Bool, isolation: isolated (any Actor)? = #isolation
    ) async throws(JournalError) {
        let failure = await withCheckedContinuation(isolation: isolation) { continuation in
            enqueue(records, durable: durable) { continuation.resume(returning: $0) }
        }
        if let failure { throw failure }
    }
}
