import Synchronization

/// One cancellable wait for a timer. Cancellation and timer may meet from different threads: whoever takes the
/// continuation resumes it, and the timer is given back in either case.
final class Sleep: Sendable {
    private struct State {
        var isOver = false
        var continuation: CheckedContinuation<Void, any Error>?
        var token: TimerToken?
    }

    private let state = Mutex(State())
    private let loop: EventLoop

    private init(on loop: EventLoop) {
        self.loop = loop
    }

    static func run(for duration: Duration, on loop: EventLoop) async throws {
        try Task.checkCancellation()
        guard duration > .zero else { return }
        let sleep = Sleep(on: loop)
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { sleep.begin(duration, $0) }
        } onCancel: {
            sleep.cancel()
        }
    }

    private func begin(_ duration: Duration, _ continuation: CheckedContinuation<Void, any Error>) {
        let cancelled = state.withLock { state in
            if !state.isOver { state.continuation = continuation }
            return state.isOver
        }
        guard !cancelled else {
            continuation.resume(throwing: CancellationError())
            return
        }
        if loop.isOnLoop { arm(duration) } else { loop.execute { self.arm(duration) } }
    }

    private func arm(_ duration: Duration) {
        guard !state.withLock({ $0.isOver }) else { return }
        let token = loop.after(duration) { self.finish()?.resume() }
        state.withLock { $0.token = token }
    }

    private func cancel() {
        finish()?.resume(throwing: CancellationError())
        if loop.isOnLoop { disarm() } else { loop.execute { self.disarm() } }
    }

    private func disarm() {
        if let token = state.withLock({ $0.token }) { loop.cancel(token) }
    }

    private func finish() -> CheckedContinuation<Void, any Error>? {
        state.withLock { state in
            state.isOver = true
            return state.continuation.take()
        }
    }
}
