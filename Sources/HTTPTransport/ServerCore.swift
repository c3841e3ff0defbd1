import CLinux
import Crypto
import Glibc
import HTTP
import Runtime
import Synchronization

/// Listeners, connections and limits of one server.
///
/// Unchecked: whatever is not a `let` is touched on the loop's thread only.
final class ServerCore: @unchecked Sendable {
    /// Connections taken at one event, so that a flood of them leaves time for the others.
    static let acceptsPerEvent = 64
    /// Refused clients that are told so and lingered for; beyond them a connection is closed at once.
    static let refusedConnections = 128
    /// Without free descriptors: how long connections wait in the kernel before accept is tried again.
    static let pauseWithoutDescriptors = Duration.milliseconds(100)
    /// What one read takes.
    static let readSize = 64 * 1024
    /// Larger bodies are compressed on the pool: 32 KiB are half a millisecond.
    static let compressedOnLoop = 16 * 1024
    private static let dismissal = Array(
        "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".utf8)
    private static let poolThreads = 2
    private static let poolQueue = 64
    /// One line of log about refusals in this time.
    private static let logInterval = Duration.seconds(10)

    let configuration: HTTPServerConfiguration
    let loop: EventLoop
    let log: Log
    let handler: HTTPHandler
    let pool: BlockingPool
    let openConnections = Atomic<Int>(0)
    /// What new connections are shown; nil: plain HTTP. One that listens with TLS goes on with TLS.
    var tls: TLSServerContext?
    /// Handshakes are computed here: a signature by a long key takes milliseconds, and a crowd of clients that come
    /// back at once must not keep the leader from its turns.
    let handshakes: BlockingPool
    /// All connections read into this buffer, one after the other: an idle connection has none.
    let readBuffer = UnsafeMutableRawBufferPointer.allocate(byteCount: readSize, alignment: 16)

    private var listeners: [(descriptor: Int32, watch: Watch)] = []
    private var connections: [Connection] = []
    private var refused = 0
    private var perAddress: [String: Int] = [:]
    /// Given up to accept and refuse one client when there is no other descriptor left.
    private var reserve: Int32 = -1
    private(set) var isDraining = false
    /// Bytes of request bodies that connections hold, until their answers have left.
    var heldInput = 0
    private var whenEmpty: [@Sendable () -> Void] = []
    private var lastLog: MonotonicInstant?

    init(_ configuration: HTTPServerConfiguration, loop: EventLoop, log: Log, handler: @escaping HTTPHandler) {
        self.configuration = configuration
        self.loop = loop
        self.log = log
        self.handler = handler
        pool = BlockingPool(threads: Self.poolThreads, queueLimit: Self.poolQueue)
        tls = configuration.tls
        handshakes = BlockingPool(
            threads: max(1, HostFacts.processorCount / 2),
            queueLimit: configuration.connections + Self.refusedConnections)
    }

    deinit {
        readBuffer.deallocate()
    }

    func onLoop<T: Sendable>(_ body: @escaping @Sendable (ServerCore) throws -> T) async throws -> T {
        try await withCheckedThrowingContinuation { continuation in
            loop.execute { continuation.resume(with: Result { try body(self) }) }
        }
    }

    // MARK: Life

    func listen(_ descriptors: [Int32]) throws {
        guard !isDraining else {
            descriptors.forEach { close($0) }
            throw HTTPServerError(message: "the server was stopped before it listened")
        }
        openReserve()
        var unwatched = descriptors[...]
        do {
            while let descriptor = unwatched.first {
                let watch = try loop.watch(descriptor, .read) { [weak self] _ in self?.accept(from: descriptor) }
                listeners.append((descriptor, watch))
                unwatched = unwatched.dropFirst()
            }
        } catch {
            unwatched.forEach { close($0) }
            stop()
            throw error
        }
    }

    func drain(_ deadline: Duration, _ whenEmpty: @escaping @Sendable () -> Void) {
        self.whenEmpty.append(whenEmpty)
        stopListening()
        for connection in connections where connection.isIdle { connection.close() }
        guard !connections.isEmpty else { return finishDrain() }
        loop.after(deadline) { [weak self] in self?.stop() }
    }

    /// Closes everything now, and cancels the handlers that still run.
    func stop() {
        stopListening()
        for connection in connections {
            connection.task?.cancel()
            connection.close()
        }
        finishDrain()
    }

    private func stopListening() {
        isDraining = true
        for (descriptor, watch) in listeners {
            watch.cancel()
            close(descriptor)
        }
        listeners = []
    }

    private func finishDrain() {
        if reserve >= 0 { close(reserve) }
        reserve = -1
        pool.shutDown()
        handshakes.shutDown()
        let waiting = whenEmpty
        whenEmpty = []
        for resume in waiting { resume() }
    }

    // MARK: Accept

    private func accept(from listener: Int32) {
        for _ in 0..<Self.acceptsPerEvent {
            var storage = sockaddr_storage()
            var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
            var host = ""
            let descriptor = withUnsafeMutablePointer(to: &storage) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                    let descriptor = clinux_accept(listener, address, &length)
                    if descriptor >= 0 { host = SocketAddress.numericHost(address, length: length) ?? "" }
                    return descriptor
                }
            }
            if descriptor >= 0 {
                admit(descriptor, host)
                continue
            }
            switch errno {
            case EAGAIN: return
            // The client has gone again; accept(2) also hands on errors of the network.
            case EINTR, ECONNABORTED, EPROTO, ENETDOWN, ENETUNREACH, EHOSTDOWN, EHOSTUNREACH, ENOPROTOOPT: continue
            default:
                surviveShortage(listener, errno)
                return
            }
        }
    }

    private func admit(_ descriptor: Int32, _ host: String) {
        let limit = configuration.connectionsPerAddress
        if connections.count - refused >= configuration.connections {
            refuse(descriptor, host, "this server has as many connections as it bears; try again in a second")
        } else if limit > 0, perAddress[host, default: 0] >= limit {
            refuse(descriptor, host, "your address has \(limit) connections open, which is the limit; close some")
        } else if let connection = open(descriptor, host) {
            if limit > 0 { perAddress[host, default: 0] += 1 }
            connection.isCounted = limit > 0
            connection.begin()
        }
    }

    private func open(_ descriptor: Int32, _ host: String) -> Connection? {
        let connection = Connection(descriptor, host, self)
        do {
            try connection.attach()
        } catch {
            close(descriptor)
            logSparsely("a connection was closed: \(error)")
            return nil
        }
        connection.place = connections.count
        connections.append(connection)
        openConnections.add(1, ordering: .relaxed)
        return connection
    }

    private func refuse(_ descriptor: Int32, _ host: String, _ message: String) {
        logSparsely("refused a connection from \(host): \(message)")
        // Not worth a handshake.
        guard refused < Self.refusedConnections, tls == nil else { return dismiss(descriptor) }
        guard let connection = open(descriptor, host) else { return }
        refused += 1
        connection.isRefused = true
        connection.refuse(status: 503, message, headers: ["Retry-After": "1"])
    }

    /// Called once by a connection that has closed its descriptor.
    func closed(_ connection: Connection) {
        let last = connections.removeLast()
        if last !== connection {
            connections[connection.place] = last
            last.place = connection.place
        }
        openConnections.subtract(1, ordering: .relaxed)
        if connection.isRefused { refused -= 1 }
        if connection.isCounted {
            let left = perAddress[connection.remoteAddress, default: 1] - 1
            perAddress[connection.remoteAddress] = left > 0 ? left : nil
        }
        if isDraining, connections.isEmpty { finishDrain() }
    }

    // MARK: Shortage

    /// No descriptor, or no memory, for another connection: one client is let in on the reserve and sent away, the
    /// others wait in the kernel. Without the pause the loop would spin, as the listener stays readable.
    private func surviveShortage(_ listener: Int32, _ number: Int32) {
        logSparsely("cannot accept connections: \(String(cString: strerror(number))); raise the limit of open files")
        if reserve >= 0 {
            close(reserve)
            reserve = -1
            let descriptor = clinux_accept(listener, nil, nil)
            if descriptor >= 0 { dismiss(descriptor) }
            openReserve()
        }
        for (_, watch) in listeners { watch.update([]) }
        loop.after(Self.pauseWithoutDescriptors) { [weak self] in
            guard let self else { return }
            for (_, watch) in listeners { watch.update(.read) }
            if reserve < 0 { openReserve() }
        }
    }

    /// Sends a connection away at once, without waiting for what its client does: it may or may not see the 503.
    private func dismiss(_ descriptor: Int32) {
        if tls == nil { send(descriptor, Self.dismissal, Self.dismissal.count, Int32(MSG_NOSIGNAL)) }
        shutdown(descriptor, Int32(SHUT_WR))
        close(descriptor)
    }

    private func openReserve() {
        guard !isDraining else { return }
        reserve = Glibc.open("/dev/null", O_RDONLY | O_CLOEXEC)
    }

    func logSparsely(_ message: @autoclosure () -> String) {
        let now = loop.monotonicNow
        if let lastLog, lastLog.advanced(by: Self.logInterval) > now { return }
        lastLog = now
        log.warning(message())
    }
}
