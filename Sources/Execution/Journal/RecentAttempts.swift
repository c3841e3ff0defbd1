public import Domain

/// The last so many attempts, each once.
public struct RecentAttempts: Sendable {
    private let limit: Int
    private var members: Set<AttemptID> = []
    /// A ring once it is full; `next` is the oldest then.
    private var order: [AttemptID] = []
    private var next = 0

    public init(limit: Int) {
        self.limit = max(1, limit)
    }

    public var count: Int { order.count }

    public func contains(_ attempt: AttemptID) -> Bool { members.contains(attempt) }

    /// Does nothing for one that is remembered already: it keeps its age.
    public mutating func insert(_ attempt: AttemptID) {
        guard members.insert(attempt).inserted else { return }
        if order.count < limit {
            order.append(attempt)
            return
        }
        members.remove(order[next])
        order[next] = attempt
        next = (next + 1) % limit
    }

    public var oldestFirst: [AttemptID] { Array(order[next...] + order[..<next]) }
}
