import Glibc
import Runtime

/// Carries a command's output from the pipe, read on the loop, to its receiver, called on a pool.
///
/// What was read and is not written is bounded: a command that writes faster than the disk waits in its own write.
actor OutputPump {
    private let loop: EventLoop
    private let pool: BlockingPool
    private let receiver: any OutputReceiver
    private let whenFailed: @Sendable (LaunchError) -> Void

    private var descriptor: Int32
    private var watch: Watch?
    private var buffer: [UInt8] = []
    private var isPaused = false
    private var isWriting = false
    private var isWide = false
    private var failure: LaunchError?
    private var whenDrained: CheckedContinuation<Void, Never>?

    /// F_SETPIPE_SZ, which the C library's module does not show.
    private static let setPipeSize: Int32 = 1031

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    /// - Parameters:
    ///   - descriptor: the reading end, non-blocking; the pump closes it.
    ///   - whenFailed: called once when the output cannot be written. It is read on and dropped, so that the command
    ///     can end.
    init(
        descriptor: Int32, receiver: any OutputReceiver, loop: EventLoop, pool: BlockingPool,
        whenFailed: @escaping @Sendable (LaunchError) -> Void
    ) {
        self.descriptor = descriptor
        self.receiver = receiver
        self.loop = loop
        self.pool = pool
        self.whenFailed = whenFailed
    }

    func begin() throws {
        watch = try loop.watch(descriptor, .read) { [weak self] _ in
            self?.assumeIsolated { $0.read() }
        }
    }

    /// Returns when all output was written, or the time for its end has passed: then whoever still holds the pipe
    /// writes into nothing.
    func end(within limit: Duration) async -> LaunchError? {
        guard !isDrained else { return failure }
        let timer = loop.after(limit) { [weak self] in self?.assumeIsolated { $0.close() } }
        // Not cancellable: the output is finished in any case.
        await withCheckedContinuation { whenDrained = $0 }
        loop.cancel(timer)
        return failure
    }

    private var isDrained: Bool { descriptor < 0 && !isWriting && buffer.isEmpty }

    private func tellIfDrained() {
        if isDrained { whenDrained.take()?.resume() }
    }

    private func read() {
        var budget = ExecutionLimits.outputBuffer
        while descriptor >= 0, budget > 0, buffer.count < ExecutionLimits.outputBuffer {
            let (count, wanted) = readPiece()
            budget -= max(0, count)
            if count > 0 {
                if failure != nil { buffer.removeAll(keepingCapacity: true) }
                // A short read has emptied the pipe: no need to ask again.
                if count < wanted { break }
                widen()
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

    /// Fewer turns for output that comes fast. A user who has many wide pipes is refused more, which costs speed only.
    private func widen() {
        guard !isWide else { return }
        isWide = true
        _ = fcntl(descriptor, Self.setPipeSize, Int32(ExecutionLimits.outputBuffer))
    }

    /// By way of memory that nobody has to clear first: most pieces are a line, or the end.
    private func readPiece() -> (count: Int, wanted: Int) {
        let wanted = ExecutionLimits.outputChunk
        return withUnsafeTemporaryAllocation(byteCount: wanted, alignment: 16) { piece in
            let count = Glibc.read(descriptor, piece.baseAddress, wanted)
            let number = errno
            if count > 0 { buffer.append(contentsOf: UnsafeRawBufferPointer(rebasing: piece[..<count])) }
            errno = number
            return (count, wanted)
        }
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
            let receiver = self.receiver
            do {
                try await pool.run { try receiver.write(bytes) }
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
