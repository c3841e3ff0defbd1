// The election, as leadership.md §1 recommends it: a session advisory lock on a session of its own, whose idle timeout
// the server enforces; polled, never waited for; the term is counted in a row that every leader transaction locks.
//
// What the server is asked fits into one statement each, so that an attempt and a heartbeat are one round trip and what
// they report belongs together. The session is closed on any doubt, and never unlocked and kept.

public import Domain
public import PostgresClient
public import Runtime

public actor PostgresLeaderLock: LeaderLock {
    private nonisolated let loop: EventLoop
    public nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    private let configuration: PostgresConfiguration
    private let constants: ElectionConstants
    private let node: NodeDescription
    private let log: Log
    private var connection: PostgresConnection?

    /// - Parameters:
    ///   - database: where it is; the session's settings are added here.
    ///   - node: what a successful election writes into the leader's row.
    public init(
        database: PostgresConfiguration, node: NodeDescription, constants: ElectionConstants = ElectionConstants(),
        loop: EventLoop, log: Log = Log("lock")
    ) {
        self.loop = loop
        self.node = node
        self.constants = constants
        self.log = log
        configuration = constants.lockConfiguration(database, node: node.name, boot: node.boot)
    }

    // MARK: LeaderLock

    public func open() async throws(StoreError) {
        if let defect = constants.defect { throw StoreError(.data, "the times of the election are unsafe: \(defect)") }
        await close()
        let opened: PostgresConnection
        do {
            opened = try await PostgresConnection.connect(configuration, loop: loop)
        } catch {
            throw StoreError(error)
        }
        do throws(StoreError) {
            try await verify(opened)
        } catch {
            await opened.close()
            throw error
        }
        // Another call may have opened one meanwhile; one session a node.
        await close()
        connection = opened
    }

    public func attempt() async throws(StoreError) -> LockAttempt { try await see(Statement(LockSQL.attempt)) }

    public func look() async throws(StoreError) -> LockAttempt { try await see(Statement(LockSQL.look)) }

    private func see(_ statement: Statement) async throws(StoreError) -> LockAttempt {
        let session = try opened()
        let attempt = try await ask(session, statement).first { row in
            let won = try row.bool()
            let isOwn = try row.bool()
            let isHeld = try row.bool()
            let pid = try row.integer()
            let clock = try row.instant()
            let leader = try LeaderRow.read(&row)
            guard pid == Int64(session.backendPID), won == isOwn else {
                throw SessionFacts.pooled("the lock was given to server process \(pid), not to \(session.backendPID)")
            }
            return LockAttempt(won: won, isHeld: isHeld, leader: leader, clock: clock)
        }
        guard let attempt else {
            throw StoreError(.data, "the table of the leadership is empty: run 'carillon migrate'")
        }
        return attempt
    }

    public func takeOffice() async throws(StoreError) -> Term {
        var evictions = 0
        while true {
            do throws(Blocked) {
                return try await raiseEpoch()
            } catch {
                switch error {
                case .byTransaction where evictions < StorageLimits.evictions:
                    evictions += 1
                    try await evictFormerLeader()
                case .byTransaction:
                    throw StoreError(.connection, "an open transaction keeps the leader's row; taking office given up")
                case .otherwise(let error):
                    throw error
                }
            }
        }
    }

    public func heartbeat() async throws(StoreError) -> LockHeartbeat {
        let session = try opened()
        let heartbeat = try await ask(session, Statement(LockSQL.heartbeat)).first { row in
            let term = Term(timeline: try row.integer(), epoch: try row.integer())
            return LockHeartbeat(
                term: term, holdsLock: try row.bool(), isReadOnly: try row.bool(), clock: try row.instant())
        }
        guard let heartbeat else { throw StoreError(.data, "the table of the leadership is empty") }
        return heartbeat
    }

    public func resign(_ term: Term) async throws(StoreError) {
        let session = try opened()
        _ = try await ask(
            session, Statement(LockSQL.resign, .int(term.timeline), .int(term.epoch), .text(node.boot)))
    }

    public func closed() async {
        await connection?.closed()
    }

    public func close() async {
        guard let former = connection else { return }
        connection = nil
        await former.close()
    }

    // MARK: Taking office

    private enum Blocked: Error {
        case byTransaction
        case otherwise(StoreError)
    }

    private func raiseEpoch() async throws(Blocked) -> Term {
        do {
            let result = try await opened().query(
                Statement(
                    LockSQL.takeOffice, .text(node.name), .text(node.url), .text(node.boot),
                    .text(ElectionConstants.sessionName(node: node.name, boot: node.boot))),
                deadline: constants.answer)
            let term = try result.first { Term(timeline: try $0.integer(), epoch: try $0.integer()) }
            guard let term else { throw SessionFacts.pooled("the lock is not held by the session that won it") }
            return term
        } catch {
            // 55P03: lock_timeout. 57014: statement_timeout, which may come first when both are equal.
            if let state = (error as? PostgresError)?.sqlState, ["55P03", "57014"].contains(state) {
                throw .byTransaction
            }
            throw .otherwise(StoreError(error))
        }
    }

    /// A leader that was stopped in the middle of a transaction still shares the lock on the row.
    private func evictFormerLeader() async throws(StoreError) {
        let session = try opened()
        let ended = try await ask(session, Statement(LockSQL.evict)).first { try $0.integer() } ?? 0
        log.notice("an open transaction keeps the leader's row: ended \(ended) sessions of the former leader")
    }

    // MARK: Verification

    private func verify(_ session: PostgresConnection) async throws(StoreError) {
        let settings = constants.verifiedSettings.sorted { $0.name < $1.name }
        let facts = try await ask(session, Statement(LockSQL.facts, .textArray(settings.map(\.name)))).first { row in
            SessionFacts(
                firstPID: try row.integer(), secondPID: 0, connectedPID: Int64(session.backendPID),
                version: try row.integer(), isInRecovery: try row.bool(), settings: try row.text())
        }
        // A second statement: behind a pooler it may reach another server process.
        let second = try await ask(session, Statement("SELECT pg_backend_pid()::int8")).first { try $0.integer() }
        guard var facts, let second else { throw StoreError(.connection, "the server did not answer as asked") }
        facts.secondPID = second
        try facts.verify(expecting: settings.map { "\($0.name)=\($0.milliseconds)" }.joined(separator: ","))
    }

    // MARK: Session

    private func opened() throws(StoreError) -> PostgresConnection {
        guard let connection else { throw StoreError(.connection, "the lock session is not open") }
        return connection
    }

    private func ask(_ session: PostgresConnection, _ statement: Statement) async throws(StoreError) -> PostgresResult {
        do {
            return try await session.query(statement, deadline: constants.answer)
        } catch {
            // A statement that was prepared on another server process than the one that answers now.
            if let state = (error as? PostgresError)?.sqlState, ["08P01", "26000", "42P05"].contains(state) {
                throw SessionFacts.pooled("the server does not know what this session has prepared (\(state))")
            }
            throw StoreError(error)
        }
    }
}
