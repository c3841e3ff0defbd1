// HTTP/1.1 as values: messages, routing, decoding, and the codec as a pure state machine. No socket, no clock.
//
// What it is for: everything about HTTP that can be decided from bytes alone, so that it can be tested at every split
// of its input and fuzzed; `HTTPTransport` performs the reading and writing.
//
// Invariants
// - One framing, or none: a request whose end two programs could see at different places (request smuggling) is
//   refused with 400 and the connection is closed. There is no lenient mode. Nothing is repaired but what RFC 9112
//   tells a server to accept: one empty line before a request, and an absolute-form target of our own host.
// - Events depend on the bytes only, never on how they were cut into reads (but for where `.body` events are cut).
// - Everything is bounded before it is stored: `HTTPLimits`.
// - A decoded path segment or query value is well-formed UTF-8. `%00` stays a NUL character, nothing ends at it.
// - No answer's header can be split: the encoder refuses control characters in values.
//
// What it refuses to do: HTTP/2, upgrades, CONNECT, content codings, building links from Host.
//
// Callers: `HTTPTransport` drives parser and encoder; dialects, web pages and the internal protocol use the messages.

/// Answers one request. Cancelled when its connection is gone.
public typealias HTTPHandler = @Sendable (HTTPRequest) async -> HTTPResponse

/// What one request may cost at most.
public struct HTTPLimits: Sendable, Equatable {
    /// Bytes of the request line without its line end; beyond it 414.
    public var requestLine: Int
    /// Bytes of all header lines, and again of all trailer lines, with line ends; beyond it 431.
    public var headerBytes: Int
    /// Header fields, trailer fields included; beyond it 431.
    public var headerCount: Int
    /// Bytes of the body after its transfer coding is undone; beyond it 413.
    /// `HTTPRequestParser.bodyLimit` overrides it for the request at hand.
    public var body: Int
    /// Bytes of all chunk extensions of one request together; beyond it 400.
    public var chunkExtension: Int

    public init(
        requestLine: Int = 8192, headerBytes: Int = 32_768, headerCount: Int = 100, body: Int = 1_048_576,
        chunkExtension: Int = 1024
    ) {
        self.requestLine = requestLine
        self.headerBytes = headerBytes
        self.headerCount = headerCount
        self.body = body
        self.chunkExtension = chunkExtension
    }

    public static let standard = HTTPLimits()
}
