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
    public init() {}

    /// - Throws: `DomainError.invalid` where the times would break the protocol.
    public func validate() throws(DomainError) {
        guard heartbeat > .zero, heartbeat * 5 <= idleSession else {
            throw .invalid("the heartbeat must be positive and at most a fifth of the idle session timeout")
        }
        guard trust < idleSession, heartbeat < trust else {
            throw .invalid("trust must be longer than a heartbeat and shorter than the idle session timeout")
        }
        guard poll > .zero else { throw .invalid("the poll interval must be positive") }
    }
}
