import Coordination
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
    let replays: any ReplayStoring
    let client: HTTPClient
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
    /// In a stored request, instead of its key: the key's public prefix and its hash, as the table of keys has them.
    private static let identityHeader = "X-Carillon-Stored-Key"

    func answer(_ request: HTTPRequest, credentials: Credentials) async throws(DomainError) -> HTTPResponse {
        // Who has no key is told so here; nothing of him is stored or forwarded.
        if ReplayToken.token(in: request.target) == nil { _ = try await authenticator.principal(key: credentials.key) }
        let leader = try await leaderURL()
        if mode == .proxy { return try await forward(request, to: leader) }
        var target = request.target
        let isRead = request.method == .get || request.method == .head
        if ReplayToken.token(in: target) == nil, !isRead || credentials.isLostByRedirects {
            target = ReplayToken.target(target, with: try await store(request, credentials: credentials))
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

    private func store(_ request: HTTPRequest, credentials: Credentials) async throws(DomainError) -> String {
        let token: String
        do { token = try ReplayToken.make() } catch { throw .unavailable("no token can be made: \(error)") }
        let now = clock.now()
        var kept = credentials.removed(from: request)
        kept.headers[Self.identityHeader] = credentials.key.map { key in
            "\(key.prefix(APIKey.prefixLength)):\(Hex.encode(Self.hash(credentials)))"
        }
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
        Digest.sha256(Array((credentials.key ?? "").utf8))
    }

    /// The stored request of a token, taken out so that it can be executed once.
    ///
    /// Clients drop `Authorization` on a redirect to another port, so a request without credentials may have it by the
    /// token alone, which only the sender of the original got; other credentials than the original's may not.
    /// - Returns: the request as it was sent, without its key, and who sent it.
    func takeReplay(
        token: String, for request: HTTPRequest
    ) async throws(DomainError) -> (request: HTTPRequest, principal: Principal) {
        let credentials = Credentials(of: request)
        let stored: StoredRequest?
        do {
            stored = try await replays.take(
                tokenHash: ReplayToken.hash(token),
                credentialsHash: credentials.key == nil ? nil : Self.hash(credentials), now: clock.now())
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
        let parts = identity.split(separator: ":", maxSplits: 1).map(String.init)
        guard parts.count == 2, let hash = Hex.decode(parts[1]) else {
            throw DomainError(.unauthenticated, "the stored request names no key: send the original request again")
        }
        return try await authenticator.principal(prefix: parts[0], hash: hash)
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
        let answer: HTTPClientResponse
        do {
            answer = try await client.execute(
                HTTPClientRequest(
                    method: request.method, url: leader + request.target, headers: headers, body: request.body,
                    timeout: Self.forwardTimeout, connectTimeout: .seconds(2)))
        } catch {
            log.warning("could not forward \(request.method.rawValue) \(request.path) to \(leader): \(error)")
            throw .unavailable("the leader did not answer; whether the request took effect is unknown")
        }
        var response = HTTPResponse(status: answer.status, body: answer.body.isEmpty ? .none : .bytes(answer.body))
        for (name, value) in answer.headers where !Self.hopByHop.contains(name.lowercased()) {
            response.headers.add(name, value)
        }
        return response
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
