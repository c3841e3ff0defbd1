/// What went wrong, in words for the person who asked.
public struct DomainError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Code: String, Sendable {
        /// The request cannot be right as it is; the message says what would be.
        case invalid
        /// Its subject does not exist. The message contains "not found".
        case notFound
        case forbidden
        /// No or wrong credentials.
        case unauthenticated
        /// This node is not, or no longer, the leader.
        case notLeader
        /// Something that Carillon needs does not answer; the same request may succeed later.
        case unavailable
        /// A limit of the cluster.
        case tooMany
        case conflict
    }
    public let code: Code
    public let message: String

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public static func invalid(_ message: String) -> DomainError { DomainError(.invalid, message) }
    public static func notFound(_ message: String) -> DomainError { DomainError(.notFound, message) }
    public static func notLeader(_ message: String) -> DomainError { DomainError(.notLeader, message) }
    public static func unavailable(_ message: String) -> DomainError { DomainError(.unavailable, message) }

    public var description: String { "\(code.rawValue): \(message)" }
}
