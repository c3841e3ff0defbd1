import Synchronization

/// A coalescing event: any number of signals while nobody waits are one wake-up of the next wait. A signal while
/// several wait wakes them all.
public final class WakeUp: Sendable {
    private struct Waiter {
        let number: UInt64
        let continuation: CheckedContinuation<Void, any Error>
    }

    private struct State {
        var isSignalled = false
        var nextNumber: UInt64 = 0
        var waiters: [Waiter] = []
        /// Waits whose cancellation came before they had begun.
        var cancelled: Set<UInt64> = []
    }

    private let state = Mutex(State())

    public init() {}

    /// From any thread.
    public func signal() {
        let waiters = state.withLock { state in
            let waiters = state.waiters
            if waiters.isEmpty { state.isSignalled = true } else { state.waiters = [] }
            return waiters
        }
        for waiter in waiters { waiter.continuation.resume() }
    }

    /// Returns at once if a signal is kept, which it uses up, else at the next signal.
    /// - Throws: `CancellationError` as soon as the task is cancelled.
    public func wait() async throws {
        try Task.checkCancellation()
        let number = state.withLock { state in
            state.nextNumber += 1
            return state.nextNumber
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { begin(Waiter(number: number, continuation: $0)) }
        } onCancel: {
            cancel(number)
        }
        // A cancellation that came after the wake-up has left its number behind.
        state.withLock { _ = $0.cancelled.remove(number) }
    }

    /// Like `wait()`, but for a limited time. Returns whether there was a signal.
    public func wait(atMost limit: Duration, on timekeeper: any Timekeeper) async throws -> Bool {
        do {
            try await withDeadline(limit, on: timekeeper, "signal") { try await self.wait() }
            return true
        } catch is DeadlineExceeded {
            return false
        }
    }

    private func begin(_ waiter: Waiter) {
        enum Answer { case wait, go, cancelled }
        let answer: Answer = state.withLock { state in
            if state.cancelled.remove(waiter.number) != nil { return .cancelled }
            if state.isSignalled {
                state.isSignalled = false
                return .go
            }
            state.waiters.append(waiter)
            return .wait
        }
        switch answer {
        case .wait: break
        case .go: waiter.continuation.resume()
        case .cancelled: waiter.continuation.resume(throwing: CancellationError())
        }
    }

    private func cancel(_ number: UInt64) {
        let waiter = state.withLock { state -> Waiter? in
            guard let index = state.waiters.firstIndex(where: { $0.number == number }) else {
                state.cancelled.insert(number)
                return nil
            }
            return state.waiters.remove(at: index)
        }
        waiter?.continuation.resume(throwing: CancellationError())
    }
}
