public import HTTP

/// One request to another server.
public struct HTTPClientRequest: Sendable {
    public var method: HTTPMethod
    /// Absolute, `http://` or `https://` (or `ftp://` where that is allowed), percent-encoded.
    public var url: String
    /// Sent as they stand. `Host` and `Content-Length` are set from the URL and the body.
    public var headers: HTTPHeaders
    public var body: [UInt8]
    /// From the start of the call to the last byte of the answer. At least 1 ms, at most 24 days.
    public var timeout: Duration
    /// The transfer fails when nothing at all has come for that long; nil: only `timeout` bounds it.
    public var idleTimeout: Duration?
    /// The part of it that name look-up, connection and TLS may take.
    public var connectTimeout: Duration
    /// A longer body ends the transfer with `.tooLarge`.
    public var maximumResponseBytes: Int
    /// Whether up to three redirects to http or https are followed; otherwise the 3xx is the answer.
    public var followRedirects: Bool
    /// False: neither the certificate nor the name in it is checked. For whoever was asked to do so, alone.
    public var verifiesCertificate = true
    /// For https within a cluster; nil: the system's authorities are trusted, and nothing is shown.
    public var tls: HTTPClientTLS?
    /// `ftp://` is permitted too: it reads a file. Never by way of a redirect.
    public var allowsFTP = false
    /// Bytes of an FTP file that are left out at its beginning. For HTTP a `Range` header says so.
    public var resumesAt = 0
    /// The path of a unix socket to connect to instead of the URL's host and port.
    public var unixSocket: String?
    /// Asked for each numeric address (IPv4 or IPv6, after name look-up) right before a connection to it is made, on
    /// the loop; also for redirects. A refused one fails it with `.addressRefused`. Nil permits all. Requests with
    /// this check never reuse a connection.
    public var permitsAddress: (@Sendable (String) -> Bool)?

    public init(
        method: HTTPMethod = .get, url: String, headers: HTTPHeaders = HTTPHeaders(), body: [UInt8] = [],
        timeout: Duration = .seconds(10), connectTimeout: Duration = .seconds(3),
        maximumResponseBytes: Int = 16 << 20, followRedirects: Bool = false, unixSocket: String? = nil,
        permitsAddress: (@Sendable (String) -> Bool)? = nil
    ) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.timeout = timeout
        self.connectTimeout = connectTimeout
        self.maximumResponseBytes = maximumResponseBytes
        self.followRedirects = followRedirects
        self.unixSocket = unixSocket
        self.permitsAddress = permitsAddress
    }
}

/// What a request by https trusts and shows of itself, all PEM. TLS 1.2 or later; the name in the server's certificate
/// must be the URL's.
public struct HTTPClientTLS: Sendable, Equatable {
    /// Trusted besides none else; empty: the system's authorities.
    public var authorities: [UInt8]
    /// Shown to a server that asks for one, with those between it and its authority; empty: none.
    public var certificate: [UInt8]
    /// Of the certificate, not encrypted.
    public var key: [UInt8]

    public init(authorities: [UInt8] = [], certificate: [UInt8] = [], key: [UInt8] = []) {
        self.authorities = authorities
        self.certificate = certificate
        self.key = key
    }
}

/// What the other server answered, whatever its status.
public struct HTTPClientResponse: Sendable {
    let head: HTTPClientHead
    public let body: [UInt8]

    public var status: Int { head.status }
    public var headers: HTTPHeaders { head.headers }
}

/// An answer without its body.
public struct HTTPClientHead: Sendable {
    /// Of FTP: the last reply's, which is known at the end only.
    public let status: Int
    public let headers: HTTPHeaders
    /// When an FTP file was last changed, in seconds since 1970; known at the end, where the server tells.
    public let fileTimeSeconds: Int64?

    init(status: Int, headers: HTTPHeaders, fileTimeSeconds: Int64? = nil) {
        self.status = status
        self.headers = headers
        self.fileTimeSeconds = fileTimeSeconds
    }
}

/// Why there is no answer.
public struct HTTPClientError: Error, Sendable, CustomStringConvertible {
    public enum Code: Sendable, Hashable {
        /// No connection came about: the other side has seen nothing of the request.
        case connect
        /// `permitsAddress` has refused where the name leads. Nothing was sent there.
        case addressRefused
        /// The server has said no for good: no such file, no access, too many redirects.
        case refused
        /// The time was over; the other side may have seen the request.
        case timeout
        /// The answer is longer than the caller allows.
        case tooLarge
        /// The request cannot be sent as it stands, or the exchange broke off.
        case other
    }

    public let code: Code
    /// What happened, with the method and the host; never headers, query or body.
    public let message: String
    public var description: String { message }

    public init(code: Code, message: String) {
        self.code = code
        self.message = message
    }
}
