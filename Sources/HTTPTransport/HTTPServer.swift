public import Crypto
public import HTTP
public import Runtime
import Synchronization

/// An HTTP/1.1 server on the loop.
///
/// The handler runs as a task on the loop, one a request; requests of one connection are handled one after the other,
/// in order. When a client goes, its handler may end, and its answer is dropped; the producer of a streamed body is
/// cancelled.
public final class HTTPServer: Sendable {
    private let core: ServerCore

    public init(
        _ configuration: HTTPServerConfiguration, loop: EventLoop, log: Log, handler: @escaping HTTPHandler
    ) {
        core = ServerCore(configuration, loop: loop, log: log, handler: handler)
    }

    deinit {
        let core = core
        core.loop.execute { core.stop() }
    }

    /// Resolves the host, listens and serves from then on.
    ///
    /// - Returns: the port, chosen by the system if the configuration says 0.
    /// - Throws: `HTTPServerError` when an address cannot be resolved or bound.
    public func start() async throws -> Int {
        let configuration = core.configuration
        let (descriptors, port) = try await core.pool.run {
            try ListeningSocket.open(
                host: configuration.host, port: configuration.port, backlog: configuration.backlog)
        }
        try await core.onLoop { try $0.listen(descriptors) }
        return port
    }

    /// Stops accepting, closes what is idle, lets requests that have begun be answered, and closes what is left when
    /// the deadline has passed. Returns when no connection is open. The server cannot be started again.
    public func drain(deadline: Duration) async {
        let core = core
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            core.loop.execute { core.drain(deadline) { continuation.resume() } }
        }
    }

    /// Lets new connections see another certificate; those that are open go on as they are. The server must have been
    /// made with TLS.
    public func replace(tls context: TLSServerContext) {
        precondition(core.configuration.tls != nil, "a server without TLS was given a certificate")
        let core = core
        core.loop.execute { core.tls = context }
    }

    /// Connections that are open now, whatever they do.
    public var openConnections: Int { core.openConnections.load(ordering: .relaxed) }
}
