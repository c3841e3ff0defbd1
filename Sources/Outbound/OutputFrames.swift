import Execution
import Synchronization

/// Takes a container's output out of the frames in which engines send it: one byte for the stream, three of zero, four
/// for the length (most significant first), and the bytes. Frames come in any pieces.
final class OutputFrames: Sendable {
    private struct State {
        var header: [UInt8] = []
        var left = 0
        var kept: [UInt8] = []
    }
    private let state = Mutex(State())

    /// An engine would not make longer ones.
    private static let longestFrame = 64 * 1024 * 1024

    /// - Throws: `EngineError` for what are no frames.
    func take(_ bytes: [UInt8]) throws -> [UInt8] {
        try state.withLock { state in
            var payload: [UInt8] = []
            payload.reserveCapacity(bytes.count)
            var rest = bytes[...]
            while !rest.isEmpty {
                if state.left > 0 {
                    let part = rest.prefix(state.left)
                    payload.append(contentsOf: part)
                    state.left -= part.count
                    rest = rest.dropFirst(part.count)
                    continue
                }
                let part = rest.prefix(8 - state.header.count)
                state.header.append(contentsOf: part)
                rest = rest.dropFirst(part.count)
                guard state.header.count == 8 else { break }
                let header = state.header
                state.header = []
                state.left = header[4...].reduce(0) { $0 << 8 | Int($1) }
                guard header[0] <= 2, header[1...3].allSatisfy({ $0 == 0 }), state.left <= Self.longestFrame else {
                    throw EngineError(.refused, "the output is not framed as the API says")
                }
            }
            return payload
        }
    }

    /// The beginning of what is no output but an error.
    func keep(_ bytes: [UInt8]) {
        state.withLock { state in
            state.kept.append(
                contentsOf: bytes.prefix(OutboundLimits.message * 4 - min(state.kept.count, OutboundLimits.message * 4))
            )
        }
    }

    var kept: [UInt8] { state.withLock { $0.kept } }
}
