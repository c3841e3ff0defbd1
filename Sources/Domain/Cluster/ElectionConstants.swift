/// The times of the election (leadership.md §1). The lock session's idle timeout T bounds every way in which a leader
/// can vanish; trust ends before it, so that a leader that was cut off has stopped believing before a successor begins.
public struct ElectionConstants: Hashable, Sendable {
    /// T: the server ends the lock session after this silence.
    public var idleSession: Duration = .seconds(5)
    /// H: at most T/5.
    public var heartbeat: Duration = .seconds(1)
    /// L: how long after the start of the last good heartbeat the leader acts as one; below T.
    public var trust: Duration = .milliseconds(3_500)
    /// P: how often a follower tries, ± 20 %.
    public var poll: Duration = .milliseconds(250)
    public var statement: Duration = .seconds(2)
    public var idleInTransaction: Duration = .seconds(3)
    public var lock: Duration = .seconds(2)
    /// After a loss: wait a random time up to this before trying again.
    public var rest: Duration = .milliseconds(500)
    /// Opening a session, each address.
    public var connect: Duration = .seconds(2)
    public init() {}

    /// What must hold for the election to be safe; nil if it does, else a sentence for the operator.
    public var defect: String? {
        if trust + .seconds(1) > idleSession { return "trust must be at least a second shorter than idleSession" }
        if heartbeat * 5 > idleSession { return "heartbeat must be at most a fifth of idleSession" }
        if heartbeat * 2 > trust { return "trust must outlast two heartbeats" }
        if poll <= .zero || heartbeat <= .zero || statement <= .zero || lock <= .zero || idleInTransaction <= .zero {
            return "each time of the election must be longer than nothing"
        }
        return nil
    }
}
