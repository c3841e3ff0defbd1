import ChronosAPI
import CronicleAPI
import Domain
import HTTP
import JSON
import Operations
import Runtime

/// What every request passes: route, replay of a stored write, follower policy, key, handler.
struct RequestPipeline: Sendable {
    let router: HTTPRouter
    let authenticator: Authenticator
    let follower: FollowerPolicy
    let cronicle: CronicleAPI
    /// Whether this node leads now.
    let leads: @Sendable () -> Bool
    let log: Log

    /// Bytes of a client's request. Workers may send more, which their signature vouches for.
    static let bodyLimit = 1 << 20

    func answer(_ request: HTTPRequest) async -> HTTPResponse {
        let limit = request.path == ConfigurationRoutes.path ? ConfigurationRoutes.bodyLimit : Self.bodyLimit
        if request.body.count > limit, !request.path.hasPrefix("/internal/") {
            return ErrorBody.response(status: 413, message: "a request's body may have at most \(limit) bytes")
        }
        if request.method == .options, !ChronosAPI.owns(path: request.path) { return CronicleAPI.preflight(request) }
        do {
            guard ReplayToken.token(in: request.target) == nil || leads() else {
                // The leadership moved while the client followed. What the token stands for decides which route it is,
                // not the method that the client made of it, and only a leader can tell.
                if CronicleAPI.owns(path: request.path) { return await redirected(request) }
                return try await follower.answer(request, credentials: Credentials(of: request))
            }
            guard let token = ReplayToken.token(in: request.target) else { return try await routed(request) }
            // The write that a follower stored for this request.
            let (original, principal) = try await follower.takeReplay(token: token, for: request)
            return try await routed(original, for: principal)
        } catch {
            if CronicleAPI.owns(path: request.path) { return CronicleAPI.response(to: error, request) }
            return Self.errorResponse(error, path: request.path)
        }
    }

    /// A call of the Cronicle dialect for the leader, at a node that does not lead. It is answered before anything else
    /// is looked at: 302 with the dialect's body, or 200 with the same while nobody leads.
    private func redirected(_ request: HTTPRequest) async -> HTTPResponse {
        var response = CronicleAPI.notLeader(request)
        do {
            let answer = try await follower.answer(request, credentials: Credentials(cronicle: request), isOpen: true)
            guard answer.status == 302 else { return answer }
            response.status = 302
            response.headers["Location"] = answer.headers["Location"]
            response.headers["Cache-Control"] = "no-store"
        } catch {
            log.debug("no leader to send a client to: \(error.message)")
        }
        return response
    }

    private static let trees = ["/internal/", "/carillon/"]

    /// - Parameter known: who sent it; nil: its key says so.
    private func routed(
        _ request: HTTPRequest, for known: Principal? = nil
    ) async throws(DomainError) -> HTTPResponse {
        guard let trace = TraceContext(request.headers["traceparent"]) else {
            return try await answered(request, for: known)
        }
        // A closure that throws a type of its own is more than `withValue` passes on.
        let result = await RequestContext.$trace.withValue(trace) { () async -> Result<HTTPResponse, DomainError> in
            do throws(DomainError) { return .success(try await answered(request, for: known)) } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    private func answered(
        _ request: HTTPRequest, for known: Principal?
    ) async throws(DomainError) -> HTTPResponse {
        if let route = cronicle.route(request) {
            if known == nil, route.isForLeader, !leads() { return await redirected(request) }
            return await cronicle.answer(request, on: route, for: known)
        }
        switch router.match(request) {
        case .found(let route, let request):
            guard route.metadata.needsKey else { return await route.handler(request) }
            let credentials = Credentials(of: request)
            if known == nil, route.metadata.audience == .leader, !leads() {
                return try await follower.answer(request, credentials: credentials)
            }
            let principal: Principal
            if let known {
                principal = known
            } else {
                principal = try await authenticator.principal(key: credentials.key)
            }
            guard route.metadata.isForLimited || principal.seesAll else { throw Self.limited(principal) }
            return await RequestContext.$principal.withValue(principal) { await route.handler(request) }
        case let unmatched:
            // A page that is not there, as clients of Cronicle know it. What stands below the other trees is nothing
            // that whoever has no key learns about.
            let isClosed = Self.trees.contains { request.path.hasPrefix($0) } || ChronosAPI.owns(path: request.path)
            guard isClosed else { return CronicleAPI.pageNotFound(request) }
            if known == nil { _ = try await authenticator.principal(key: Credentials(of: request).key) }
            if ChronosAPI.owns(path: request.path) { return ChronosAPI.unmatched(unmatched, request) }
            return Self.unmatched(unmatched, request)
        }
    }

    /// What a request tells of jobs that its key may not see is not looked at one by one where nothing says so.
    private static func limited(_ principal: Principal) -> DomainError {
        DomainError(
            .forbidden,
            "'\(principal.name)' is limited to some categories or groups of workers, and this request is not: ask by"
                + " Cronicle's API, or for a single job or run below /carillon/v1")
    }

    static func errorResponse(_ error: DomainError, path: String) -> HTTPResponse {
        if ChronosAPI.owns(path: path) { return ChronosAPI.response(to: error) }
        var response = ErrorBody.response(to: error)
        if error.code == .unauthenticated { response.headers["WWW-Authenticate"] = "Basic realm=\"Carillon\"" }
        if error.code == .notLeader || error.code == .unavailable { response.headers["Retry-After"] = "1" }
        return response
    }

    private static func unmatched(_ match: RouteMatch, _ request: HTTPRequest) -> HTTPResponse {
        guard case .methodNotAllowed(let allow) = match else {
            return ErrorBody.response(status: 404, message: "nothing is at this path")
        }
        let methods = allow.map(\.rawValue).joined(separator: ", ")
        var response = ErrorBody.response(
            status: 405, message: "\(request.method.rawValue) is not possible here; these are: \(methods)")
        response.headers["Allow"] = methods
        return response
    }
}

/// Errors outside the dialects: `{"message", "status"}`.
enum ErrorBody {
    static func response(to error: DomainError) -> HTTPResponse {
        let status =
            switch error.code {
            case .invalid: 400
            case .unauthenticated: 401
            case .forbidden: 403
            case .notFound: 404
            case .conflict: 409
            case .tooMany: 429
            case .notLeader, .unavailable: 503
            }
        return response(status: status, message: error.message)
    }

    static func response(status: Int, message: String) -> HTTPResponse {
        .json(
            ["message": .string(message), "status": .string(HTTPResponseEncoder.reason(for: status))], status: status)
    }
}
