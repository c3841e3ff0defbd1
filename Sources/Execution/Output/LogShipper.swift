public import Domain
public import Runtime

/// Any node, as a keeper of logs.
public protocol LogSink: Sendable {
    /// - Returns: those that are stored for good.
    func store(_ logs: [AttemptLog]) async throws(TransportError) -> [AttemptID]
}

/// Sends the logs of ended tries to a node until they are stored, and removes their files then.
///
/// One request at a time; what ends meanwhile goes together. While no node answers, logs wait in their files.
public actor LogShipper: Service {
    public nonisolated let name = "log shipper"
    private let spool: LogSpool
    private let sink: any LogSink
    private let timekeeper: any Timekeeper
    private let log: Log
    private let becameEmpty = WakeUp()
    /// After a refusal: one log a request, so that one that no node takes holds up no other.
    private var isCareful = false

    public nonisolated var unownedExecutor: UnownedSerialExecutor { timekeeper.asUnownedSerialExecutor() }

    public init(spool: LogSpool, sink: any LogSink, timekeeper: any Timekeeper, log: Log = Log("logs")) {
        self.spool = spool
        self.sink = sink
        self.timekeeper = timekeeper
        self.log = log
    }

    /// Until it is cancelled.
    public func run() async throws {
        var pauses = Backoff(initial: .milliseconds(200), maximum: .seconds(10))
        while true {
            try Task.checkCancellation()
            guard spool.endedCount > 0 else {
                becameEmpty.signal()
                try await spool.whenEnded.wait()
                continue
            }
            do throws(TransportError) {
                if try await ship() { pauses.reset() }
                continue
            } catch {
                log.warning("\(spool.endedCount) logs wait to be stored: \(error)")
            }
            try await timekeeper.sleep(for: pauses.next(on: timekeeper))
        }
    }

    /// Waits until nothing is left to send; what is left at the end is sent by the next start of the worker.
    public func flush(within limit: Duration) async {
        let deadline = timekeeper.monotonicNow.advanced(by: limit)
        while spool.endedCount > 0, timekeeper.monotonicNow < deadline {
            let rest = timekeeper.monotonicNow.duration(to: deadline)
            // Cancelled: whoever stops is in a hurry.
            guard (try? await becameEmpty.wait(atMost: rest, on: timekeeper)) != nil else { return }
        }
    }

    /// - Returns: whether something was stored.
    private func ship() async throws(TransportError) -> Bool {
        let batch = await pack()
        guard !batch.isEmpty else { return true }
        let sent = batch.map(\.attempt)
        do {
            let stored = try await sink.store(batch)
            await forget(stored.filter { sent.contains($0) })
            isCareful = isCareful && spool.endedCount > 0
            let rest = Set(sent).subtracting(stored)
            if !rest.isEmpty { spool.postpone(sent.filter(rest.contains)) }
            return !stored.isEmpty
        } catch {
            guard error.code == .refused else { throw error }
            guard batch.count == 1, isCareful else {
                // Which of them it was, the next requests will show.
                isCareful = true
                throw error
            }
            log.error("the log of \(sent[0]) cannot be stored and is given up: \(error.message)")
            await forget(sent)
            return false
        }
    }

    private func forget(_ attempts: [AttemptID]) async {
        guard !attempts.isEmpty else { return }
        let spool = self.spool
        // A pool that is shut down: the files are sent again by the next start, which changes nothing.
        try? await spool.pool.run { spool.forget(attempts) }
    }

    /// Closed logs, compressed, as many as go into one request.
    private func pack() async -> [AttemptLog] {
        let spool = self.spool
        let log = self.log
        let candidates = spool.nextEnded(isCareful ? 1 : OutputLimits.batchLogs)
        // A pool that is shut down: they are sent after the next start.
        let packed = try? await spool.pool.run {
            var batch: [AttemptLog] = []
            var lost: [AttemptID] = []
            var bytes = 0
            for (attempt, output) in candidates {
                do {
                    guard let packed = try LogPacker.pack(output, of: attempt) else {
                        lost.append(attempt)
                        continue
                    }
                    bytes += packed.gzip.count
                    batch.append(packed)
                } catch {
                    log.with("run", attempt.run).error(
                        "the log of \(attempt) cannot be compressed and is given up: \(error)")
                    lost.append(attempt)
                }
                // The last one may exceed it by what one log has, which a request has room for.
                if bytes >= OutputLimits.batchBytes { break }
            }
            spool.forget(lost)
            return batch
        }
        // Only a pool that is shut down takes nothing; then this task is about to be cancelled as well.
        return packed ?? []
    }
}
