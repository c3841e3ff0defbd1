/// The strict HTTP/1.1 request parser: bytes in, events out.
///
/// ```swift
/// parser.feed(received)
/// while let event = parser.next() { … }
/// ```
/// After `.end` the caller decides when to go on: the next call of `next()` begins with what is buffered of the next,
/// pipelined, request. A line is judged once it is complete or longer than its limit, everything else byte by byte in
/// order; so how the bytes are cut never matters.
public struct HTTPRequestParser: Sendable {
    public enum Phase: Sendable, Equatable {
        /// Between two requests, nothing of the next has been seen: the connection may be closed.
        case idle
        /// Within request line or header.
        case head
        /// After the head, before `.end`.
        case body
        case failed
    }

    public let limits: HTTPLimits
    /// Bytes that the body of the request at hand may have. The caller may change it on `.head`, for routes that take
    /// more or less; it is `limits.body` again at the next request.
    public var bodyLimit: Int

    enum State: Sendable {
        case idle
        case requestLine
        case headers
        /// The head is out; whether the body is welcome has yet to be said.
        case bodyStart(HTTPRequestHead.BodyLength, expectsContinue: Bool)
        case fixedBody(remaining: Int)
        case chunkSize
        case chunkData(remaining: Int)
        case chunkEnd
        case trailers
        case end
        case failed
    }

    var state = State.idle
    /// Bytes received; those before `position` are done with.
    var buffer: [UInt8] = []
    var position = 0
    /// Before this there is no line feed.
    private var scanned = 0
    private var hasSkippedEmptyLine = false
    /// The head as far as it has come.
    var requestLine: RequestLine?
    var headers = HTTPHeaders()
    /// What is left of the limits for header or trailer lines, for chunk extensions, and for the body.
    var headerBytesLeft = 0
    var fieldsLeft = 0
    var extensionBytesLeft = 0
    var bodyBytesLeft = 0

    public init(limits: HTTPLimits = .standard) {
        self.limits = limits
        bodyLimit = limits.body
    }

    public var phase: Phase {
        switch state {
        case .idle: position < buffer.count || hasSkippedEmptyLine ? .head : .idle
        case .requestLine, .headers: .head
        case .bodyStart, .fixedBody, .chunkSize, .chunkData, .chunkEnd, .trailers, .end: .body
        case .failed: .failed
        }
    }

    /// Bytes that were fed and have not become events yet.
    public var bufferedBytes: Int { buffer.count - position }

    // MARK: Bytes in

    /// Adds what was received. Ignored after a failure.
    public mutating func feed(_ bytes: [UInt8]) {
        makeRoom()
        buffer.append(contentsOf: bytes)
    }

    /// Adds what was received, straight from a read buffer.
    public mutating func feed(_ bytes: UnsafeRawBufferPointer) {
        makeRoom()
        buffer.append(contentsOf: bytes)
    }

    public mutating func feed(_ bytes: some Collection<UInt8>) {
        makeRoom()
        buffer.append(contentsOf: bytes)
    }

    /// A connection that waits keeps no larger buffer than this.
    private static let capacityToKeep = 65_536

    /// Room for the fields of most requests at once.
    private static let usualFields = 12

    private mutating func makeRoom() {
        if position == buffer.count {
            buffer.removeAll(keepingCapacity: buffer.capacity <= Self.capacityToKeep)
        } else if position > buffer.count / 2 {
            buffer.removeFirst(position)
        } else {
            return
        }
        scanned = max(0, scanned - position)
        position = 0
    }

    // MARK: Events out

    /// The next event; nil until more bytes have been fed, and for ever after a failure.
    public mutating func next() -> HTTPParserEvent? {
        do throws(HTTPParseFailure) {
            return try advance()
        } catch {
            state = .failed
            return .failure(error)
        }
    }

    private mutating func advance() throws(HTTPParseFailure) -> HTTPParserEvent? {
        while true {
            switch state {
            case .idle:
                guard try beginRequest() else { return nil }
            case .requestLine:
                guard let line = try takeLine(upTo: limits.requestLine, else: .requestLineTooLong) else { return nil }
                requestLine = try RequestLine(parsing: buffer[line])
                state = .headers
            case .headers:
                guard try takeFields() else { return nil }
                let head = try finishHead()
                state = .bodyStart(head.bodyLength, expectsContinue: head.expectsContinue)
                return .head(head)
            case .bodyStart(let length, let expectsContinue):
                try beginBody(length)
                if expectsContinue { return .needsContinue }
            case .fixedBody(let remaining):
                guard let piece = takePiece(upTo: remaining) else { return nil }
                state = piece.count == remaining ? .end : .fixedBody(remaining: remaining - piece.count)
                return .body(piece)
            case .chunkSize:
                guard try beginChunk() else { return nil }
            case .chunkData(let remaining):
                guard let piece = takePiece(upTo: remaining) else { return nil }
                state = piece.count == remaining ? .chunkEnd : .chunkData(remaining: remaining - piece.count)
                return .body(piece)
            case .chunkEnd:
                guard try endChunk() else { return nil }
            case .trailers:
                guard try takeFields() else { return nil }
                // Trailers are checked and dropped: nothing here has a use for them, and merged into the header
                // they would be a way around its checks.
                headers = HTTPHeaders()
                state = .end
            case .end:
                state = .idle
                hasSkippedEmptyLine = false
                return .end
            case .failed:
                buffer = []
                position = 0
                return nil
            }
        }
    }

    /// The first byte of a request; false while there is none.
    private mutating func beginRequest() throws(HTTPParseFailure) -> Bool {
        guard position < buffer.count else { return false }
        let first = buffer[position]
        if first == ASCII.carriageReturn, !hasSkippedEmptyLine {
            guard position + 1 < buffer.count else { return false }
            guard buffer[position + 1] == ASCII.lineFeed else { throw .bareCarriageReturn }
            position += 2
            hasSkippedEmptyLine = true
            return true
        }
        guard ASCII.isToken(first) else { throw .notHTTP }
        bodyLimit = limits.body
        headers = HTTPHeaders()
        headers.reserveCapacity(Self.usualFields)
        headerBytesLeft = limits.headerBytes
        fieldsLeft = limits.headerCount
        state = .requestLine
        return true
    }

    /// The content of the next line, without its CR LF; nil while it is incomplete.
    mutating func takeLine(
        upTo limit: Int, else tooLong: HTTPParseFailure
    ) throws(HTTPParseFailure) -> Range<Int>? {
        let end = min(buffer.count, position + limit + 2)
        var feed = max(scanned, position)
        while feed < end, buffer[feed] != ASCII.lineFeed { feed += 1 }
        guard feed < end else {
            guard buffer.count - position < limit + 2 else { throw tooLong }
            scanned = feed
            return nil
        }
        guard feed > position, buffer[feed - 1] == ASCII.carriageReturn else { throw .bareLineFeed }
        let line = position..<(feed - 1)
        position = feed + 1
        scanned = position
        return line
    }

    /// Header or trailer lines up to the empty one; false while that is missing.
    private mutating func takeFields() throws(HTTPParseFailure) -> Bool {
        while true {
            guard let line = try takeLine(upTo: headerBytesLeft - 2, else: .headerTooLarge) else { return false }
            headerBytesLeft -= line.count + 2
            if line.isEmpty { return true }
            guard fieldsLeft > 0 else { throw .tooManyFields }
            fieldsLeft -= 1
            let (name, value) = try FieldLine.parse(buffer, line)
            headers.add(name, value)
        }
    }

    /// At least one byte, at most that many.
    private mutating func takePiece(upTo limit: Int) -> [UInt8]? {
        let end = position + min(limit, buffer.count - position)
        guard end > position else { return nil }
        let piece = Array(buffer[position..<end])
        position = end
        return piece
    }
}
