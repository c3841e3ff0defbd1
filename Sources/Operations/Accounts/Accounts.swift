// Accounts: who people are, and that they stay who they are.
//
// Passwords are compared by the system's libcrypt on threads that may block, a few at once, so that guessing costs the
// guesser and not the scheduler. More than `failuresPerHour` wrong passwords within one clock hour lock a user until
// the password is reset or an administrator opens the account; whether a name exists cannot be told from an answer or
// its time. Sessions are random, kept as hashes, and end at their day whether or not anybody cleans up.
//
// Who may manage users is decided here too: administrators all, everybody himself.

import Crypto
public import Domain
public import Storage
import Timetable

/// Hashing of passwords on threads that may block.
public protocol PasswordHashing: Sendable {
    /// Nil for a password that cannot be hashed.
    func make(_ password: String) async throws(DomainError) -> String?
    func verify(_ password: String, against stored: String) async throws(DomainError) -> Bool
}

/// Why nobody is logged in.
public enum LoginRefusal: Error, Hashable, Sendable {
    /// Unknown name or wrong password: which of the two is not told.
    case wrong
    case disabled(String)
    case locked
}

/// What a session identifier stands for.
public enum SessionState: Sendable {
    /// Never given out, ended, or expired.
    case unknown
    /// Its user has been deleted.
    case orphaned(String)
    case of(User)
}

public actor Accounts {
    public static let failuresPerHour = 5
    public static let recoveriesPerHour = 3
    public static let sessionLife = Duration.seconds(30 * 86_400)
    public static let recoveryLife = Duration.seconds(3_600)
    public static let sessionBytes = 32
    /// How long an answer of the store is good for.
    static let cacheTime = Duration.seconds(1)
    static let cacheLimit = 1_024

    private let store: AccountStore
    private let passwords: any PasswordHashing
    private let clock: any WallClock
    private var cache: [String: (state: SessionState, at: Instant)] = [:]

    public init(store: AccountStore, passwords: any PasswordHashing, clock: any WallClock) {
        self.store = store
        self.passwords = passwords
        self.clock = clock
    }

    // MARK: Sessions

    /// - Throws: `.unavailable` when the store does not answer.
    public func session(_ id: String) async throws(DomainError) -> SessionState {
        guard Self.isWellFormed(id) else { return .unknown }
        let now = clock.now()
        if let known = cache[id], known.at.duration(to: now) < Self.cacheTime, known.at <= now { return known.state }
        let state: SessionState
        do {
            if let found = try await store.session(hash: Self.hash(of: id), now: now) {
                state = found.user.map { .of($0) } ?? .orphaned(found.session.userKey)
            } else {
                state = .unknown
            }
        } catch { throw DomainError(error) }
        if cache.count >= Self.cacheLimit { cache.removeAll(keepingCapacity: true) }
        cache[id] = (state, now)
        return state
    }

    /// The user whose session has that hash; for a request whose session was kept as its hash only.
    public func user(sessionHash: [UInt8]) async throws(DomainError) -> User? {
        do { return try await store.session(hash: sessionHash, now: clock.now())?.user } catch {
            throw DomainError(error)
        }
    }

    public static func hash(of session: String) -> [UInt8] { Digest.sha256(Array("session:\(session)".utf8)) }

    private static func isWellFormed(_ id: String) -> Bool {
        id.utf8.count == sessionBytes * 2 && Hex.decode(id) != nil
    }

    /// Compares the password and begins a session.
    /// - Throws: `LoginRefusal`, or `DomainError` when the store or the threads do not answer.
    public func login(
        username: String, password: String, address: String, userAgent: String
    ) async throws -> (session: String, user: User) {
        let user = try await find(username)
        // Also for nobody, so that the time of the answer tells nothing.
        let stored = user?.password ?? PasswordHash.ofNobody
        let matches = try await passwords.verify(password + (user?.passwordSuffix ?? ""), against: stored)
        guard let user else { throw LoginRefusal.wrong }
        guard !user.isLocked else { throw LoginRefusal.locked }
        guard matches else {
            let hour = clock.now().seconds / 3_600
            // The one who locks it is told what the one before was: a guess was wrong.
            _ = try await store.countFailure(username, hour: hour, limit: Self.failuresPerHour)
            throw LoginRefusal.wrong
        }
        guard user.isActive else { throw LoginRefusal.disabled(user.username) }
        return (try await begin(user, address: address, userAgent: userAgent), user)
    }

    private func begin(_ user: User, address: String, userAgent: String) async throws -> String {
        let id = Hex.encode(try RandomBytes.make(Self.sessionBytes))
        let now = clock.now()
        try await store.insert(
            Session(
                userKey: user.key, address: address, userAgent: String(userAgent.prefix(Limits.attributeValue)),
                created: now, expires: now.advanced(by: Self.sessionLife)), hash: Self.hash(of: id))
        return id
    }

    public func logout(_ id: String) async throws(DomainError) {
        cache[id] = nil
        do { try await store.deleteSession(hash: Self.hash(of: id)) } catch { throw DomainError(error) }
    }

    // MARK: Users

    public func find(_ username: String) async throws(DomainError) -> User? {
        guard Self.isPossible(username: username) else { return nil }
        do { return try await store.user(username) } catch { throw DomainError(error) }
    }

    public func users(offset: Int, limit: Int) async throws(DomainError) -> (users: [User], count: Int64) {
        do { return (try await store.users(offset: offset, limit: limit), try await store.userCount()) } catch {
            throw DomainError(error)
        }
    }

    /// - Throws: `.conflict` when the name is taken, `.invalid` for an unusable name or password.
    public func create(_ user: User, password: String) async throws(DomainError) {
        guard Self.isPossible(username: user.username) else {
            throw .invalid("a user name has 1 to \(Limits.jobName) of the characters a-z, A-Z, 0-9, _, - and .")
        }
        var user = user
        user.password = try await hash(password)
        do { try await store.insert(user) } catch {
            guard error.code == .conflict else { throw DomainError(error) }
            throw DomainError(.conflict, "User already exists: \(user.username)")
        }
    }

    /// - Parameter password: nil: the old one stays; a new one opens a locked account and ends other sessions.
    public func update(_ user: User, password: String?, keeping session: String? = nil) async throws(DomainError) {
        var user = user
        user.modified = clock.now()
        if let password {
            user.password = try await hash(password)
            user.passwordSuffix = ""
            user.isLocked = false
            user.failures = 0
        }
        do {
            guard try await store.update(user) else { throw DomainError.notFound("User not found: \(user.username)") }
            if password != nil {
                try await store.deleteSessions(of: user.username, but: session.map { Self.hash(of: $0) })
            }
        } catch let error as DomainError { throw error } catch let error as StoreError {
            throw DomainError(error)
        } catch {
            throw .unavailable("\(error)")
        }
        cache.removeAll(keepingCapacity: true)
    }

    public func delete(_ username: String) async throws(DomainError) -> Bool {
        cache.removeAll(keepingCapacity: true)
        do { return try await store.delete(username) } catch { throw DomainError(error) }
    }

    public func verify(_ password: String, of user: User) async throws(DomainError) -> Bool {
        try await passwords.verify(password + user.passwordSuffix, against: user.password)
    }

    private func hash(_ password: String) async throws(DomainError) -> String {
        guard let hash = try await passwords.make(password) else {
            throw .invalid("a password has 1 to \(PasswordHash.maximumBytes) bytes and no NUL")
        }
        return hash
    }

    /// ASCII word characters, blank-free, so that a name is one word everywhere.
    public static func isPossible(username: String) -> Bool {
        !username.isEmpty && username.utf8.count <= Limits.jobName
            && username.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."):
                    true
                default: false
                }
            }
    }

    // MARK: Forgotten passwords

    /// A token that allows one change of the password, to be sent to the user's own address; nil where nothing is to be
    /// sent: the answer to whoever asked is the same.
    public func startRecovery(username: String, email: String) async throws(DomainError) -> (token: String, user: User)?
    {
        guard let user = try await find(username), user.isActive, user.email.lowercased() == email.lowercased() else {
            return nil
        }
        let now = clock.now()
        let token: String
        do { token = Hex.encode(try RandomBytes.make(Self.sessionBytes)) } catch {
            throw .unavailable("no token can be made: \(error)")
        }
        do {
            let isStarted = try await store.startRecovery(
                username, tokenHash: Self.recoveryHash(token), expires: now.advanced(by: Self.recoveryLife),
                hour: now.seconds / 3_600, limit: Self.recoveriesPerHour)
            return isStarted ? (token, user) : nil
        } catch { throw DomainError(error) }
    }

    /// - Returns: false for a token that is wrong, used or expired.
    public func recover(username: String, token: String, password: String) async throws(DomainError) -> Bool {
        guard Self.isPossible(username: username), Self.isWellFormed(token) else { return false }
        let hash = try await hash(password)
        do {
            guard
                try await store.recover(
                    username, tokenHash: Self.recoveryHash(token), password: hash, now: clock.now())
            else { return false }
            try await store.deleteSessions(of: username, but: nil)
        } catch { throw DomainError(error) }
        cache.removeAll(keepingCapacity: true)
        return true
    }

    private static func recoveryHash(_ token: String) -> [UInt8] { Digest.sha256(Array("recovery:\(token)".utf8)) }
}
