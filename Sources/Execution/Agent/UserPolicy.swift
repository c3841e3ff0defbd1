/// As whom commands run. Whoever may create a job is every user that is allowed here.
public struct UserPolicy: Sendable, Hashable {
    /// Users that a job may name.
    public var allowed: Set<String>
    /// For jobs that name none; empty: the worker's own user.
    public var defaultUser: String
    /// Name of the worker's own user.
    public var ownUser: String
    /// The worker can become another user.
    public var mayChange: Bool

    public enum Decision: Sendable, Hashable {
        /// Name of the user to change to; empty: stay the worker's own.
        case runAs(String)
        /// Why not.
        case refused(String)
    }

    public init(allowed: Set<String>, defaultUser: String, ownUser: String, mayChange: Bool) {
        self.allowed = allowed
        self.defaultUser = defaultUser
        self.ownUser = ownUser
        self.mayChange = mayChange
    }

    /// For the user that this process runs as.
    public static func ofThisProcess(allowed: Set<String>, defaultUser: String) -> UserPolicy {
        let own = UserIdentity.own()
        return UserPolicy(allowed: allowed, defaultUser: defaultUser, ownUser: own.name, mayChange: own.user == 0)
    }

    public func decide(_ requested: String) -> Decision {
        let user = requested.isEmpty ? defaultUser : requested
        if !requested.isEmpty, requested != defaultUser, !allowed.contains(requested) {
            return .refused("this worker does not run commands as '\(requested)': its list of allowed users lacks it")
        }
        if user.isEmpty || user == ownUser { return .runAs("") }
        guard mayChange else {
            return .refused("this worker runs as '\(ownUser)', not as root, and cannot run commands as '\(user)'")
        }
        return .runAs(user)
    }
}
