import Synchronization

extension EventLoop {
    /// Waits once until the descriptor is ready. On the loop's thread only; leaves no watch behind.
    /// - Throws: `CancellationError` as soon as the task is cancelled; `SystemError` when epoll refuses.
    nonisolated(nonsending) public func ready(_ descriptor: Int32, _ interest: Interest) async throws -> Readiness {
        try Task.checkCancellation()
        let wait = ReadinessWait()
        defer { wait.end() }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { wait.begin(descriptor, interest, on: self, $0) }
        } onCancel: {
            wait.finish(.failure(CancellationError()))
        }
    }
}

private final class ReadinessWait: Sendable {
    private struct State {
        var isOver = false
        var continuation: CheckedContinuation<Readiness, any Error>?
        var watch: Watch?
    }

    private let state = Mutex(State())

    func begin(
        _ descriptor: Int32, _ interest: Interest, on loop: EventLoop,
        _ continuation: CheckedContinuation<Readiness, any Error>
    ) {
        let cancelled = state.withLock { state in
            if !state.isOver { state.continuation = continuation }
            return state.isOver
        }
        guard !cancelled else {
            continuation.resume(throwing: CancellationError())
            return
        }
        do {
            let watch = try loop.watch(descriptor, interest) { readiness in
                // Silent from now on: the waiter runs in a later turn.
                self.end()
                self.finish(.success(readiness))
            }
            state.withLock { $0.watch = watch }
        } catch {
            finish(.failure(error))
        }
    }

    func finish(_ result: Result<Readiness, any Error>) {
        let continuation = state.withLock { state in
            state.isOver = true
            return state.continuation.take()
        }
        continuation?.resume(with: result)
    }

    /// On the loop's thread.
    func end() {
        state.withLock { $0.watch.take() }?.cancel()
    }
}
