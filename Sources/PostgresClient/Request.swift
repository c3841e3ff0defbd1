import Runtime

/// One request from its arrival until its caller has been answered. Belongs to its connection's actor.
final class Request {
    enum Work {
        /// One statement, or BEGIN, statements, COMMIT.
        case statements([Statement], [EncodedParameters], isTransaction: Bool)
        case script(String)
        case prepare(PreparedStatement)
        /// One statement without a name of its own in the session, and without parameters. Its result is text.
        case plain(String)
        /// For the session's own order: ROLLBACK, DEALLOCATE. Nobody waits for it.
        case housekeeping(String)
    }

    /// How often a request is sent again because a statement it needs had been skipped.
    static let repeatLimit = 3

    let number: UInt64
    let work: Work
    private let continuation: CheckedContinuation<[PostgresResult], any Error>?
    var timer: TimerToken?

    /// The parsed statements, in the order in which their results come.
    var prepared: [PreparedStatement] = []
    /// The result that comes next.
    private(set) var position = 0
    private(set) var failure: PostgresError?
    private(set) var failedPosition: Int?
    private(set) var repeats = 0
    private var results: [PostgresResult] = []

    init(number: UInt64, work: Work, continuation: CheckedContinuation<[PostgresResult], any Error>? = nil) {
        self.number = number
        self.work = work
        self.continuation = continuation
    }

    var isTransaction: Bool {
        if case .statements(_, _, isTransaction: true) = work { true } else { false }
    }

    var isScript: Bool {
        if case .script = work { true } else { false }
    }

    var isRollback: Bool {
        if case .housekeeping("ROLLBACK") = work { true } else { false }
    }

    /// A result of the server for the next statement.
    func accept(_ cells: ResultCells) {
        defer { position += 1 }
        switch work {
        case .statements(let statements, _, let isTransaction):
            if isTransaction, position == 0 || position == statements.count - 1 { return }
            results.append(PostgresResult(cells))
        case .plain: results.append(PostgresResult(cells))
        case .script, .prepare, .housekeeping: break
        }
    }

    /// The first failure counts: what comes after it was skipped.
    func fail(_ error: PostgresError) {
        defer { position += 1 }
        guard failure == nil else { return }
        var error = error
        if case .statements(let statements, _, isTransaction: true) = work,
            (1..<statements.count - 1).contains(position)
        {
            error.statementIndex = position - 1
        }
        failure = error
        failedPosition = position
    }

    func skip() { position += 1 }

    func replaceFailure(_ error: PostgresError) {
        let index = failure?.statementIndex
        failure = error
        failure?.statementIndex = index
    }

    /// Whether BEGIN was executed and a statement failed after it, so that the session's transaction is broken.
    var leavesBrokenTransaction: Bool {
        guard case .statements(let statements, _, isTransaction: true) = work, let failedPosition else { return false }
        return failedPosition > 0 && failedPosition < statements.count - 1
    }

    /// Forgets what the server has answered; the request is to be sent once more.
    func prepareToRepeat(countingIt: Bool) {
        if countingIt { repeats += 1 }
        prepared = []
        position = 0
        failure = nil
        failedPosition = nil
        results = []
    }

    func answer() {
        if let failure { continuation?.resume(throwing: failure) } else { continuation?.resume(returning: results) }
    }

    func abandon(_ error: PostgresError) { continuation?.resume(throwing: error) }
}
