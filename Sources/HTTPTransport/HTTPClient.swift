public import Runtime

/// An HTTP client on the loop: libcurl's multi interface driven by its socket and timer callbacks.
///
/// Connections are kept and reused. Proxies from the environment are ignored, only http and https are spoken (and ftp,
/// to read, where a request says so), nothing raises a signal and no thread is made but libcurl's own for a name
/// look-up. Answers come as they were sent: no decompression unless the caller asks for an encoding and expands it.
///
/// libcurl repeats a request by itself in one case: a connection that was kept turns out to be closed before any byte
/// of an answer has come. A request that must not be executed twice carries its own identity.
public final class HTTPClient: Sendable {
    private let loop: EventLoop
    private let engine: CurlEngine

    /// - Parameter connectionsPerHost: at a time, to one host and port or socket; requests beyond them wait, within
    ///   their own time limit.
    public init(loop: EventLoop, connectionsPerHost: Int = 128) {
        self.loop = loop
        engine = CurlEngine(loop: loop, connectionsPerHost: connectionsPerHost)
    }

    deinit {
        let engine = engine
        loop.execute { engine.shutDown() }
    }

    /// Sends the request and returns the whole answer.
    ///
    /// - Throws: `HTTPClientError`; `CancellationError` when the task is cancelled, which aborts the transfer at once.
    public func execute(_ request: HTTPClientRequest) async throws -> HTTPClientResponse {
        try Task.checkCancellation()
        let transfer = CurlTransfer(request)
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                onLoop { $0.begin(transfer, continuation) }
            }
        } onCancel: {
            // Never directly: the handler may run inside the call that cancels, which may hold locks.
            loop.execute { [engine] in engine.abort(transfer, CancellationError()) }
        }
    }

    /// Sends the request and hands the body over in parts, in order, each when the one before was dealt with. A slow
    /// receiver slows the transfer down: at most some 256 KiB wait for it.
    ///
    /// - Parameter receive: gets each part with the head of the answer, of whatever status. What it throws ends the
    ///   transfer.
    /// - Returns: the head, when the whole body was dealt with.
    /// - Throws: `HTTPClientError`; `CancellationError` when the task is cancelled; what `receive` throws.
    public func stream(
        _ request: HTTPClientRequest, _ receive: @Sendable (HTTPClientHead, [UInt8]) async throws -> Void
    ) async throws -> HTTPClientHead {
        try Task.checkCancellation()
        let transfer = CurlTransfer(request, isStreamed: true)
        return try await withTaskCancellationHandler {
            onLoop { $0.begin(transfer, nil) }
            do {
                while true {
                    switch try await next(transfer) {
                    case .part(let head, let bytes): try await receive(head, bytes)
                    case .end(let head): return head
                    }
                }
            } catch {
                onLoop { $0.abort(transfer, CancellationError()) }
                throw error
            }
        } onCancel: {
            // Never directly: see `execute`.
            loop.execute { [engine] in engine.abort(transfer, CancellationError()) }
        }
    }

    private func next(_ transfer: CurlTransfer) async throws -> CurlFeed.Item {
        try await withCheckedThrowingContinuation { continuation in
            onLoop { $0.next(transfer, continuation) }
        }
    }

    /// Ends all transfers with an error and closes all connections; later requests fail.
    public func close() {
        onLoop { $0.shutDown() }
    }

    private func onLoop(_ body: @escaping @Sendable (CurlEngine) -> Void) {
        if loop.isOnLoop {
            body(engine)
        } else {
            loop.execute { [engine] in body(engine) }
        }
    }
}
