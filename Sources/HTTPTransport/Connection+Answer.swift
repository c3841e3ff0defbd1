import Glibc
import HTTP
import Runtime

/// Answers and output of a connection.
extension Connection {
    /// Smaller bodies are copied behind their head, which makes one write of both.
    private static let copiedBody = 16 * 1024
    /// Pieces of output below this size are joined.
    private static let joinedPiece = 64 * 1024

    // MARK: Answers

    /// Runs as the handler's task, on the loop.
    func serve(_ request: HTTPRequest) async {
        var response = await core.handler(request)
        if core.isCompressible(response) { response = await core.compressed(response, for: request) }
        // The client may have gone meanwhile; then nobody wants the answer.
        guard phase == .handling, let body = answer(response) else { return }
        await produce(body.stream, isChunked: body.isChunked)
    }

    /// Sends the answer, or the head of a streamed one, whose body is returned.
    private func answer(_ response: HTTPResponse) -> (stream: HTTPBodyStream, isChunked: Bool)? {
        guard let head else { return nil }
        let wantsMore = head.keepsAlive && !core.isDraining
        do {
            let encoded = try HTTPResponseEncoder.encode(
                response, method: head.method, isHTTP10: head.isHTTP10, keepAlive: wantsMore)
            keepsAlive = encoded.keepsAlive
            switch (encoded.framing, response.body) {
            case (.length, .bytes(let bytes)):
                send(encoded.bytes, bytes)
                finishOutput()
            case (.chunked, .stream(let stream)), (.untilClose, .stream(let stream)):
                phase = .streaming
                send(encoded.bytes)
                return (stream, encoded.framing == .chunked)
            default:
                send(encoded.bytes)
                finishOutput()
            }
        } catch {
            core.log.error("\(head.method) \(head.target.prefix(200)): the answer cannot be sent: \(error.message)")
            refuse(status: 500, "the server made an answer that cannot be sent")
        }
        return nil
    }

    /// Answers with the error body of this server and closes.
    func refuse(status: Int, _ message: String, headers: HTTPHeaders = HTTPHeaders()) {
        var response = HTTPResponse.json(
            ["message": .string(message), "status": .string(HTTPResponseEncoder.reason(for: status))], status: status)
        for (name, value) in headers { response.headers.add(name, value) }
        keepsAlive = false
        clearDeadline()
        do {
            let encoded = try HTTPResponseEncoder.encode(
                response, method: head?.method ?? .get, isHTTP10: head?.isHTTP10 ?? false, keepAlive: false)
            send(encoded.bytes, encoded.framing == .none ? [] : response.body.bytes ?? [])
            finishOutput()
        } catch {
            core.log.error("a refusal cannot be sent: \(error.message)")
            close()
        }
    }

    private func produce(_ stream: HTTPBodyStream, isChunked: Bool) async {
        let sink = ConnectionSink(self, exchange, isChunked: isChunked)
        do {
            try await stream.produce(sink)
        } catch {
            guard phase == .streaming else { return }
            core.log.debug("a streamed answer broke off: \(error)")
            return abort()
        }
        guard phase == .streaming else { return }
        if isChunked { send(HTTPResponseEncoder.lastChunk) }
        finishOutput()
    }

    private func finishOutput() {
        guard phase != .closed else { return }
        phase = .flushing
        if outputBytes == 0 { finishExchange() }
    }

    // MARK: Output

    /// Sends the head and the body, or keeps what the kernel does not take.
    private func send(_ head: [UInt8], _ body: [UInt8]) {
        if body.count <= Self.copiedBody {
            send(head + body)
        } else {
            send(head, moreFollows: true)
            send(body)
        }
    }

    func send(_ bytes: [UInt8], moreFollows: Bool = false) {
        guard phase != .closed, !bytes.isEmpty else { return }
        var offset = 0
        while outputBytes == 0, offset < bytes.count {
            let count = transmit(bytes, from: offset, moreFollows: moreFollows)
            guard count > 0 else { break }
            offset += count
        }
        guard phase != .closed, offset < bytes.count else { return }
        if outputBytes == 0 {
            windowBytes = 0
            setDeadline(core.configuration.outputWindow)
        }
        keep(offset == 0 ? bytes : Array(bytes[offset...]))
        updateInterest()
    }

    private func keep(_ bytes: [UInt8]) {
        outputBytes += bytes.count
        if let last = output.last, last.count + bytes.count <= Self.joinedPiece {
            output[output.count - 1].append(contentsOf: bytes)
        } else {
            output.append(bytes)
        }
    }

    /// Returns how many bytes the kernel took; 0 when it takes none now, or when the connection was closed.
    private func transmit(_ bytes: [UInt8], from offset: Int, moreFollows: Bool = false) -> Int {
        if let tls { return transmit(bytes, from: offset, through: tls) }
        let flags = Int32(MSG_NOSIGNAL) | (moreFollows ? Int32(MSG_MORE) : 0)
        let count = bytes.withUnsafeBytes { raw in
            Glibc.send(descriptor, raw.baseAddress.map { $0 + offset }, raw.count - offset, flags)
        }
        if count >= 0 { return count }
        if errno != EAGAIN && errno != EINTR { close() }
        return 0
    }

    /// The kernel has room again.
    func flush() {
        while let first = output.first {
            let count = transmit(first, from: outputOffset)
            guard count > 0 else { break }
            windowBytes += count
            outputBytes -= count
            outputOffset += count
            if outputOffset == first.count {
                output.removeFirst()
                outputOffset = 0
            }
        }
        guard phase != .closed else { return }
        if outputBytes <= core.configuration.bufferedOutput / 2 { releaseWriters() }
        guard outputBytes == 0 else { return }
        clearDeadline()
        updateInterest()
        if phase == .flushing { finishExchange() }
    }

    // MARK: Writers of a stream

    /// Takes a piece of a streamed body; holds the writer back while the client has too much left to read.
    func write(_ bytes: [UInt8], of sink: ConnectionSink, _ writer: ConnectionSink.Writer) {
        guard phase == .streaming, exchange == sink.exchange else {
            writer.continuation.resume(throwing: HTTPStreamClosed(reason: "the answer has ended"))
            return
        }
        send(sink.isChunked ? HTTPResponseEncoder.chunk(bytes) : bytes)
        guard phase == .streaming else {
            writer.continuation.resume(throwing: HTTPStreamClosed(reason: "the client's connection is closed"))
            return
        }
        if outputBytes > core.configuration.bufferedOutput {
            writers.append(writer)
        } else {
            writer.continuation.resume()
        }
    }

    func cancelWriter(_ number: UInt64) {
        guard let index = writers.firstIndex(where: { $0.number == number }) else { return }
        writers.remove(at: index).continuation.resume(throwing: CancellationError())
    }

    private func releaseWriters() {
        let released = writers
        writers = []
        for writer in released { writer.continuation.resume() }
    }

    func failWriters(_ error: any Error) {
        let failed = writers
        writers = []
        for writer in failed { writer.continuation.resume(throwing: error) }
    }
}
