import Domain
import HTTP
import JSON
import Operations

/// `GET leader`: who leads, from any node.
struct LeaderResource: Resource {
    let leader: any LeaderReading

    func register(on router: inout HTTPRouter, below tree: String) {
        router.on(
            .get, "\(tree)/leader",
            metadata: RouteMetadata(audience: .anyNode, isForLimited: true, tag: ChronosAPI.tag),
            handler: handler(read))
    }

    private func read(_ request: HTTPRequest, _ principal: Principal) async throws(DomainError) -> HTTPResponse {
        let record: LeaderRecord?
        do { record = try await leader.leader() } catch {
            throw .unavailable("the database does not answer, so that nobody knows who leads; repeat the request")
        }
        guard let record, !record.resigned else {
            throw .unavailable("there is no leader at the moment; an election takes seconds")
        }
        return .json(["leader": .string(Self.authority(of: record.url))])
    }

    /// Host and port of an advertised URL, the scheme's port where it names none.
    static func authority(of url: String) -> String {
        var rest = url[...]
        var defaultPort = "80"
        if let scheme = rest.firstRange(of: "://") {
            if rest[..<scheme.lowerBound].lowercased() == "https" { defaultPort = "443" }
            rest = rest[scheme.upperBound...]
        }
        rest = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        if let at = rest.lastIndex(of: "@") { rest = rest[rest.index(after: at)...] }
        let afterBracket = rest.lastIndex(of: "]") ?? rest.startIndex
        return rest[afterBracket...].contains(":") ? String(rest) : "\(rest):\(defaultPort)"
    }
}
