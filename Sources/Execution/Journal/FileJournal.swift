public import Runtime
import Synchronization

/// The real journal. What is appended while a write is under way is written together, with one flush; what needs no
/// flush waits some milliseconds for others.
public final class FileJournal: AttemptJournal {
    private struct Entry {
        let records: [JournalRecord]
        let durable: Bool
        let completion: @Sendable (JournalError?) -> Void
    }

    private struct State {
        var waiting: [Entry] = []
        var isWriting = false
        /// Somebody will see to what waits.
        var isDelayed = false
    }

    private let file: JournalFile
    private let timekeeper: any Timekeeper
    /// One thread: the file is touched nowhere else.
    private let pool = BlockingPool(threads: 1, queueLimit: 16)
    private let state = Mutex(State())

    /// - Parameter directory: exists, and belongs to this worker alone.
    public init(directory: String, timekeeper: any Timekeeper, log: Log = Log("journal")) {
        file = JournalFile(directory: directory, log: log)
        self.timekeeper = timekeeper
    }

    public func open() async throws(JournalError) -> JournalImage {
        do {
            return try await pool.run { [file] in try file.open() }
        } catch {
            throw Self.translated(error)
        }
    }

    public func enqueue(
        _ records: [JournalRecord], durable: Bool, completion: @escaping @Sendable (JournalError?) -> Void
    ) {
        enum Next { case nothing, write, delay }
        let next = state.withLock { state -> Next in
            state.waiting.append(Entry(records: records, durable: durable, completion: completion))
            if state.isWriting || (!durable && state.isDelayed) { return .nothing }
            if durable { state.isWriting = true } else { state.isDelayed = true }
            return durable ? .write : .delay
        }
        switch next {
        case .nothing: break
        case .write: timekeeper.start("journal") { await self.write() }
        case .delay: timekeeper.start("journal") { await self.writeLater() }
        }
    }

    /// A thread is woken for each write: dozens of commands that start and end together share one.
    private func writeLater() async {
        // Nobody cancels this task.
        try? await timekeeper.sleep(for: ExecutionLimits.journalDelay)
        let mustWrite = state.withLock { state in
            state.isDelayed = false
            guard !state.isWriting, !state.waiting.isEmpty else { return false }
            state.isWriting = true
            return true
        }
        if mustWrite { await write() }
    }

    /// Waits for what was appended and lets the directory go. Nothing can be appended afterwards.
    public func close() async {
        // A failure is told to whoever appended; the file is closed in any case.
        try? await append([], durable: true)
        try? await pool.run { [file] in file.close() }
    }

    private func write() async {
        while let batch = nextBatch() {
            let records = batch.flatMap(\.records)
            let durable = batch.contains(where: \.durable)
            var failure: JournalError?
            do {
                try await pool.run { [file] in try file.append(records, durable: durable) }
            } catch {
                failure = Self.translated(error)
            }
            for entry in batch { entry.completion(failure) }
        }
    }

    private func nextBatch() -> [Entry]? {
        state.withLock { state in
            guard !state.waiting.isEmpty else {
                state.isWriting = false
                return nil
            }
            defer { state.waiting = [] }
            return state.waiting
        }
    }

    private static func translated(_ error: any Error) -> JournalError {
        (error as? JournalError) ?? JournalError("the journal does not answer: \(error)")
    }
}
