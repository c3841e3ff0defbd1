/// As whom commands run. Whoever may create a job is every user that is allowed here.
public struct UserPolicy: Sendable, Hashable {
    /// Users that a job may name.
    public var allowed: Set<String>
    /// For jobs that name none; empty: the worker's own user. Of a worker that root has started it is `nobody` unless
    /// the operator says otherwise: what nobody has asked for does not run as root.
    public var defaultUser: String
    /// Name of the worker's own user.
    public var ownUser: String
    /// The worker can become another user.
    public var mayChange: Bool
    /// Names of the users above by their numbers: a job may name a number.
    public var names: [UInt32: String] = [:]
    /// Those of the users above that this machine does not know.
    public private(set) var unknown: [String] = []

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

    /// Whom jobs run as that name nobody, where root has started the worker.
    public static let unprivileged = "nobody"

    /// For the user that this process runs as. Looks the users up: blocks.
    public static func ofThisProcess(allowed: Set<String>, defaultUser: String) -> UserPolicy {
        let own = UserIdentity.own()
        let isRoot = own.user == 0
        var policy = UserPolicy(
            allowed: allowed, defaultUser: defaultUser.isEmpty && isRoot ? unprivileged : defaultUser,
            ownUser: own.name, mayChange: isRoot)
        policy.names[own.user] = own.name
        for name in allowed.union([policy.defaultUser]).sorted() where !name.isEmpty {
            guard let identity = try? UserIdentity.named(name) else {  // told by the caller
                policy.unknown.append(name)
                continue
            }
            policy.names[identity.user] = identity.name
            // Named by its number in the list.
            if identity.name != name, policy.allowed.remove(name) != nil { policy.allowed.insert(identity.name) }
            if identity.name != name, policy.defaultUser == name { policy.defaultUser = identity.name }
        }
        return policy
    }

    public func decide(_ requested: String) -> Decision {
        let named = UserIdentity.number(requested).map { names[$0] ?? requested } ?? requested
        let user = named.isEmpty ? defaultUser : named
        if !named.isEmpty, named != defaultUser, !allowed.contains(named) {
            return .refused(
                "this worker does not run commands as '\(requested)': its list of allowed users (--allow-user) lacks it"
            )
        }
        if user.isEmpty || user == ownUser { return .runAs("") }
        guard mayChange else {
            return .refused("this worker runs as '\(ownUser)', not as root, and cannot run commands as '\(user)'")
        }
        return .runAs(user)
    }
}
