public import Domain

/// What an operator says about a worker.
public struct WorkerConfiguration: Sendable {
    public var description: WorkerDescription
    public var users: UserPolicy
    /// Nil: this worker runs no containers.
    public var containers: ContainerPolicy?
    public var heartbeatInterval: Duration = .seconds(1)
    /// Between TERM and KILL.
    public var killGrace: Duration = .seconds(10)
    /// Runs that a former process of the worker has left are taken over, not only detached ones.
    public var adoptsAll = false
    /// Attempts that may be held at once, ended ones whose reports nobody has acknowledged included.
    public var heldLimit = 10_000

    public init(description: WorkerDescription, users: UserPolicy) {
        self.description = description
        self.users = users
    }

    /// What commands find in HOST.
    var hostName: String { description.attributes["hostname"] ?? description.name }
}
