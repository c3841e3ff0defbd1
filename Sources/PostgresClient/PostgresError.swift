/// Why a request to the database failed. Never carries the value of a parameter: what the server quotes from data is
/// taken out.
public struct PostgresError: Error, Sendable, CustomStringConvertible {
    public enum Code: Sendable, Hashable {
        /// No connection could be made, or it was lost. `mayHaveHappened` tells whether the request had been sent.
        case connection
        /// The server refused a statement; it has had no effect.
        case server(sqlState: String)
        /// The deadline passed. If the request had been sent, its connection is closed.
        case deadline
        /// A value in a result is not what was asked for.
        case decoding
        /// The request was made after `close()`.
        case closed
        /// Too many requests wait for this connection.
        case queueFull
        /// The request cannot be sent as it is.
        case invalidRequest
    }

    public let code: Code
    /// For people: what happened, and what to do about it where that is known.
    public let message: String
    /// The five characters of the server's error, also for a connection that the server refused or ended.
    public internal(set) var sqlState: String?
    /// The constraint that was violated, if that was it.
    public internal(set) var constraint: String?
    /// In a transaction: which of its statements failed, from 0; nil for BEGIN and COMMIT.
    public internal(set) var statementIndex: Int?
    /// Whether the request may have been executed although it failed: it was sent, and the answer was not seen.
    public internal(set) var mayHaveHappened = false

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
        if case .server(let state) = code { sqlState = state }
    }

    public var description: String {
        var text = message
        if let sqlState { text += " (SQLSTATE \(sqlState))" }
        if let statementIndex { text += ", statement \(statementIndex) of the transaction" }
        return text
    }
}

extension PostgresError {
    /// A lost connection for a request that is known not to have been executed.
    var beforeSending: PostgresError {
        var error = self
        error.mayHaveHappened = false
        return error
    }

    var afterSending: PostgresError {
        var error = self
        error.mayHaveHappened = true
        return error
    }
}
