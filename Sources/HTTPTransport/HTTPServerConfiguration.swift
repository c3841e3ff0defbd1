public import Crypto
public import HTTP

/// Where a server listens and what it bears. Each limit has a default that suits a node; tests make them small.
public struct HTTPServerConfiguration: Sendable {
    /// An address or a name (each of its addresses is listened on). "::" takes IPv4 as well; "" and "*" mean "::", or
    /// "0.0.0.0" on a machine without IPv6.
    public var host: String
    /// 0: any free port.
    public var port: Int
    /// Certificate and key; nil: plain HTTP.
    public var tls: TLSServerContext?
    /// From the connection to the end of the TLS handshake, however its bytes trickle.
    public var handshakeDeadline = Duration.seconds(10)
    /// Sizes of request line, headers and body.
    public var limits: HTTPLimits
    /// From the first byte of a request to the end of its headers, however the bytes trickle.
    public var headerDeadline: Duration
    /// Bytes a second that a request's body must bring, and an answer's reader must take, on average over each window.
    public var minimumRate: Int
    /// The window over which a body's rate is judged; also the grace at its beginning.
    public var bodyWindow: Duration
    /// The same for the reader of an answer: who takes nothing for so long is dropped.
    public var outputWindow: Duration
    /// How long a connection may stay without a request.
    public var idleDeadline: Duration
    /// How long a connection that is closed after a refusal is still read from, so that the client sees the answer.
    public var lingerDeadline: Duration
    /// Open connections; more are answered 503 and closed.
    public var connections: Int
    /// Open connections of one client address; 0: no limit. Leave it off where all clients come through one proxy.
    public var connectionsPerAddress: Int
    /// Bytes of request bodies that the server holds at once, over all connections; beyond it 503.
    public var bufferedInput: Int
    /// Bytes of a stream that may wait for a slow reader before its producer is held back.
    public var bufferedOutput: Int
    /// Bodies of text or JSON from this size on are compressed for clients that accept it.
    public var gzipFrom: Int
    /// Connections that the kernel may hold ready for accept.
    public var backlog: Int

    public init(
        host: String = "127.0.0.1", port: Int = 0, limits: HTTPLimits = HTTPLimits(),
        headerDeadline: Duration = .seconds(10), minimumRate: Int = 1024, bodyWindow: Duration = .seconds(5),
        outputWindow: Duration = .seconds(20), idleDeadline: Duration = .seconds(30),
        lingerDeadline: Duration = .seconds(2), connections: Int = 1000, connectionsPerAddress: Int = 0,
        bufferedInput: Int = 256 << 20, bufferedOutput: Int = 1 << 20, gzipFrom: Int = 1024, backlog: Int = 4096
    ) {
        self.host = host
        self.port = port
        self.limits = limits
        self.headerDeadline = headerDeadline
        self.minimumRate = minimumRate
        self.bodyWindow = bodyWindow
        self.outputWindow = outputWindow
        self.idleDeadline = idleDeadline
        self.lingerDeadline = lingerDeadline
        self.connections = connections
        self.connectionsPerAddress = connectionsPerAddress
        self.bufferedInput = bufferedInput
        self.bufferedOutput = bufferedOutput
        self.gzipFrom = gzipFrom
        self.backlog = backlog
    }
}

/// Why a server could not be started.
public struct HTTPServerError: Error, Sendable, CustomStringConvertible {
    /// What failed, with the address, and what to do about it.
    public let message: String
    public var description: String { message }
}
