import HTTP
import Runtime
import Synchronization

/// The client of a streamed answer has gone, or was dropped because it reads too slowly.
public struct HTTPStreamClosed: Error, Sendable, CustomStringConvertible {
    public let reason: String
    public var description: String { reason }
}

/// Where the producer of one streamed body writes. May be used from any thread, also after its answer has ended: then
/// every write throws.
final class ConnectionSink: HTTPBodySink {
    /// A writer that waits for room.
    struct Writer: Sendable {
        let number: UInt64
        let continuation: CheckedContinuation<Void, any Error>
    }

    private let connection: Connection
    let exchange: UInt64
    let isChunked: Bool
    private let numbers = Atomic<UInt64>(0)

    init(_ connection: Connection, _ exchange: UInt64, isChunked: Bool) {
        self.connection = connection
        self.exchange = exchange
        self.isChunked = isChunked
    }

    func write(_ bytes: [UInt8]) async throws {
        try Task.checkCancellation()
        // An empty chunk would be the end of the body.
        guard !bytes.isEmpty else { return }
        let loop = connection.core.loop
        let number = numbers.add(1, ordering: .relaxed).newValue
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let writer = Writer(number: number, continuation: continuation)
                if loop.isOnLoop {
                    connection.write(bytes, of: self, writer)
                } else {
                    loop.execute { self.connection.write(bytes, of: self, writer) }
                }
            }
        } onCancel: {
            // After the write itself: both go through the loop's queue, or the write ran before this.
            loop.execute { self.connection.cancelWriter(number) }
        }
    }
}
