/// What the request pipeline must know of a route before its handler runs.
public struct RouteMetadata: Sendable, Equatable {
    public enum Audience: Sendable, Equatable {
        /// Only the leader answers; followers redirect or forward.
        case leader
        /// Every node answers for itself.
        case anyNode
    }

    public var audience: Audience
    /// Whether the caller must show a key or a session.
    public var needsKey: Bool
    /// Whoever may see some of the jobs only may use it too: the route itself looks at each job that it tells of.
    public var isForLimited: Bool
    /// A short name for logs and metrics.
    public var tag: String

    /// The defaults are the careful ones: a route that says nothing is the leader's, and closed.
    public init(audience: Audience = .leader, needsKey: Bool = true, isForLimited: Bool = false, tag: String = "") {
        self.audience = audience
        self.needsKey = needsKey
        self.isForLimited = isForLimited
        self.tag = tag
    }
}
