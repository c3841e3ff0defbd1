/// Turns an answer into the bytes of its head, and says how its body has to be sent. Pure: it neither writes nor reads
/// a clock.
public struct HTTPResponseEncoder: Sendable {
    /// How the body follows the head.
    public enum Framing: Sendable, Equatable {
        /// Nothing follows: there is no body, or the method or status forbids one.
        case none
        /// That many bytes follow.
        case length(Int)
        /// Each piece through `chunk(_:)`, `lastChunk` at the end.
        case chunked
        /// Each piece as it is; the end is the end of the connection.
        case untilClose
    }

    public struct Head: Sendable, Equatable {
        /// Status line and header fields, with the empty line.
        public let bytes: [UInt8]
        public let framing: Framing
        /// Whether the connection may serve another request. It is what the Connection field says.
        public let keepsAlive: Bool
    }

    /// An answer that cannot be sent as it is; the handler has a bug.
    public struct EncodingError: Error, Sendable, Equatable {
        public let message: String
    }

    /// Encodes the head of the answer to a request.
    ///
    /// Content-Length, Transfer-Encoding and Connection come from here; those of the handler are dropped, but for
    /// `Connection: close`, which is obeyed.
    /// - Parameters:
    ///   - method: the request's; HEAD gets the header of GET without the body.
    ///   - isHTTP10: whether the request was HTTP/1.0.
    ///   - keepAlive: whether client and server would both go on.
    ///   - extra: fields that the server adds to every answer, such as Date; those of the answer win.
    /// - Throws: `EncodingError` for a status outside 200...999, a field name that is no token, or a field value with a
    ///   control character.
    public static func encode(
        _ response: HTTPResponse, method: HTTPMethod, isHTTP10: Bool = false, keepAlive: Bool = true,
        extra: HTTPHeaders = HTTPHeaders()
    ) throws(EncodingError) -> Head {
        guard (200...999).contains(response.status) else {
            throw EncodingError(message: "\(response.status) is no final status")
        }
        let (announced, framing) = framings(of: response, method: method, isHTTP10: isHTTP10)
        let keepsAlive =
            keepAlive && announced != .untilClose && !response.headers.hasToken("close", in: "Connection")
        var bytes: [UInt8] = []
        bytes.reserveCapacity(256)
        bytes.append(contentsOf: statusLine(response.status))
        for (name, value) in response.headers where !isFraming(name) {
            try append(name, value, to: &bytes)
        }
        for (name, value) in extra where !isFraming(name) && !response.headers.contains(name) {
            try append(name, value, to: &bytes)
        }
        switch announced {
        case .length(let length): bytes.append(contentsOf: "Content-Length: \(length)\r\n".utf8)
        case .chunked: bytes.append(contentsOf: "Transfer-Encoding: chunked\r\n".utf8)
        case .none, .untilClose: break
        }
        if !keepsAlive {
            bytes.append(contentsOf: "Connection: close\r\n".utf8)
        } else if isHTTP10 {
            bytes.append(contentsOf: "Connection: keep-alive\r\n".utf8)
        }
        bytes.append(contentsOf: "\r\n".utf8)
        return Head(bytes: bytes, framing: framing, keepsAlive: keepsAlive)
    }

    /// The interim answer to `.needsContinue`.
    public static let continueResponse = Array("HTTP/1.1 100 Continue\r\n\r\n".utf8)

    /// The bytes of one chunk; nothing for an empty piece, which would end the body.
    public static func chunk(_ piece: [UInt8]) -> [UInt8] {
        guard !piece.isEmpty else { return [] }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(piece.count + 20)
        bytes.append(contentsOf: String(piece.count, radix: 16).utf8)
        bytes.append(contentsOf: "\r\n".utf8)
        bytes.append(contentsOf: piece)
        bytes.append(contentsOf: "\r\n".utf8)
        return bytes
    }

    /// Ends a chunked body.
    public static let lastChunk = Array("0\r\n\r\n".utf8)

    // MARK: Rules

    /// What the header announces, and what is really sent: the two differ for HEAD.
    private static func framings(
        of response: HTTPResponse, method: HTTPMethod, isHTTP10: Bool
    ) -> (announced: Framing, sent: Framing) {
        // RFC 9110 §8.6 and §15: no length in 204, and none needed in 304; neither has a body.
        if response.status == 204 || response.status == 304 { return (.none, .none) }
        let isHead = method == .head
        switch response.body {
        case .none: return (.length(0), .none)
        // 205 has no body either, but says so by its length.
        case .bytes where response.status == 205: return (.length(0), .none)
        case .bytes(let bytes): return (.length(bytes.count), isHead || bytes.isEmpty ? .none : .length(bytes.count))
        // The length of a stream is not known; for HEAD it need not be told.
        case .stream where isHead: return (.none, .none)
        case .stream: return isHTTP10 ? (.untilClose, .untilClose) : (.chunked, .chunked)
        }
    }

    private static func isFraming(_ name: String) -> Bool {
        switch name.utf8.count {
        case 10: ASCII.equalIgnoringCase(name.utf8, "Connection".utf8)
        case 14: ASCII.equalIgnoringCase(name.utf8, "Content-Length".utf8)
        case 17: ASCII.equalIgnoringCase(name.utf8, "Transfer-Encoding".utf8)
        default: false
        }
    }

    private static func append(_ name: String, _ value: String, to bytes: inout [UInt8]) throws(EncodingError) {
        guard !name.isEmpty, name.utf8.allSatisfy(ASCII.isToken) else {
            throw EncodingError(message: "the header field name \"\(name)\" is no token")
        }
        guard value.utf8.allSatisfy({ !ASCII.isControl($0) || $0 == ASCII.tab }) else {
            throw EncodingError(message: "the value of header field \(name) has a control character")
        }
        bytes.append(contentsOf: name.utf8)
        bytes.append(contentsOf: ": ".utf8)
        bytes.append(contentsOf: value.utf8)
        bytes.append(contentsOf: "\r\n".utf8)
    }
}
