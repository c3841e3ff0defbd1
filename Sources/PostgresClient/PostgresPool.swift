public import Runtime

/// A few connections that many callers share: requests are pipelined over them, each goes to the one with the least to
/// do, and a connection that is lost is made again.
///
/// A request that was in flight on a lost connection fails with `.connection` and `mayHaveHappened`; one that was not
/// sent yet goes to another connection or waits for one, within its deadline. While the server refuses the credentials
/// or the database does not exist, requests fail at once with that reason.
public actor PostgresPool {
    /// Requests that wait for a first connection.
    static let waiterLimit = 10_000

    nonisolated let loop: EventLoop
    public nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    private let configuration: PostgresConfiguration
    private let size: Int
    private let log: Log
    private var connections: [PostgresConnection?]
    private var keepers: [Task<Void, Never>] = []
    private var lastFailure: PostgresError?
    private var isClosed = false
    private var nextWaiter: UInt64 = 0
    private var waiters: [UInt64: Waiter] = [:]

    private struct Waiter {
        let continuation: CheckedContinuation<Void, Never>
        let timer: TimerToken
    }

    /// Connects with the first request, or with `start()`. Whoever makes a pool closes it.
    public init(_ configuration: PostgresConfiguration, size: Int, loop: EventLoop, log: Log = Log("database")) {
        self.configuration = configuration
        self.size = max(1, size)
        self.loop = loop
        self.log = log
        connections = Array(repeating: nil, count: max(1, size))
    }

    /// Begins to connect; returns at once.
    public func start() {
        guard keepers.isEmpty, !isClosed else { return }
        keepers = (0..<size).map { slot in
            loop.start("database connection \(slot)") { await self.keep(slot) }
        }
    }

    /// Executes one statement, in a transaction of its own.
    /// - Throws: `PostgresError`; `CancellationError` if the task is cancelled while no connection is up.
    public func query(_ statement: Statement, deadline: Duration) async throws -> PostgresResult {
        try await perform(deadline) { try await $0.query(statement, deadline: $1) }
    }

    /// Executes the statements as one transaction; see `PostgresConnection.transaction`.
    /// - Throws: as `query`.
    public func transaction(_ statements: [Statement], deadline: Duration) async throws -> [PostgresResult] {
        try await perform(deadline) { try await $0.transaction(statements, deadline: $1) }
    }

    /// Connections that are open now.
    public var openConnections: Int { connections.count { $0 != nil } }

    /// How much the pool has to do.
    public struct Figures: Sendable {
        public var size: Int
        public var open: Int
        /// Requests sent, or about to be, that have no answer yet.
        public var inFlight: Int
        /// Requests that wait for a first connection.
        public var waiting: Int
    }

    public var figures: Figures {
        let up = connections.compactMap { $0 }
        return Figures(
            size: size, open: up.count, inFlight: up.reduce(0) { sum, one in sum + one.assumeIsolated { $0.load } },
            waiting: waiters.count)
    }

    /// Ends all sessions, and everything that is in flight; returns when that is done. Requests fail with `.closed`
    /// from now on.
    public func close() async {
        isClosed = true
        for keeper in keepers { keeper.cancel() }
        for connection in connections { await connection?.close() }
        wakeWaiters()
        for keeper in keepers { await keeper.value }
        keepers = []
    }

    // MARK: Requests

    private func perform<T: Sendable>(
        _ deadline: Duration, _ body: @Sendable (PostgresConnection, Duration) async throws -> T
    ) async throws -> T {
        start()
        let end = loop.monotonicNow.advanced(by: deadline)
        while true {
            let connection = try await acquire(until: end, deadline)
            let left = loop.monotonicNow.duration(to: end)
            do { return try await body(connection, left) } catch let error as PostgresError {
                guard error.code == .connection, !error.mayHaveHappened, !isClosed else { throw error }
                // It was never sent: the next connection takes it.
                if connections.contains(where: { $0 === connection }) { forget(connection) }
            }
        }
    }

    private func acquire(until end: MonotonicInstant, _ deadline: Duration) async throws -> PostgresConnection {
        while true {
            if isClosed { throw PostgresError(.closed, "the connections to the database were closed") }
            if let connection = leastLoaded() { return connection }
            if let lastFailure, lastFailure.isPermanent { throw lastFailure }
            let left = loop.monotonicNow.duration(to: end)
            guard left > .zero else {
                let reason = lastFailure.map { ": \($0.message)" } ?? ""
                var error = PostgresError(.connection, "no connection to the database within \(deadline)\(reason)")
                error.sqlState = lastFailure?.sqlState
                throw error
            }
            guard waiters.count < Self.waiterLimit else {
                throw PostgresError(.queueFull, "\(Self.waiterLimit) requests wait for a connection to the database")
            }
            await wait(atMost: left)
            // Nothing has been sent: the only place where a request can be taken back.
            try Task.checkCancellation()
        }
    }

    private func leastLoaded() -> PostgresConnection? {
        var best: (connection: PostgresConnection, load: Int)?
        for case let connection? in connections {
            // Same executor: no suspension, so that the choice still holds when it is used.
            let load = connection.assumeIsolated { $0.isOpen ? $0.load : Int.max }
            if load < best?.load ?? .max { best = (connection, load) }
        }
        return best?.connection
    }

    /// Until there is a connection or news of one, the limit has passed, or the task is cancelled.
    private func wait(atMost limit: Duration) async {
        nextWaiter += 1
        let number = nextWaiter
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                guard !Task.isCancelled else { return continuation.resume() }
                let timer = loop.after(limit) { [weak self] in self?.assumeIsolated { $0.wake(number) } }
                waiters[number] = Waiter(continuation: continuation, timer: timer)
            }
        } onCancel: {
            loop.execute { self.assumeIsolated { $0.wake(number) } }
        }
    }

    private func wake(_ number: UInt64) {
        guard let waiter = waiters.removeValue(forKey: number) else { return }
        loop.cancel(waiter.timer)
        waiter.continuation.resume()
    }

    private func wakeWaiters() {
        for number in waiters.keys.sorted() { wake(number) }
    }

    private func forget(_ connection: PostgresConnection) {
        for slot in connections.indices where connections[slot] === connection { connections[slot] = nil }
    }

    // MARK: Connections

    /// Keeps one connection up until it is cancelled.
    private func keep(_ slot: Int) async {
        var backoff = Backoff(initial: .milliseconds(20), maximum: .seconds(2))
        while !Task.isCancelled {
            do {
                let connection = try await PostgresConnection.connect(configuration, loop: loop)
                guard !isClosed else { return await connection.close() }
                let opened = loop.monotonicNow
                if lastFailure != nil { log.notice("connected to the database again") }
                lastFailure = nil
                connections[slot] = connection
                wakeWaiters()
                await connection.closed()
                forget(connection)
                if isClosed { return await connection.close() }
                note(await connection.endReason)
                if opened.duration(to: loop.monotonicNow) > .seconds(2) { backoff.reset() }
            } catch let error as PostgresError {
                note(error)
                if error.isPermanent { wakeWaiters() }
            } catch {
                return
            }
            // Ends early only when the pool is closed.
            do { try await loop.sleep(for: backoff.next()) } catch { return }
        }
    }

    /// Each new reason is logged once, not with every try.
    private func note(_ error: PostgresError?) {
        guard let error else { return }
        if lastFailure?.message != error.message { log.warning(error.description) }
        lastFailure = error
    }
}

extension PostgresError {
    /// Whether trying again is of no use before an operator has changed something.
    var isPermanent: Bool {
        if code == .invalidRequest { return true }
        return code == .connection && ["28P01", "28000", "3D000"].contains(sqlState)
    }
}
