public import Domain
import Runtime
import Synchronization

/// The logs that this worker has: those that grow, and those that ended and wait to be stored elsewhere.
public final class LogSpool: Sendable {
    private struct State {
        var logs: [AttemptID: OutputLog] = [:]
        /// Closed ones in the order of their ends.
        var ended: [AttemptID] = []
        var nextReader: UInt64 = 0
        var waitingReaders = 0
    }

    private let directory: WorkDirectory
    private let limit: Int
    private let timekeeper: any Timekeeper
    private let state = Mutex(State())
    /// Reading and compressing must not hold up those who write.
    let pool = BlockingPool(threads: OutputLimits.packers, queueLimit: 65_536)
    let whenEnded = WakeUp()
    /// Files of a former process, found at the start.
    private let left: [AttemptID]

    init(directory: WorkDirectory, limit: Int, timekeeper: any Timekeeper) {
        self.directory = directory
        self.limit = limit
        self.timekeeper = timekeeper
        left = directory.logAttempts()
    }

    // MARK: Writing. Blocks.

    /// A fresh log for a try that begins.
    func open(_ attempt: AttemptID) throws(LaunchError) -> OutputLog {
        let log = try OutputLog(path: directory.freshLogPath(attempt), limit: limit)
        state.withLock { $0.logs[attempt] = log }
        return log
    }

    /// Writes the last lines, if it can, and closes it: from then on it may be sent.
    func close(_ attempt: AttemptID, footer: String) {
        guard let log = state.withLock({ $0.logs[attempt] }), !log.isClosed else { return }
        // A disk that is full has ended the run already; its log goes without a footer.
        try? log.annotate(footer)
        log.finish()
        state.withLock { $0.ended.append(attempt) }
        whenEnded.signal()
    }

    /// Takes over what a former process has left, but for tries that go on.
    /// - Parameter footers: for tries whose end nobody has written into their logs.
    func recover(except running: Set<AttemptID>, footers: [AttemptID: String]) {
        for attempt in left where !running.contains(attempt) {
            guard state.withLock({ $0.logs[attempt] == nil }) else { continue }
            let log = OutputLog(left: directory.logPath(attempt), limit: limit)
            if let footer = footers[attempt] {
                do throws(LaunchError) {
                    try log.reopen()
                    try log.annotate(footer)
                } catch {
                    // As above.
                }
                log.finish()
            }
            state.withLock { state in
                state.logs[attempt] = log
                state.ended.append(attempt)
            }
        }
        whenEnded.signal()
    }

    /// The log of a try of a former process that goes on: what is written comes behind what is there.
    func adopt(_ attempt: AttemptID) throws(LaunchError) -> OutputLog {
        let log = OutputLog(left: directory.logPath(attempt), limit: limit)
        try log.goOn()
        state.withLock { $0.logs[attempt] = log }
        return log
    }

    // MARK: Reading

    /// A piece of a log from a position on. Waits for one, as long as the request allows, where there is none yet.
    /// - Throws: `DomainError.tooMany`; `CancellationError`.
    public func read(_ request: LogRequest) async throws -> LogPiece {
        guard let log = state.withLock({ $0.logs[request.attempt] }) else {
            return LogPiece(bytes: [], next: request.position, hasEnded: true, isMissing: true)
        }
        if request.waitMilliseconds > 0, !log.isClosed, log.total <= request.position {
            try await wait(for: log, beyond: request.position, atMost: .milliseconds(request.waitMilliseconds))
        }
        return try await pool.run { log.read(from: request.position, limit: request.limit) }
    }

    private func wait(for log: OutputLog, beyond position: Int64, atMost limit: Duration) async throws {
        let number = state.withLock { state -> UInt64? in
            guard state.waitingReaders < OutputLimits.waitingReaders else { return nil }
            state.waitingReaders += 1
            state.nextReader += 1
            return state.nextReader
        }
        guard let number else {
            throw DomainError(.tooMany, "\(OutputLimits.waitingReaders) readers wait for this worker's logs already")
        }
        defer { state.withLock { $0.waitingReaders -= 1 } }
        let timekeeper = self.timekeeper
        await withTaskGroup(of: Void.self) { group in
            group.addTask(executorPreference: timekeeper) {
                // Cancelled when there is something to read.
                guard (try? await timekeeper.sleep(for: limit)) != nil else { return }
                log.cancelWaiter(number)
            }
            await withTaskCancellationHandler {
                await withCheckedContinuation { continuation in
                    log.whenMore(than: position, number: number) { continuation.resume() }
                }
            } onCancel: {
                log.cancelWaiter(number)
            }
            group.cancelAll()
        }
        try Task.checkCancellation()
        // What trickles comes in pieces that are worth a message.
        if !log.isClosed { try await timekeeper.sleep(for: OutputLimits.readerPause) }
    }

    /// For tests that must know that somebody waits.
    var waitingReaders: Int { state.withLock { $0.waitingReaders } }

    // MARK: Sending

    /// How many have ended and wait to be stored.
    public var endedCount: Int { state.withLock { $0.ended.count } }

    func nextEnded(_ count: Int) -> [(attempt: AttemptID, log: OutputLog)] {
        state.withLock { state in
            state.ended.prefix(count).compactMap { attempt in state.logs[attempt].map { (attempt, $0) } }
        }
    }

    /// It is stored, or will never be: its file goes. Blocks.
    func forget(_ attempts: [AttemptID]) {
        let gone = Set(attempts)
        let logs = state.withLock { state in
            state.ended.removeAll { gone.contains($0) }
            return attempts.compactMap { state.logs.removeValue(forKey: $0) }
        }
        for log in logs {
            if !log.hasSegments, directory.keepLogFile(log.path) { continue }
            log.remove()
        }
    }

    /// Puts them behind the others.
    func postpone(_ attempts: [AttemptID]) {
        let late = Set(attempts)
        state.withLock { state in
            state.ended = state.ended.filter { !late.contains($0) } + state.ended.filter { late.contains($0) }
        }
    }
}
