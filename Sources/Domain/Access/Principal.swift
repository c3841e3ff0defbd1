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
    /// Title of the key, or "anonymous".
    public var name: String
    public var privileges: Set<Privilege>
    public init(name: String, privileges: Set<Privilege>) {
        self.name = name
        self.privileges = privileges
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
    /// First 8 characters of the key, public, by which it is looked up.
    public var prefix: String
    /// SHA-256 of the whole key.
    public var hash: [UInt8]
    public var title: String
    public var privileges: Set<Privilege>
    public var isActive: Bool

    public init(prefix: String, hash: [UInt8], title: String, privileges: Set<Privilege>, isActive: Bool) {
        self.prefix = prefix
        self.hash = hash
        self.title = title
        self.privileges = privileges
        self.isActive = isActive
    }
}
