/// What the URL plugin needs of an HTTP client; the worker's host provides it.
public protocol TaskHTTP: Sendable {
    /// Sends the request and returns the answer, whatever its status. Cancellable.
    /// - Throws: `TaskHTTPFailure`; `CancellationError`.
    func exchange(_ request: TaskHTTPRequest) async throws -> TaskHTTPAnswer
}

public struct TaskHTTPRequest: Hashable, Sendable {
    public var method: String
    public var url: String
    public var headers: [TaskHTTPHeader]
    public var body: [UInt8]
    public var timeout: Duration
    /// Nil: `timeout` alone bounds it.
    public var idleTimeout: Duration?
    public var connectTimeout: Duration
    public var followsRedirects: Bool
    /// False: the other side's certificate is not looked at.
    public var verifiesCertificate: Bool
    /// A longer body is a failure.
    public var maximumBytes: Int
}

public struct TaskHTTPHeader: Hashable, Sendable {
    public var name: String
    public var value: String
    public init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}

public struct TaskHTTPAnswer: Hashable, Sendable {
    public var status: Int
    /// For people: "OK".
    public var reason: String
    public var headers: [TaskHTTPHeader]
    public var body: [UInt8]
    public init(status: Int, reason: String, headers: [TaskHTTPHeader], body: [UInt8]) {
        self.status = status
        self.reason = reason
        self.headers = headers
        self.body = body
    }
}

public struct TaskHTTPFailure: Error, Hashable, Sendable {
    /// A word such as `ECONNREFUSED` or `ETIMEDOUT`, as Cronicle's plugin reports it; empty: none.
    public var code: String
    public var message: String
    public init(code: String, message: String) {
        self.code = code
        self.message = message
    }
}
