// Between rows and values: one place where errors of the client become errors of the store, and where columns are read.

import Domain
import PostgresClient

/// A pool, with errors translated once.
struct Access: Sendable {
    private let pool: PostgresPool

    init(_ pool: PostgresPool) {
        self.pool = pool
    }

    func query(_ statement: Statement, deadline: Duration) async throws(StoreError) -> PostgresResult {
        try await repeating { try await pool.query(statement, deadline: deadline) }
    }

    func transaction(_ statements: [Statement], deadline: Duration) async throws(StoreError) -> [PostgresResult] {
        try await repeating { try await pool.transaction(statements, deadline: deadline) }
    }

    /// What the server chose as the victim of a deadlock has left no trace, and is sent again. Claims and commits lock
    /// runs in the order of their identifiers, so that this is rare; the planner may still visit rows in another one.
    private func repeating<Answer>(_ request: () async throws -> Answer) async throws(StoreError) -> Answer {
        var repetitions = 0
        while true {
            do {
                return try await request()
            } catch let error as PostgresError where error.isVictim && repetitions < StorageLimits.repetitions {
                repetitions += 1
            } catch {
                throw StoreError(error)
            }
        }
    }
}

extension PostgresError {
    /// 40P01: deadlock; 40001: serialization failure, where an operator has made that the default.
    fileprivate var isVictim: Bool { ["40P01", "40001"].contains(sqlState) }
}

extension StoreError {
    /// What an error of the client means to a caller that asks itself whether its write took effect.
    init(_ error: any Error) {
        if let known = error as? StoreError {
            self = known
            return
        }
        guard let failure = error as? PostgresError else {
            self.init(.connection, "\(error)")
            return
        }
        // A value that cannot be sent, or one that cannot be read: in either case nothing was written.
        if failure.code == .decoding || failure.code == .invalidRequest {
            self.init(.data, failure.message)
            return
        }
        guard let state = failure.sqlState else {
            self.init(.connection, failure.message)
            return
        }
        switch state {
        case "CA001": self.init(.stale, failure.message)
        case "CA002", "23505": self.init(.conflict, failure.message)
        // Raised by the schema's own checks: asking again is useless.
        case "CA003": self.init(.data, failure.message)
        case "42P01", "3F000", "42883", "42703":
            self.init(.connection, failure.message + " (has 'carillon migrate' been run on this database?)")
        default:
            // 22: a value; 23: a constraint; 54: a limit of the server, such as the size of an index entry.
            let isOfData = ["22", "23", "54"].contains(String(state.prefix(2)))
            self.init(isOfData ? .data : .connection, failure.message)
        }
    }
}
