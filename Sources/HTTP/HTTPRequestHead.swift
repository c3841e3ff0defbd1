/// Request line and header fields, checked.
public struct HTTPRequestHead: Sendable, Equatable {
    /// How the body is framed. There is exactly one reading of it, or the parser has failed.
    public enum BodyLength: Sendable, Equatable {
        case none
        case fixed(Int)
        case chunked
    }

    public var method: HTTPMethod
    /// In origin form, percent-encoded: `/path?query`; or `*`.
    public var target: String
    public var headers: HTTPHeaders
    public var isHTTP10: Bool
    public var bodyLength: BodyLength
    /// Whether the connection may serve another request after this one, as far as the client is concerned.
    public var keepsAlive: Bool
    /// Whether the client waits for `100 Continue` before it sends the body.
    public var expectsContinue: Bool

    public init(
        method: HTTPMethod, target: String, headers: HTTPHeaders = HTTPHeaders(), isHTTP10: Bool = false,
        bodyLength: BodyLength = .none, keepsAlive: Bool = true, expectsContinue: Bool = false
    ) {
        self.method = method
        self.target = target
        self.headers = headers
        self.isHTTP10 = isHTTP10
        self.bodyLength = bodyLength
        self.keepsAlive = keepsAlive
        self.expectsContinue = expectsContinue
    }

    /// The request with its body, for a handler.
    public func request(body: [UInt8], remoteAddress: String, clientCertificate: String? = nil) -> HTTPRequest {
        var request = HTTPRequest(
            method: method, target: target, headers: headers, body: body, remoteAddress: remoteAddress)
        request.isHTTP10 = isHTTP10
        request.clientCertificate = clientCertificate
        return request
    }
}
