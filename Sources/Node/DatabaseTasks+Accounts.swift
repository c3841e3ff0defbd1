public import Domain
import Operations
import Storage
public import Timetable

/// An API key, as whoever manages keys sees it.
public struct KeyOverview: Sendable {
    public var id: String
    public var title: String
    /// The part of it by which people recognise it.
    public var shown: String
    public var isActive: Bool
    public var privileges: [String]
    public var username: String
    public var created: Instant
}

// Whoever reaches the database may do anything to it: here nobody is asked for a key.
extension DatabaseTasks {
    private static var administrator: Principal { Principal(name: "command line", privileges: [.admin]) }
    private static let usersPage = 1_000

    /// Newest first.
    public func keys() async throws -> [KeyOverview] {
        try await withRecords { records in
            try await records.list(Self.administrator).map {
                KeyOverview(
                    id: $0.key.id, title: $0.key.title, shown: $0.shown, isActive: $0.key.isActive,
                    privileges: $0.granted, username: $0.username, created: $0.created)
            }
        }
    }

    /// The key stays in the list, inactive.
    public func revokeKey(_ id: String) async throws {
        try await withRecords { records in
            guard var record = try await records.record(Self.administrator, id: id) else {
                throw DomainError.notFound("no key has the id '\(id)'; 'carillon key list' shows them")
            }
            record.key.isActive = false
            _ = try await records.update(Self.administrator, record)
        }
    }

    private func withRecords<T: Sendable>(_ body: (KeyRecords) async throws -> T) async throws -> T {
        try await withPool { pool in
            try await Schema(pool: pool).verify()
            return try await body(KeyRecords(store: Stores(pool: pool).keys, clock: clock))
        }
    }

    /// By name.
    public func users() async throws -> [User] {
        try await withAccounts { accounts in
            var users: [User] = []
            while true {
                let page = try await accounts.users(offset: users.count, limit: Self.usersPage)
                users += page.users
                if page.users.count < Self.usersPage { return users }
            }
        }
    }

    /// Opens a locked account too, and ends the user's sessions.
    public func setPassword(of name: String, to password: String) async throws {
        try await withAccounts { accounts in
            try await accounts.update(try await Self.find(name, accounts), password: password)
        }
    }

    public func setActive(user name: String, _ isActive: Bool) async throws {
        try await withAccounts { accounts in
            var user = try await Self.find(name, accounts)
            user.isActive = isActive
            try await accounts.update(user, password: nil)
        }
    }

    public func deleteUser(_ name: String) async throws {
        try await withAccounts { accounts in
            guard try await accounts.delete(name) else { throw Self.unknown(name) }
        }
    }

    private static func find(_ name: String, _ accounts: Accounts) async throws -> User {
        guard let user = try await accounts.find(name) else { throw unknown(name) }
        return user
    }

    private static func unknown(_ name: String) -> DomainError {
        .notFound("there is no user '\(name)'; 'carillon user list' shows them")
    }

    private func withAccounts<T: Sendable>(_ body: (Accounts) async throws -> T) async throws -> T {
        let passwords = PasswordThreads()
        defer { passwords.close() }
        return try await withPool { pool in
            try await Schema(pool: pool).verify()
            return try await body(Accounts(store: Stores(pool: pool).accounts, passwords: passwords, clock: clock))
        }
    }
}
