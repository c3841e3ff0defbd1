public import Timetable

/// A person who logs in with a password.
public struct User: Hashable, Sendable {
    public var username: String
    public var fullName: String
    public var email: String
    public var isActive: Bool
    /// JSON object text, as it was sent: a privilege is granted whose value is true or a number other than 0.
    public var privileges: String
    /// Names of the privileges that are granted.
    public var granted: Set<String>
    /// As `crypt` writes it. Never leaves the store but to be compared.
    public var password: String
    /// What an imported password is followed by before it is hashed.
    public var passwordSuffix: String
    /// Too many wrong passwords: only a reset of the password, or an administrator, opens it again.
    public var isLocked: Bool
    /// Wrong passwords in the hour `failureHour`, counted in hours since 1970.
    public var failures: Int
    public var failureHour: Int64
    /// JSON object text of what else a dialect keeps of a user.
    public var extra: String
    public var created: Instant
    public var modified: Instant

    public init(username: String, created: Instant) {
        self.username = username
        fullName = ""
        email = ""
        isActive = true
        privileges = "{}"
        granted = []
        password = ""
        passwordSuffix = ""
        isLocked = false
        failures = 0
        failureHour = 0
        extra = "{}"
        self.created = created
        modified = created
    }

    /// Two users do not differ in the case of their names alone.
    public static func key(_ username: String) -> String { username.lowercased() }
    public var key: String { Self.key(username) }

    public var principal: Principal {
        Principal(
            name: username, privileges: Set(granted.compactMap { Privilege(rawValue: $0) }), identity: .user,
            limits: AccessLimits(names: granted))
    }
}

public struct Session: Hashable, Sendable {
    public var userKey: String
    public var address: String
    public var userAgent: String
    public var created: Instant
    public var expires: Instant
    public init(userKey: String, address: String, userAgent: String, created: Instant, expires: Instant) {
        self.userKey = userKey
        self.address = address
        self.userAgent = userAgent
        self.created = created
        self.expires = expires
    }
}
