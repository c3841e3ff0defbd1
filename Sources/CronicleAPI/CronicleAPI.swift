// CronicleAPI: the API of Cronicle 0.9, so that its clients work unchanged.
//
// What it is for: route `/api/app/NAME` and `/api/user/NAME`, read parameters where each call reads them, answer in the
// dialect's shape (HTTP 200 with a `code`, JSONP, CORS), and translate events, jobs, categories, plugins, groups, keys
// and users into calls of Operations and back. One file a family of calls; each call is an entry in a table that says
// whether the leader alone answers it and where its parameters come from.
//
// Invariants
// - A call is answered in Cronicle's order, since clients see it: leader, parameters, who asks, privileges, the object,
//   the limits of categories and groups, the deed. Parameters are judged before anybody is asked who he is.
// - What a client sent is kept and returned as it was sent (1 or true, absent or empty), as long as it still means what
//   the job is; what another dialect has changed since is shown as it is now.
// - Keys, passwords and session identifiers are never in an answer, an event, an activity entry or a log.
//
// It refuses to know: sockets, SQL, the other dialect, who leads (the node says so).
//
// Caller: the node's pipeline, for each request for which `CronicleAPI.route` finds something.

public import Domain
public import HTTP
import JSON
import Operations

public struct CronicleAPI: Sendable {
    let dependencies: CronicleDependencies
    private let calls: CallTable

    public init(_ dependencies: CronicleDependencies) {
        self.dependencies = dependencies
        calls = CallTable(dependencies)
    }

    /// Whether requests on that path (as sent) are this dialect's.
    public static func owns(path: String) -> Bool { CroniclePath(path) != nil }

    /// What a request asks for.
    public struct Route: Sendable {
        let path: CroniclePath
        let call: Call?

        /// Whether only the leader may answer.
        public var isForLeader: Bool { call?.audience == .leader }
    }

    /// Nil for a request that is not this dialect's.
    public func route(_ request: HTTPRequest) -> Route? {
        guard let path = CroniclePath(request.path) else { return nil }
        guard case .call(let namespace, let name) = path else { return Route(path: path, call: nil) }
        return Route(path: path, call: calls[namespace, name])
    }

    /// What a client is told that has to go elsewhere, or has come while nobody leads: the body of a 302 or of a 200.
    public static func notLeader(_ request: HTTPRequest) -> HTTPResponse {
        CronicleAnswer.failure(
            CronicleFailure("master", "This API call can only be invoked on the master server."),
            to: request)
    }

    /// An error of the node's pipeline in this dialect's shape.
    public static func response(to error: DomainError, _ request: HTTPRequest) -> HTTPResponse {
        if error.code == .notLeader || error.code == .unavailable {
            return CronicleAnswer.failure(CronicleFailure("master", error.message), to: request)
        }
        return CronicleAnswer.failure(CronicleFailure(error), to: request)
    }

    /// - Parameter known: who sent it, where the request itself does not say so any more; nil: its credentials say so.
    public func answer(_ request: HTTPRequest, on route: Route, for known: Principal? = nil) async -> HTTPResponse {
        let parameters: CronicleParameters
        do { parameters = try CronicleParameters(request) } catch { return CronicleAnswer.badRequest }
        switch route.path {
        case .root: return CronicleAnswer.page(notFound: request.path)
        case .unknownNamespace(let name):
            return CronicleAnswer.failure(CronicleFailure(1, "Unsupported API: \(name)"), to: request)
        case .incomplete:
            return CronicleAnswer.failure(CronicleFailure(1, "Invalid API URL: \(request.path)"), to: request)
        case .call(let namespace, let name):
            guard let call = route.call else {
                return CronicleAnswer.failure(
                    CronicleFailure(1, "Unsupported API: \(namespace)/api_\(name)"), to: request)
            }
            return await perform(
                call,
                CallContext(
                    request: request, parameters: parameters, inputs: call.inputs, known: known, namespace: namespace,
                    dependencies: dependencies))
        }
    }

    private func perform(_ call: Call, _ context: CallContext) async -> HTTPResponse {
        do {
            switch try await call.body(context) {
            case .object(let object): return CronicleAnswer.success(object, to: context.request, fresh: call.isFresh)
            case .text(let bytes): return CronicleAnswer.text(bytes)
            case .response(var response):
                response.headers["Access-Control-Allow-Origin"] = "*"
                return response
            }
        } catch let failure as CronicleFailure {
            return CronicleAnswer.failure(failure, to: context.request)
        } catch let error as DomainError {
            return Self.response(to: error, context.request)
        } catch {
            dependencies.log("\(call.name) failed: \(error)")
            return CronicleAnswer.failure(
                CronicleFailure(1, "The call failed inside Carillon; the node's log says why."), to: context.request)
        }
    }
}
