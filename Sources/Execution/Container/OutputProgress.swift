import Runtime
import Synchronization

/// How much of a container's output is in the log, over several readings that each begin anew.
final class OutputProgress: Sendable {
    private let state: Mutex<(written: Int, position: Int)>

    /// - Parameter written: what a former process of the worker has written into the log.
    init(written: Int = 0) { state = Mutex((written: max(0, written), position: 0)) }

    func beginAnew() { state.withLock { $0.position = 0 } }

    private let steps = Atomic(0)

    /// Returns when nothing has come for so long. Throws by cancellation only.
    func waitForSilence(of time: Duration, on timekeeper: any Timekeeper) async throws {
        var seen = -1
        while true {
            let now = steps.load(ordering: .relaxed)
            if now == seen { return }
            seen = now
            try await timekeeper.sleep(for: time)
        }
    }

    /// The part of the next bytes that is not in the log yet; `noteWritten` says when it is.
    func advance(_ bytes: [UInt8]) -> [UInt8] {
        steps.wrappingAdd(1, ordering: .relaxed)
        return state.withLock { state in
            let known = max(0, min(bytes.count, state.written - state.position))
            state.position += bytes.count
            return known == 0 ? bytes : Array(bytes[known...])
        }
    }

    /// Everything that came up to now is in the log. What a reading that is broken off has not written comes again.
    func noteWritten() { state.withLock { $0.written = max($0.written, $0.position) } }
}
