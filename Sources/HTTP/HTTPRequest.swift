public import JSON

/// A whole request, body included.
public struct HTTPRequest: Sendable {
    public var method: HTTPMethod
    /// Path and query as sent, percent-encoded: `/v1/scheduler/job/a%20b?x=1`, or `*`.
    public let target: String
    /// The path as sent, still percent-encoded. Compare segments only after they were split and decoded.
    public let path: String
    /// What follows the first question mark, as sent; nil without one.
    public let query: String?
    public var headers: HTTPHeaders
    public var body: [UInt8]
    /// The peer's address in text form; empty when unknown.
    public var remoteAddress: String
    /// Subject of the certificate that the client has shown in TLS and that the server has verified; nil: none.
    public var clientCertificate: String?
    /// Sent as HTTP/1.0: such a client understands no chunked answer.
    public var isHTTP10 = false
    /// The decoded segments that stand for the `{name}`s of the route's pattern. Set by `HTTPRouter`.
    public var pathParameters: [String: String] = [:]

    public init(
        method: HTTPMethod, target: String, headers: HTTPHeaders = HTTPHeaders(), body: [UInt8] = [],
        remoteAddress: String = ""
    ) {
        self.method = method
        self.target = target
        self.headers = headers
        self.body = body
        self.remoteAddress = remoteAddress
        if let mark = target.utf8.firstIndex(of: UInt8(ascii: "?")) {
            path = String(target[..<mark])
            query = String(target[target.utf8.index(after: mark)...])
        } else {
            path = target
            query = nil
        }
    }

    /// The query's items, decoded, in order; `a` and `a=` both have an empty value.
    ///
    /// The parser lets no malformed escape through; in a request that was made otherwise, an item with one is left as
    /// it stands.
    public func queryItems() -> [(name: String, value: String)] {
        guard let query else { return [] }
        return PercentCoding.parseQuery(query)
    }

    /// The first query item of that name.
    public func queryItem(_ name: String) -> String? {
        queryItems().first { $0.name == name }?.value
    }

    /// The body as JSON, whatever its content type says.
    public func json(limits: JSONLimits = .standard) throws(JSONError) -> JSONValue {
        try JSONValue(parsing: body, limits: limits)
    }
}
