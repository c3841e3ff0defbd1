/// What a key may do. Reading needs a valid key and no privilege.
public enum Privilege: String, Sendable, CaseIterable, Hashable {
    case admin
    case createEvents = "create_events"
    case editEvents = "edit_events"
    case deleteEvents = "delete_events"
    case runEvents = "run_events"
    case abortEvents = "abort_events"
    case stateUpdate = "state_update"
}

/// Who asks.
public struct Principal: Hashable, Sendable {
    public enum Identity: Hashable, Sendable {
        case anonymous
        case key(id: String)
        case user
    }

    /// Title of the key, name of the user, or "anonymous".
    public var name: String
    public var privileges: Set<Privilege>
    public var identity: Identity
    public var limits: AccessLimits
    /// The user behind it: himself, or whoever made the key.
    public var owner: String

    public init(
        name: String, privileges: Set<Privilege>, identity: Identity = .anonymous, limits: AccessLimits = .none,
        owner: String = ""
    ) {
        self.owner = owner.isEmpty ? name : owner
        self.name = name
        self.privileges = privileges
        self.identity = identity
        self.limits = limits
    }

    public func has(_ privilege: Privilege) -> Bool {
        privileges.contains(.admin) || privileges.contains(privilege)
    }

    /// - Throws: `DomainError.forbidden` naming the privilege that is missing.
    public func require(_ privilege: Privilege) throws(DomainError) {
        guard has(privilege) else {
            throw DomainError(
                .forbidden, "'\(name)' lacks the privilege '\(privilege.rawValue)' that this request needs")
        }
    }
}

/// An API key as the store keeps it: never the secret, only its hash.
public struct StoredKey: Hashable, Sendable {
    /// By which it is looked up: the first 8 characters, which are public; of a key that a client chose, `#` and the
    /// beginning of its hash.
    public var prefix: String
    /// SHA-256 of the whole key.
    public var hash: [UInt8]
    public var title: String
    public var privileges: Set<Privilege>
    public var isActive: Bool
    /// Public name of the key, by which it is managed; empty before it is stored.
    public var id = ""
    public var limits = AccessLimits.none
    /// Who made it.
    public var username = "admin"

    public var principal: Principal {
        Principal(name: title, privileges: privileges, identity: .key(id: id), limits: limits, owner: username)
    }

    public init(prefix: String, hash: [UInt8], title: String, privileges: Set<Privilege>, isActive: Bool) {
        self.prefix = prefix
        self.hash = hash
        self.title = title
        self.privileges = privileges
        self.isActive = isActive
    }
}
