import Runtime
import Synchronization

/// So many transfers at once; others wait in order.
final class TransferSlots: Sendable {
    private struct State {
        var free: Int
        var waiting: [WakeUp] = []
    }
    private let state: Mutex<State>

    init(_ count: Int) { state = Mutex(State(free: count)) }

    /// - Throws: `CancellationError` while it waits; what the body throws.
    func use<T: Sendable>(
        isolation: isolated (any Actor)? = #isolation, _ body: () async throws -> T
    ) async throws -> T {
        try await take()
        defer { giveBack() }
        return try await body()
    }

    private func take() async throws {
        let turn = WakeUp()
        let isFree = state.withLock { state in
            guard state.free > 0 else {
                state.waiting.append(turn)
                return false
            }
            state.free -= 1
            return true
        }
        if isFree { return }
        do { try await turn.wait() } catch {
            let wasWaiting = state.withLock { state in
                guard let index = state.waiting.firstIndex(where: { $0 === turn }) else { return false }
                state.waiting.remove(at: index)
                return true
            }
            // Its turn had come just then: it goes to the next.
            if !wasWaiting { giveBack() }
            throw error
        }
    }

    private func giveBack() {
        let next = state.withLock { state -> WakeUp? in
            guard !state.waiting.isEmpty else {
                state.free += 1
                return nil
            }
            return state.waiting.removeFirst()
        }
        next?.signal()
    }
}
