import Coordination
import CronicleAPI
import Crypto
import Domain
import HTTP
import HTTPTransport
import Operations
import Runtime
import Timetable

/// What a node that does not lead does with a request for the leader (architecture.md §3).
///
/// It answers 302 to the leader that it has lately seen holding the lock, never to itself, and 503 while there is none.
/// Common clients lose the body or the method on the way, so a write is stored first and the redirect carries a token
/// for it: the leader executes what was stored, once. With `.proxy` the request is forwarded instead.
struct FollowerPolicy: Sendable {
    enum Mode: Sendable { case redirect, proxy }

    let mode: Mode
    let ownURL: String
    let view: @Sendable () -> LeadershipView
    /// Reads the leader's row from the database.
    let lookUp: any LeaderReading
    let authenticator: Authenticator
    let accounts: Accounts
    let replays: any ReplayStoring
    let client: HTTPClient
    let tls: ClusterTLS?
    let clock: any WallClock
    let timekeeper: any Timekeeper
    let log: Log

    /// How old the last look at the lock may be for a redirect to rest on it.
    static let freshness = Duration.seconds(3)
    /// How long a stored request waits for its client to follow.
    static let replayLife = Duration.seconds(30)
    /// Added to forwarded requests: a second forwarding would be a circle.
    static let forwardedHeader = "X-Carillon-Forwarded-By"
    private static let forwardTimeout = Duration.seconds(30)
    /// How often who waits for the leader's answer looks whether it still leads.
    private static let leadershipPulse = Duration.milliseconds(250)
    /// In a stored request, instead of its key or session: the hash of it, as the tables of keys and sessions have it.
    private static let identityHeader = "X-Carillon-Stored-Key"

    /// - Parameter isOpen: whoever has no key is sent to the leader as well, which tells him so; nothing of him is
    ///   stored. Else he is told so here, and nothing of him is forwarded either.
    func answer(
        _ request: HTTPRequest, credentials: Credentials, isOpen: Bool = false
    ) async throws(DomainError) -> HTTPResponse {
        var sender: Identity?
        if ReplayToken.token(in: request.target) == nil {
            do { sender = try await identify(credentials) } catch {
                guard isOpen, error.code == .unauthenticated else { throw error }
            }
        }
        let leader = try await leaderURL()
        if mode == .proxy { return try await forward(request, to: leader) }
        var target = request.target
        let isRead = request.method == .get || request.method == .head
        if let sender, !isRead || credentials.isLostByRedirects {
            target = ReplayToken.target(target, with: try await store(request, credentials: credentials, of: sender))
        }
        return HTTPResponse(status: 302, headers: ["Location": leader + target, "Cache-Control": "no-store"])
    }

    /// - Throws: `.unavailable` while nobody is known to lead.
    private func leaderURL() async throws(DomainError) -> String {
        var view = view()
        if view.seen.map({ $0.duration(to: timekeeper.monotonicNow) < Self.freshness }) != true {
            // The election's session is away, or this node stands aside: the other connections may still know.
            let leader: LeaderRecord?
            do { leader = try await lookUp.leader() } catch { throw DomainError(store: error) }
            view = LeadershipView(role: .follower, leader: leader, isHeld: leader != nil)
        }
        guard let url = view.otherLeader(than: ownURL) else {
            throw .unavailable("there is no leader at the moment; an election takes seconds. Repeat the request")
        }
        return url
    }

    /// Whose request it is, as it may be stored: without what proves it.
    private enum Identity {
        case key(prefix: String, hash: [UInt8])
        case session(hash: [UInt8])
        /// Nobody's, where that is allowed.
        case anonymous

        var text: String? {
            switch self {
            case .key(let prefix, let hash): "key:\(Hex.encode(hash)):\(prefix)"
            case .session(let hash): "session:\(Hex.encode(hash)):"
            case .anonymous: nil
            }
        }
    }

    /// - Throws: `.unauthenticated`, or `.unavailable` when the store does not answer.
    private func identify(_ credentials: Credentials) async throws(DomainError) -> Identity {
        if let session = credentials.session {
            guard case .of(let user) = try await accounts.session(session), user.isActive else {
                throw DomainError(.unauthenticated, "the session has ended: log in again")
            }
            return .session(hash: Accounts.hash(of: session))
        }
        _ = try await authenticator.principal(key: credentials.key)
        guard let key = credentials.key, !key.isEmpty, let identity = try await authenticator.identity(of: key) else {
            return .anonymous
        }
        return .key(prefix: identity.prefix, hash: identity.hash)
    }

    private func store(
        _ request: HTTPRequest, credentials: Credentials, of sender: Identity
    ) async throws(DomainError) -> String {
        let token: String
        do { token = try ReplayToken.make() } catch { throw .unavailable("no token can be made: \(error)") }
        let now = clock.now()
        var kept = credentials.removed(from: request)
        kept.headers[Self.identityHeader] = sender.text
        do {
            try await replays.put(
                StoredRequest(
                    tokenHash: ReplayToken.hash(token), method: kept.method.rawValue, target: kept.target,
                    headers: kept.headers.map { ($0.name, $0.value) }, body: kept.body,
                    credentialsHash: Self.hash(credentials), created: now,
                    expires: now.advanced(by: Self.replayLife)))
        } catch { throw DomainError(store: error) }
        return token
    }

    private static func hash(_ credentials: Credentials) -> [UInt8] {
        Digest.sha256(Array((credentials.session ?? credentials.key ?? "").utf8))
    }

    /// The stored request of a token, taken out so that it can be executed once.
    ///
    /// Clients drop `Authorization` on a redirect to another port, so a request without credentials may have it by the
    /// token alone, which only the sender of the original got; other credentials than the original's may not.
    /// - Returns: the request as it was sent, without its key, and who sent it.
    func takeReplay(
        token: String, for request: HTTPRequest
    ) async throws(DomainError) -> (request: HTTPRequest, principal: Principal) {
        let credentials =
            CronicleAPI.owns(path: request.path) ? Credentials(cronicle: request) : Credentials(of: request)
        let stored: StoredRequest?
        do {
            stored = try await replays.take(
                tokenHash: ReplayToken.hash(token),
                credentialsHash: credentials.key == nil && credentials.session == nil ? nil : Self.hash(credentials),
                now: clock.now())
        } catch { throw DomainError(store: error) }
        guard let stored else {
            throw .invalid("this redirect was used before or has expired: send the original request again")
        }
        var restored = HTTPRequest(
            method: HTTPMethod(stored.method), target: stored.target, headers: HTTPHeaders(stored.headers),
            body: stored.body, remoteAddress: request.remoteAddress)
        // How this answer is framed and packed is a matter of this connection.
        restored.isHTTP10 = request.isHTTP10
        restored.headers["Accept-Encoding"] = request.headers["Accept-Encoding"]
        let identity = restored.headers[Self.identityHeader]
        restored.headers.remove(Self.identityHeader)
        return (restored, try await principal(identity))
    }

    private func principal(_ identity: String?) async throws(DomainError) -> Principal {
        guard let identity else { return try await authenticator.principal(key: nil) }
        let parts = identity.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 3, let hash = Hex.decode(parts[1]) else {
            throw DomainError(.unauthenticated, "the stored request names no key: send the original request again")
        }
        guard parts[0] == "session" else { return try await authenticator.principal(prefix: parts[2], hash: hash) }
        guard let user = try await accounts.user(sessionHash: hash), user.isActive else {
            throw DomainError(.unauthenticated, "the session of the stored request has ended: log in again")
        }
        return user.principal
    }

    private func forward(_ request: HTTPRequest, to leader: String) async throws(DomainError) -> HTTPResponse {
        guard request.headers[Self.forwardedHeader] == nil else {
            throw .unavailable("the leadership is changing; repeat the request")
        }
        var headers = HTTPHeaders()
        for (name, value) in request.headers where !Self.hopByHop.contains(name.lowercased()) {
            headers.add(name, value)
        }
        headers[Self.forwardedHeader] = ownURL
        var forwarded = HTTPClientRequest(
            method: request.method, url: leader + request.target, headers: headers, body: request.body,
            timeout: Self.forwardTimeout, connectTimeout: .seconds(2))
        forwarded.tls = tls?.client
        let answer: HTTPClientResponse
        do { answer = try await execute(forwarded, whileLeading: leader) } catch {
            log.warning("could not forward \(request.method.rawValue) \(request.path) to \(leader): \(error)")
            throw .unavailable("the leader did not answer; whether the request took effect is unknown")
        }
        var response = HTTPResponse(status: answer.status, body: answer.body.isEmpty ? .none : .bytes(answer.body))
        for (name, value) in answer.headers where !Self.hopByHop.contains(name.lowercased()) {
            response.headers.add(name, value)
        }
        return response
    }

    /// The leader's answer, waited for only as long as it leads: a frozen one answers when nobody waits any more.
    private func execute(
        _ request: HTTPClientRequest, whileLeading leader: String
    ) async throws -> HTTPClientResponse {
        try await withThrowingTaskGroup(of: HTTPClientResponse?.self) { group in
            group.addTask { try await client.execute(request) }
            group.addTask {
                // The election may be out of sight of this node for a while: then the answer's deadline counts alone.
                while true {
                    try await timekeeper.sleep(for: Self.leadershipPulse)
                    let view = view()
                    if view.role == .leader { return nil }
                    if let other = view.otherLeader(than: ownURL), other != leader { return nil }
                }
            }
            defer { group.cancelAll() }
            guard let answer = try await group.next() ?? nil else { throw LeadershipMoved() }
            return answer
        }
    }

    private struct LeadershipMoved: Error, CustomStringConvertible {
        let description = "another node leads now"
    }

    private static let hopByHop: Set<String> = [
        "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "transfer-encoding",
        "upgrade", "host", "content-length", "expect", "accept-encoding", "content-encoding",
    ]
}

/// A write that waits for its client at the leader.
struct StoredRequest: Sendable {
    var tokenHash: [UInt8]
    var method: String
    var target: String
    var headers: [(String, String)]
    var body: [UInt8]
    var credentialsHash: [UInt8]
    var created: Instant
    var expires: Instant
}

protocol ReplayStoring: Sendable {
    func put(_ request: StoredRequest) async throws(StoreError)
    /// Takes it out, in one statement; nil where it is unknown, used, expired, or of other credentials.
    /// - Parameter credentialsHash: nil: by the token alone.
    func take(tokenHash: [UInt8], credentialsHash: [UInt8]?, now: Instant) async throws(StoreError) -> StoredRequest?
}

extension DomainError {
    /// What a failure of the store means to whoever sent a request.
    init(store error: StoreError) {
        switch error.code {
        case .stale: self.init(.notLeader, "this node has just lost its office; repeat the request")
        case .conflict: self.init(.tooMany, error.message)
        case .data: self.init(.invalid, error.message)
        case .connection: self.init(.unavailable, "the database does not answer; repeat the request in a few seconds")
        }
    }
}
