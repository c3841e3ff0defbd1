import Domain
public import HTTP
import JSON
import Operations

/// Credentials as the dialect takes them: a session wins over a key, a header over the body, the body over the query
/// (cronicle.md §1.7). A bad session is not made good by a key.
public enum CronicleCredentials: Sendable, Equatable {
    case session(String)
    case key(String)
    case nothing

    public init(of request: HTTPRequest) {
        // A body that cannot be read has no credentials; the call itself refuses it.
        guard let parameters = try? CronicleParameters(request) else {
            self = .nothing
            return
        }
        self.init(request, parameters, namespace: "app")
    }

    init(_ request: HTTPRequest, _ parameters: CronicleParameters, namespace: String) {
        let isApp = namespace == "app"
        let sessions = [
            Self.cookie("session_id", in: request), request.headers["X-Session-ID"],
            parameters.body["session_id"]?.stringValue, isApp ? parameters.query["session_id"]?.stringValue : nil,
        ]
        if let session = sessions.compactMap({ $0 }).first(where: { !$0.isEmpty }) {
            self = .session(session)
            return
        }
        guard isApp else {
            self = .nothing
            return
        }
        let keys = [
            request.headers["X-API-Key"], parameters.body["api_key"]?.stringValue,
            parameters.query["api_key"]?.stringValue, Self.authorization(request),
        ]
        self = keys.compactMap { $0 }.first { !$0.isEmpty }.map { .key($0) } ?? .nothing
    }

    /// Cronicle knows no such field; Carillon takes its keys there as well.
    private static func authorization(_ request: HTTPRequest) -> String? {
        guard let header = request.headers["Authorization"] else { return nil }
        if let basic = BasicCredentials(header: header) { return basic.password }
        return header.lowercased().hasPrefix("bearer ") ? String(header.dropFirst(7)) : nil
    }

    private static func cookie(_ name: String, in request: HTTPRequest) -> String? {
        for field in request.headers.all("Cookie") {
            for pair in field.split(separator: ";") {
                let trimmed = pair.drop { $0 == " " }
                if trimmed.hasPrefix("\(name)=") { return String(trimmed.dropFirst(name.count + 1)) }
            }
        }
        return nil
    }
}

extension CallContext {
    /// Who asks.
    /// - Throws: `CronicleFailure` with the words of cronicle.md §1.7.
    func authenticate() async throws -> Principal {
        if let known { return known }
        switch CronicleCredentials(request, parameters, namespace: namespace) {
        case .session(let id): return try await user(ofSession: id).principal
        case .key(let key):
            guard let stored = try await dependencies.authenticator.find(key) else {
                throw CronicleFailure("api", "Invalid API Key: \(key)")
            }
            guard stored.isActive else { throw CronicleFailure("api", "API Key is disabled: \(key)") }
            return stored.principal
        case .nothing:
            do { return try await dependencies.authenticator.principal(key: nil) } catch {
                guard error.code == .unauthenticated else { throw error }
                throw CronicleFailure("session", "No Session ID or API Key could be found")
            }
        }
    }

    private func user(ofSession id: String) async throws -> User {
        switch try await dependencies.accounts.session(id) {
        case .unknown:
            throw CronicleFailure("session", "Failed to fetch key: sessions/\(id): File not found")
        case .orphaned(let name):
            throw CronicleFailure("session", "Failed to fetch key: users/\(name): File not found")
        case .of(let user):
            guard user.isActive else {
                throw CronicleFailure("user", "User account is disabled: \(user.username)")
            }
            return user
        }
    }

    func requireAdministrator() async throws -> Principal {
        let principal = try await authenticate()
        guard principal.has(.admin) else {
            // Cronicle has no name for a key here; its clients know the answer so.
            let name = principal.identity == .user ? principal.name : "undefined"
            throw CronicleFailure("user", "User is not an administrator: \(name)")
        }
        return principal
    }

    func require(_ privilege: Privilege) async throws -> Principal {
        let principal = try await authenticate()
        try principal.requireAsCronicle(privilege)
        return principal
    }
}

extension Principal {
    func requireAsCronicle(_ privilege: Privilege) throws(CronicleFailure) {
        guard has(privilege) else { throw lacks(privilege.rawValue) }
    }

    func lacks(_ privilege: String) -> CronicleFailure {
        if identity == .user {
            return CronicleFailure(
                "user",
                "User '\(name)' does not have the required account privileges to perform this action (\(privilege)).")
        }
        return CronicleFailure(
            "api",
            "API Key ('\(name)') does not have the required privileges to perform this action (\(privilege)).")
    }

    /// Who did it, for activity and what is created: a user by name, a key by its identifier, never by the key.
    var signature: [(String, String)] {
        switch identity {
        case .user: [("username", name)]
        case .key(let id): [("api_key", id)]
        case .anonymous: [("username", name)]
        }
    }

    /// For people, in a job's `source`.
    var source: String { identity == .user ? "Manual (\(name))" : "API Key (\(name))" }
}
