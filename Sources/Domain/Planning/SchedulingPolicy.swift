/// What an operator can set of the leader's behaviour.
public struct SchedulingPolicy: Hashable, Sendable {
    /// Delay before a retry, for jobs without one of their own.
    public var retryDelay: Duration = .seconds(60)
    /// Each further retry of a run waits this many times longer than the one before; 1: always the same.
    public var retryFactor = 1.0
    /// Longest delay that the factor may lead to.
    public var retryDelayMaximum: Duration = .seconds(3_600)
    /// Start window of jobs that name none; nil: their catch-up policy decides.
    public var defaultStartWindow: Duration?
    /// How far ahead due jobs are held in memory.
    public var horizon: Duration = .seconds(120)
    /// How long before its due instant an occurrence may be decided and offered, so that at the instant only the claim
    /// is left. Nobody starts earlier for it, and until it is due it can be taken back.
    public var lead: Duration = .milliseconds(500)
    /// An offer that was not claimed for so long goes to another worker.
    public var offerTimeout: Duration = .seconds(3)
    /// No new offers to a worker that was silent for so long.
    public var workerLease: Duration = .seconds(4)
    /// Runs of a worker that was silent for so long are lost: three leases.
    public var workerLost: Duration = .seconds(12)
    /// No offers to a worker for so long after a request to it failed.
    public var avoidance: Duration = .seconds(2)
    /// Before a refused try is offered again.
    public var refusalPause: Duration = .seconds(1)
    /// Occurrences of one job that one turn launches; the rest follow in the next.
    public var launchesPerTurn = 256
    public var notifications = NotificationPolicy()
    public init() {}
}
