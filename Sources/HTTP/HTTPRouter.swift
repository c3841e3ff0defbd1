/// Finds the handler of a request by method and path.
///
/// Patterns are made of literal segments and `{name}` segments: `/v1/scheduler/job/{name}`. The path is split at `/`
/// first and decoded afterwards, so that an encoded slash stays inside its parameter. Where several patterns match, the
/// one whose first differing segment is literal wins; a less literal one still serves methods that the other has not.
/// One trailing slash is tolerated; any other empty segment matches nothing.
public struct HTTPRouter: Sendable {
    private var root = Node()
    /// Routes without parameters, by their pattern: nothing is more literal, so nothing needs to be searched for them.
    private var plain: [String: [HTTPMethod: HTTPRoute]] = [:]
    /// All routes, in the order in which they were added.
    public private(set) var routes: [HTTPRoute] = []

    public init() {}

    /// Adds a route. Patterns are part of the program: a malformed one, or a second route of the same method and shape,
    /// is a bug and stops it.
    public mutating func on(
        _ method: HTTPMethod, _ pattern: String, metadata: RouteMetadata = .init(), handler: @escaping HTTPHandler
    ) {
        let segments = Self.segments(ofPattern: pattern)
        let parameters = segments.compactMap { if case .parameter(let name) = $0 { name } else { nil } }
        precondition(Set(parameters).count == parameters.count, "a parameter occurs twice in \(pattern)")
        let route = HTTPRoute(
            method: method, pattern: pattern, metadata: metadata, handler: handler, parameters: parameters)
        root.insert(route, at: segments[...])
        if parameters.isEmpty { plain[pattern, default: [:]][method] = route }
        routes.append(route)
    }

    /// The route for the request, if there is one.
    public func match(_ request: HTTPRequest) -> RouteMatch {
        if let route = plain[request.path]?[request.method] { return .found(route: route, request: request) }
        guard let segments = Self.segments(ofPath: request.path) else { return .notFound }
        var search = Search(segments: segments, method: request.method)
        root.search(&search, from: 0)
        if let (route, values) = search.found {
            var request = request
            request.pathParameters = Dictionary(uniqueKeysWithValues: zip(route.parameters, values))
            return .found(route: route, request: request)
        }
        guard !search.allowed.isEmpty else { return .notFound }
        if search.allowed.contains(.get) { search.allowed.insert(.head) }
        return .methodNotAllowed(allow: search.allowed.sorted { $0.rawValue < $1.rawValue })
    }

    // MARK: Segments

    fileprivate enum Segment {
        case literal(String)
        case parameter(String)
    }

    private static func segments(ofPattern pattern: String) -> [Segment] {
        precondition(pattern.hasPrefix("/"), "a pattern starts with a slash: \(pattern)")
        if pattern == "/" { return [] }
        return pattern.dropFirst().split(separator: "/", omittingEmptySubsequences: false).map { part in
            precondition(!part.isEmpty, "an empty segment in \(pattern)")
            guard part.hasPrefix("{"), part.hasSuffix("}") else {
                precondition(!part.contains("{"), "a parameter is a whole segment: \(pattern)")
                return .literal(String(part))
            }
            precondition(part.count > 2, "a parameter without a name in \(pattern)")
            return .parameter(String(part.dropFirst().dropLast()))
        }
    }

    /// Decoded segments; nil when the path cannot match anything.
    private static func segments(ofPath path: String) -> [String]? {
        guard path.utf8.first == UInt8(ascii: "/") else { return nil }
        var parts = path.utf8.dropFirst().split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        if let last = parts.last, last.isEmpty { parts.removeLast() }
        var segments: [String] = []
        segments.reserveCapacity(parts.count)
        for part in parts {
            guard !part.isEmpty, let segment = PercentCoding.decode(Substring(part)) else { return nil }
            segments.append(segment)
        }
        return segments
    }
}

/// A pattern with its handler.
public struct HTTPRoute: Sendable {
    public let method: HTTPMethod
    public let pattern: String
    public let metadata: RouteMetadata
    public let handler: HTTPHandler
    /// Names of the pattern's parameters, in order.
    let parameters: [String]
}

public enum RouteMatch: Sendable {
    /// The request has its `pathParameters` set.
    case found(route: HTTPRoute, request: HTTPRequest)
    case notFound
    /// The path exists for these methods only, in alphabetical order: answer 405 with an Allow field.
    case methodNotAllowed(allow: [HTTPMethod])
}

extension HTTPRouter {
    /// The patterns as a tree, one level a segment.
    fileprivate struct Node: Sendable {
        private var literals: [String: Node] = [:]
        /// The parameter child, in an array because a struct cannot hold itself.
        private var parameter: [Node] = []
        private var routes: [HTTPMethod: HTTPRoute] = [:]

        mutating func insert(_ route: HTTPRoute, at segments: ArraySlice<Segment>) {
            switch segments.first {
            case .literal(let text):
                literals[text, default: Node()].insert(route, at: segments.dropFirst())
            case .parameter:
                if parameter.isEmpty { parameter.append(Node()) }
                parameter[0].insert(route, at: segments.dropFirst())
            case nil:
                precondition(routes[route.method] == nil, "two routes for \(route.method) \(route.pattern)")
                routes[route.method] = route
            }
        }

        /// Literal before parameter at each level. Depth and width are those of the patterns, not of the path.
        func search(_ search: inout Search, from position: Int) {
            guard position < search.segments.count else { return search.visit(routes) }
            let segment = search.segments[position]
            literals[segment]?.search(&search, from: position + 1)
            guard search.found == nil, let parameter = parameter.first else { return }
            search.values.append(segment)
            parameter.search(&search, from: position + 1)
            search.values.removeLast()
        }
    }

    fileprivate struct Search {
        let segments: [String]
        let method: HTTPMethod
        var values: [String] = []
        var found: (route: HTTPRoute, values: [String])?
        var allowed: Set<HTTPMethod> = []

        mutating func visit(_ routes: [HTTPMethod: HTTPRoute]) {
            let route = routes[method] ?? (method == .head ? routes[.get] : nil)
            if let route {
                found = (route, values)
            } else {
                allowed.formUnion(routes.keys)
            }
        }
    }
}
