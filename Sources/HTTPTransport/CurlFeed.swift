/// The body of a streamed answer between libcurl, which pushes, and a receiver, who pulls.
///
/// Unchecked: belongs to the loop's thread, as its transfer does.
final class CurlFeed: @unchecked Sendable {
    typealias Continuation = CheckedContinuation<Item, any Error>

    enum Item: Sendable {
        case part(HTTPClientHead, [UInt8])
        case end(HTTPClientHead)
    }

    /// With so many bytes waiting libcurl is stopped; what it has read by then comes on top.
    static let fullFrom = 256 * 1024

    /// libcurl was told to wait.
    var isPaused = false
    private var waiting: [UInt8] = []
    private var head: HTTPClientHead?
    private var receiver: Continuation?
    private var result: Result<HTTPClientHead, any Error>?

    var isFull: Bool { waiting.count >= Self.fullFrom }
    var mayResume: Bool { isPaused && !isFull }

    func take(_ bytes: UnsafeRawBufferPointer, head: HTTPClientHead) {
        self.head = head
        waiting.append(contentsOf: bytes)
        deliver()
    }

    /// The first result counts; what waits is delivered before it.
    func end(_ result: Result<HTTPClientHead, any Error>) {
        guard self.result == nil else { return }
        self.result = result
        deliver()
    }

    /// One receiver at a time.
    func next(_ continuation: Continuation) {
        receiver = continuation
        deliver()
    }

    private func deliver() {
        guard let receiver else { return }
        if let head, !waiting.isEmpty {
            self.receiver = nil
            let bytes = waiting
            waiting = []
            receiver.resume(returning: .part(head, bytes))
        } else if let result {
            self.receiver = nil
            receiver.resume(with: result.map(Item.end))
        }
    }
}
