// Coordination: who leads, and what the leader does while it leads.
//
// Elector holds this node's place in the election. While it has won, a Leader works: one loop of turns over
// `LeaderState` (Domain), each turn one fenced transaction, its effects performed after the commit. Taking and leaving
// office is one pair in Elector.office: elected → epoch raised → state read → turns; any loss cancels the group of
// tasks, awaits its end, and closes the lock session before this node tries again.
//
// Invariants: nothing is written without the fence; nothing is sent to a worker that is not committed; nobody is
// answered before the commit has come back; after a commit whose outcome is unknown this node leaves office and reads
// the truth anew. It refuses to know HTTP and SQL: store, workers and lock are ports.

public import Domain
public import Runtime
import Synchronization
import Timetable

/// How long this node may act as leader without hearing from the database again.
public final class Trust: Sendable {
    private let until: Mutex<MonotonicInstant>

    public init(until: MonotonicInstant) { self.until = Mutex(until) }

    public func extend(until later: MonotonicInstant) {
        until.withLock { $0 = max($0, later) }
    }

    public func isValid(at now: MonotonicInstant) -> Bool { until.withLock { now < $0 } }
}

/// Why an office ended.
public struct LossOfOffice: Error, Sendable, CustomStringConvertible {
    public let reason: String
    public init(_ reason: String) { self.reason = reason }
    public var description: String { reason }
}

/// What this node knows of the leadership, for redirects and health checks.
public struct LeadershipView: Sendable {
    public enum Role: String, Sendable { case leader, follower, starting }
    public var role: Role
    /// The last row seen; nil before the first.
    public var leader: LeaderRecord?
    /// Some session held the lock when it was last looked at.
    public var isHeld: Bool
    /// When the database last answered the elector.
    public var seen: MonotonicInstant?
    /// The term of this node while it leads.
    public var term: Term?
    public init(
        role: Role, leader: LeaderRecord? = nil, isHeld: Bool = false, seen: MonotonicInstant? = nil, term: Term? = nil
    ) {
        self.role = role
        self.leader = leader
        self.isHeld = isHeld
        self.seen = seen
        self.term = term
    }

    /// Where to send whoever wants the leader; nil while the node itself leads, or nobody is known to. Never to the
    /// node itself: a row that still names it is older than whoever holds the lock now.
    /// - Parameter url: the node's own.
    public func otherLeader(than url: String) -> String? {
        guard role != .leader, isHeld, let leader, !leader.resigned, leader.url != url else { return nil }
        return leader.url
    }
}
