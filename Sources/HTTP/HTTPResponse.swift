public import JSON

/// An answer. Framing fields (Content-Length, Transfer-Encoding, Connection) are the encoder's business.
public struct HTTPResponse: Sendable {
    public var status: Int
    public var headers: HTTPHeaders
    public var body: HTTPResponseBody

    public init(status: Int, headers: HTTPHeaders = HTTPHeaders(), body: HTTPResponseBody = .none) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    public static func json(_ value: JSONValue, status: Int = 200) -> HTTPResponse {
        json(bytes: value.serialized(), status: status)
    }

    /// With a body that is JSON text already.
    public static func json(bytes: [UInt8], status: Int = 200) -> HTTPResponse {
        HTTPResponse(status: status, headers: ["Content-Type": "application/json"], body: .bytes(bytes))
    }

    public static func text(_ text: String, status: Int = 200) -> HTTPResponse {
        HTTPResponse(
            status: status, headers: ["Content-Type": "text/plain; charset=utf-8"], body: .bytes(Array(text.utf8)))
    }

    public static func empty(status: Int) -> HTTPResponse {
        HTTPResponse(status: status)
    }
}

public enum HTTPResponseBody: Sendable {
    case none
    case bytes([UInt8])
    /// Written piece by piece while the client reads.
    case stream(HTTPBodyStream)

    /// The bytes, or nil for a stream.
    public var bytes: [UInt8]? {
        switch self {
        case .none: []
        case .bytes(let bytes): bytes
        case .stream: nil
        }
    }
}

/// A body whose length is not known beforehand.
public struct HTTPBodyStream: Sendable {
    /// Writes the body to the sink and returns at its end. An error cuts the connection, so that the client sees that
    /// the body is incomplete. Cancelled when the client has gone.
    public let produce: @Sendable (any HTTPBodySink) async throws -> Void

    public init(_ produce: @escaping @Sendable (any HTTPBodySink) async throws -> Void) {
        self.produce = produce
    }
}

/// Where a streamed body goes.
public protocol HTTPBodySink: Sendable {
    /// Returns when there is room for more; throws when the client has gone or reads too slowly.
    func write(_ bytes: [UInt8]) async throws
}
