import COpenSSL

/// What OpenSSL has refused, in words for people.
public struct TLSError: Error, Sendable, Equatable, CustomStringConvertible {
    public enum Code: Sendable, Hashable {
        /// A certificate, key or list of authorities is not usable.
        case material
        /// The peer spoke HTTP without TLS.
        case plainHTTP
        /// Anything else that ended a handshake or a connection.
        case peer
    }

    public let code: Code
    public let message: String
    public var description: String { message }

    init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// What stands in the queue of errors of this thread, oldest first; empties it.
    static func queued(or fallback: String) -> String {
        var texts: [String] = []
        while case let number = ERR_get_error(), number != 0 {
            let text = ERR_reason_error_string(number).map { String(cString: $0) } ?? "error \(number)"
            if texts.last != text, texts.count < 4 { texts.append(text) }
        }
        return texts.isEmpty ? fallback : texts.joined(separator: ": ")
    }
}
