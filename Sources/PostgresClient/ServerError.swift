import CLibPQ

/// An error or notice of the server, translated.
///
/// Detail and context are left out: they carry the values of keys and parameters. So is what the message of a data
/// error (class 22) quotes, as in `invalid input syntax for type integer: "…"`.
struct ServerError {
    let error: PostgresError
    /// Whether the server closes the connection after this.
    let endsSession: Bool

    init(_ result: OpaquePointer) {
        func field(_ code: Int32) -> String? { PQresultErrorField(result, code).map { String(cString: $0) } }
        let severity = field(Int32(UInt8(ascii: "V"))) ?? field(Int32(UInt8(ascii: "S"))) ?? ""
        let state = field(Int32(UInt8(ascii: "C"))) ?? ""
        endsSession = severity == "FATAL" || severity == "PANIC"
        var message = field(Int32(UInt8(ascii: "M"))) ?? "the server gave no reason"
        if state.hasPrefix("22") { message = Self.withoutQuotes(message) }
        if let hint = field(Int32(UInt8(ascii: "H"))), !state.hasPrefix("22") { message += "; \(hint)" }
        if endsSession {
            var error = PostgresError(.connection, "the database has ended the session: \(message)")
            error.sqlState = state
            self.error = error
        } else if state.isEmpty {
            // Made by libpq itself: the connection broke while it waited.
            error = PostgresError(.connection, "the connection to the database was lost")
        } else {
            var error = PostgresError(.server(sqlState: state), message)
            error.constraint = field(Int32(UInt8(ascii: "n")))
            self.error = error
        }
    }

    private static func withoutQuotes(_ message: String) -> String {
        guard let start = message.firstIndex(of: "\"") else { return message }
        return message[..<start] + "\"…\""
    }
}
