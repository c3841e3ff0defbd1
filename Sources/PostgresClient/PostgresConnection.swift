public import Runtime

/// One session with the server. Requests of many callers are pipelined and answered in their order.
///
/// Cancelling a task that waits for a request does not take the request back: it ends with its answer or its deadline.
public actor PostgresConnection {
    /// Requests that have been sent and not been answered; more wait here rather than in the server's socket.
    static let pipelineLimit = 512
    /// Requests that wait to be sent.
    static let queueLimit = 10_000
    /// Notifications that nobody has read; beyond that the oldest are dropped.
    static let notificationLimit = 1024
    /// For the session's own statements.
    static let housekeepingDeadline = Duration.seconds(10)

    nonisolated let loop: EventLoop
    public nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    /// The process of the server that serves this session.
    public nonisolated let backendPID: Int32
    /// What the channels that were listened to have received; ends with the connection. Read by one task only.
    public nonisolated let notifications: AsyncStream<PostgresNotification>

    nonisolated let notified: AsyncStream<PostgresNotification>.Continuation
    var wire: Wire?
    var watch: Watch?
    var pending = RequestQueue<Request>()
    var inFlight = RequestQueue<Request>()
    var statements = StatementCache()
    private var nextNumber: UInt64 = 0
    var pumpIsScheduled = false
    /// ROLLBACKs on their way: while there are any, what the server refuses for a broken transaction is sent again.
    var rollbacks = 0
    private var end: PostgresError?
    private var closedWaiters: [UInt64: CheckedContinuation<Void, Never>] = [:]

    /// Threads for requests to stop a statement, which libpq can only make blocking.
    private static let cancellers = BlockingPool(threads: 1, queueLimit: 16)

    /// Connects, trying each address of the host in turn.
    /// - Throws: `PostgresError.connection` with the server's or the network's reason, or because a pooler stands
    ///   between; `.invalidRequest` for a URL that cannot be read; `CancellationError`.
    public static func connect(_ configuration: PostgresConfiguration, loop: EventLoop) async throws
        -> PostgresConnection
    {
        let wire = try await Connector(loop: loop).connect(configuration)
        let connection = PostgresConnection(wire, loop: loop)
        try await connection.open()
        try await connection.verify(within: configuration.connectTimeout)
        return connection
    }

    /// A pooler invents the number of the process that it names at the start. Behind one, a statement that this session
    /// has prepared may be another session's where it is executed: nothing may be prepared before this is known.
    private func verify(within limit: Duration) async throws {
        do {
            let results = try await submit(.plain("SELECT pg_backend_pid()"), limit)
            let process = results.first?.rows.first?.string(0) ?? "none"
            guard process != String(backendPID) else { return }
            throw PostgresError(
                .connection,
                "the server's process is \(process) instead of \(backendPID): probably a connection pooler stands "
                    + "between; a direct connection to PostgreSQL is needed")
        } catch {
            close()
            throw error
        }
    }

    private init(_ wire: Wire, loop: EventLoop) {
        self.wire = wire
        self.loop = loop
        backendPID = wire.backendPID
        (notifications, notified) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(Self.notificationLimit))
    }

    deinit {
        notified.finish()
        guard let watch else { return }
        // The watch goes before the socket, which the wire closes with its last reference.
        loop.execute { [wire] in
            watch.cancel()
            _ = wire
        }
    }

    // MARK: Requests

    /// Executes one statement, in a transaction of its own.
    /// - Throws: `PostgresError`.
    public func query(_ statement: Statement, deadline: Duration) async throws -> PostgresResult {
        let encoded = try EncodedParameters(statement.parameters)
        let results = try await submit(.statements([statement], [encoded], isTransaction: false), deadline)
        guard let result = results.first else { throw PostgresError(.decoding, "the server gave no result") }
        return result
    }

    /// Executes BEGIN, the statements and COMMIT as one piece, with one wait. The results are those of the statements.
    /// - Throws: `PostgresError`; that of the first statement that failed, after which all is rolled back.
    public func transaction(_ statements: [Statement], deadline: Duration) async throws -> [PostgresResult] {
        let all = [Statement("BEGIN")] + statements + [Statement("COMMIT")]
        var encoded: [EncodedParameters] = []
        encoded.reserveCapacity(all.count)
        for (index, statement) in all.enumerated() {
            do { encoded.append(try EncodedParameters(statement.parameters)) } catch {
                var error = error
                error.statementIndex = index - 1
                throw error
            }
        }
        return try await submit(.statements(all, encoded, isTransaction: true), deadline)
    }

    /// Executes a text of several statements, without parameters: migrations. They are one transaction unless the text
    /// says otherwise. Waits until nothing else is in flight, and lets nothing else be sent before it has ended.
    /// - Throws: `PostgresError`.
    public func script(_ sql: String, deadline: Duration) async throws {
        guard !sql.utf8.contains(0) else {
            throw PostgresError(.invalidRequest, "the script contains a NUL character")
        }
        _ = try await submit(.script(sql), deadline)
    }

    /// Has notifications of this channel sent to `notifications`.
    /// - Throws: `PostgresError`.
    public func listen(_ channel: String) async throws {
        let quoted = channel.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"")
        _ = try await query(Statement("LISTEN \"\(quoted)\""), deadline: Self.housekeepingDeadline)
    }

    /// What the server reported about itself and the session: `server_version`, `TimeZone`, `in_hot_standby` …
    public func parameterStatus(_ name: String) -> String? { wire?.parameterStatus(name) }

    /// Requests that wait or are in flight.
    public var load: Int { pending.count + inFlight.count }

    public var isOpen: Bool { wire != nil }

    /// Why the connection has ended; nil while it lasts.
    public var endReason: PostgresError? { end }

    /// Ends the session at once. What is in flight fails with `.closed`, its outcome unknown.
    public func close() {
        lose(PostgresError(.closed, "the connection to the database was closed"))
    }

    /// Returns when the connection has ended, whoever ended it, or when the task is cancelled.
    public func closed() async {
        nextNumber += 1
        let number = nextNumber
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                guard wire != nil, !Task.isCancelled else { return continuation.resume() }
                closedWaiters[number] = continuation
            }
        } onCancel: {
            loop.execute { self.assumeIsolated { $0.closedWaiters.removeValue(forKey: number)?.resume() } }
        }
    }

    private func open() throws {
        guard let wire else { return }
        watch = try loop.watch(wire.socket, .read) { [weak self] readiness in
            self?.assumeIsolated { $0.handle(readiness) }
        }
    }

    private func submit(_ work: Request.Work, _ deadline: Duration) async throws -> [PostgresResult] {
        if let end { throw end.beforeSending }
        guard pending.count < Self.queueLimit else {
            throw PostgresError(.queueFull, "\(Self.queueLimit) requests wait for the database; try again later")
        }
        return try await withCheckedThrowingContinuation { continuation in
            nextNumber += 1
            let number = nextNumber
            let request = Request(number: number, work: work, continuation: continuation)
            request.timer = loop.after(deadline) { [weak self] in
                self?.assumeIsolated { $0.expire(number, deadline) }
            }
            pending.append(request)
            schedulePump()
        }
    }

    // MARK: Ending

    private func expire(_ number: UInt64, _ deadline: Duration) {
        if let request = pending.remove(where: { $0.number == number }) {
            request.abandon(
                PostgresError(.deadline, "the request could not be sent to the database within \(deadline)"))
            return
        }
        guard inFlight.contains(where: { $0.number == number }) else { return }
        if let cancellation = wire?.cancellation() {
            loop.start("database cancel request") {
                // Best effort: the server stops a statement that nobody waits for, or it does not.
                try? await Self.cancellers.run { cancellation.request() }
            }
        }
        lose(PostgresError(.deadline, "the database did not answer within \(deadline); the connection was closed"))
    }

    func lossReason() -> PostgresError {
        guard let wire else { return PostgresError(.connection, "the connection to the database was lost") }
        if let farewell = wire.farewell { return farewell }
        let reason = wire.errorMessage.prefix { $0 != ";" }
        return PostgresError(.connection, "the connection to the database was lost: \(reason)")
    }

    func lose(_ reason: PostgresError) {
        guard wire != nil else { return }
        end = reason
        watch?.cancel()
        watch = nil
        wire = nil
        for request in inFlight.removeAll() {
            if let timer = request.timer { loop.cancel(timer) }
            // A statement whose failure has arrived has failed, whatever became of the connection since.
            request.abandon(request.failure ?? reason.afterSending)
        }
        for request in pending.removeAll() {
            if let timer = request.timer { loop.cancel(timer) }
            request.abandon(reason.beforeSending)
        }
        notified.finish()
        let waiters = closedWaiters.values
        closedWaiters = [:]
        for waiter in waiters { waiter.resume() }
    }
}
