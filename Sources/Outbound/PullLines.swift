import Execution
import JSON
import Synchronization

/// Reads the lines of JSON by which an engine tells how a pull goes.
final class PullLines: Sendable {
    private let state = Mutex((line: [UInt8](), failure: String?.none))
    private static let longestLine = 1024 * 1024

    var failure: String? {
        state.withLock { state in
            state.failure ?? Self.failure(in: state.line)
        }
    }

    /// What follows the last line break.
    var rest: String { state.withLock { String(decoding: $0.line.prefix(OutboundLimits.message), as: UTF8.self) } }

    func take(_ bytes: [UInt8]) throws {
        try state.withLock { state in
            for byte in bytes {
                if byte == UInt8(ascii: "\n") {
                    if state.failure == nil { state.failure = Self.failure(in: state.line) }
                    state.line = []
                } else {
                    state.line.append(byte)
                }
            }
            guard state.line.count <= Self.longestLine else {
                throw EngineError(.refused, "it tells of the pull in lines without an end")
            }
        }
    }

    private static func failure(in line: [UInt8]) -> String? {
        // What is no JSON tells of no failure; the status does.
        guard let value = try? JSONValue(parsing: line) else { return nil }
        let text = value["error"]?.stringValue ?? value["errorDetail"]?["message"]?.stringValue
        return text.map { String($0.prefix(OutboundLimits.message)) }
    }
}
