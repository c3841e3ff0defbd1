public import Runtime
import Synchronization

/// The real journal. What is appended while a write is under way is written together, with one flush.
public final class FileJournal: AttemptJournal {
    private struct Entry {
        let records: [JournalRecord]
        let durable: Bool
        let completion: @Sendable (JournalError?) -> Void
    }

    private struct State {
        var waiting: [Entry] = []
        var isWriting = false
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
        let mustStart = state.withLock { state in
            state.waiting.append(Entry(records: records, durable: durable, completion: completion))
            defer { state.isWriting = true }
            return !state.isWriting
        }
        if mustStart { timekeeper.start("journal") { await self.write() } }
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
