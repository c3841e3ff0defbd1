import Glibc
import Runtime

/// Carries a command's output from the pipe, read on the loop, to its log, written on a pool.
///
/// What was read and is not written is bounded: a command that writes faster than the disk waits in its own write.
actor OutputPump {
    private let loop: EventLoop
    private let pool: BlockingPool
    private let log: OutputLog
    private let whenFailed: @Sendable (LaunchError) -> Void

    private var descriptor: Int32
    private var watch: Watch?
    private var buffer: [UInt8] = []
    private var isPaused = false
    private var isWriting = false
    private var failure: LaunchError?
    private var whenDrained: CheckedContinuation<Void, Never>?

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    /// - Parameters:
    ///   - descriptor: the reading end, non-blocking; the pump closes it.
    ///   - whenFailed: called once when the log cannot be written. Output is read on and dropped, so that the command
    ///     can end.
    init(
        descriptor: Int32, log: OutputLog, loop: EventLoop, pool: BlockingPool,
        whenFailed: @escaping @Sendable (LaunchError) -> Void
    ) {
        self.descriptor = descriptor
        self.log = log
        self.loop = loop
        self.pool = pool
        self.whenFailed = whenFailed
    }

    func begin() throws {
        watch = try loop.watch(descriptor, .read) { [weak self] _ in
            self?.assumeIsolated { $0.read() }
        }
    }

    /// Returns when all output is in the log, or the time for its end has passed: then whoever still holds the pipe
    /// writes into nothing.
    func end(within limit: Duration) async -> (tail: String, failure: LaunchError?) {
        let timer = loop.after(limit) { [weak self] in self?.assumeIsolated { $0.close() } }
        // Not cancellable: the file is finished in any case.
        if !isDrained { await withCheckedContinuation { whenDrained = $0 } }
        loop.cancel(timer)
        let log = self.log
        // Nothing was written, so that nothing blocks.
        if log.isEmpty { return (log.finish().tail, failure) }
        do {
            let (tail, failed) = try await pool.run { log.finish() }
            return (tail, failure ?? failed)
        } catch {
            return ("", failure ?? LaunchError("the log file could not be finished: \(error)"))
        }
    }

    private var isDrained: Bool { descriptor < 0 && !isWriting && buffer.isEmpty }

    private func tellIfDrained() {
        if isDrained { whenDrained.take()?.resume() }
    }

    private func read() {
        var chunk = [UInt8](repeating: 0, count: ExecutionLimits.outputChunk)
        var budget = ExecutionLimits.outputBuffer
        while descriptor >= 0, budget > 0, buffer.count < ExecutionLimits.outputBuffer {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            budget -= max(0, count)
            if count > 0 {
                if failure == nil { buffer.append(contentsOf: chunk[..<count]) }
                // A short read has emptied the pipe: no need to ask again.
                if count < chunk.count { break }
            } else if count < 0, errno == EINTR {
                continue
            } else if count < 0, errno == EAGAIN {
                break
            } else {
                close()
            }
        }
        if descriptor >= 0, buffer.count >= ExecutionLimits.outputBuffer {
            isPaused = true
            watch?.update([])
        }
        startWriting()
    }

    private func startWriting() {
        guard !isWriting, !buffer.isEmpty else { return }
        isWriting = true
        loop.start("output") { await self.write() }
    }

    private func write() async {
        while !buffer.isEmpty {
            let bytes = buffer
            buffer = []
            let log = self.log
            do {
                try await pool.run { try log.write(bytes) }
            } catch {
                fail((error as? LaunchError) ?? LaunchError("the log file could not be written: \(error)"))
            }
            if isPaused, descriptor >= 0 {
                isPaused = false
                watch?.update(.read)
            }
        }
        isWriting = false
        tellIfDrained()
    }

    private func fail(_ error: LaunchError) {
        buffer = []
        guard failure == nil else { return }
        failure = error
        whenFailed(error)
    }

    private func close() {
        guard descriptor >= 0 else { return }
        watch?.cancel()
        watch = nil
        Glibc.close(descriptor)
        descriptor = -1
        tellIfDrained()
    }
}
