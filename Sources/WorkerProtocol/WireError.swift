public import Domain
import JSON

/// The body of every answer that is not the wanted one: `{"message", "status", "leader"?}`.
public struct WireError: Error, Hashable, Sendable {
    /// A node that is asked for what only the leader does.
    public static let notLeaderStatus = 421

    public let status: Int
    public let message: String
    /// Where the leader is reached, with 421 and where it is known.
    public let leader: String?

    public init(status: Int, message: String, leader: String? = nil) {
        self.status = status
        self.message = message
        self.leader = leader
    }

    public init(_ error: DomainError, leader: String? = nil) {
        let status =
            switch error.code {
            case .invalid: 400
            case .unauthenticated: 401
            case .forbidden: 403
            case .notFound: 404
            case .conflict: 409
            case .notLeader: Self.notLeaderStatus
            case .tooMany: 429
            case .unavailable: 503
            }
        self.init(status: status, message: error.message, leader: error.code == .notLeader ? leader : nil)
    }

    public var body: [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        writer.key("message")
        writer.string(message)
        writer.key("status")
        writer.integer(status)
        if let leader {
            writer.key("leader")
            writer.string(leader)
        }
        writer.endObject()
        return writer.bytes
    }

    /// Reads an answer's body. One that is no such body (of a proxy, say) becomes a message that gives its status.
    public init(status: Int, body: [UInt8]) {
        let value = try? JSONValue(parsing: body, limits: JSONLimits(bytes: Limits.text * 4))  // why not, is of no use
        let leader = value?["leader"]?.stringValue
        self.init(
            status: status, message: value?["message"]?.stringValue ?? "answered with status \(status)",
            leader: (leader?.utf8.count ?? 0) > WireLimits.url ? nil : leader)
    }

    /// What it means to who asked.
    public var transportError: TransportError {
        switch status {
        case Self.notLeaderStatus: TransportError(.notLeader, message, leaderURL: leader)
        case 400, 401, 403, 404, 405, 413: TransportError(.refused, message)
        default: TransportError(.failed, message)
        }
    }
}
