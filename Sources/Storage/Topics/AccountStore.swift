public import Domain
import JSON
import PostgresClient
public import Timetable

/// Users and their sessions. Passwords and session identifiers come here as hashes only.
public struct AccountStore: Sendable {
    let access: Access

    // MARK: Users

    public func user(_ username: String) async throws(StoreError) -> User? {
        try await access.query(Statement(Self.findUser, .text(User.key(username))), deadline: Stores.deadline)
            .first(Self.readUser)
    }

    /// By name.
    public func users(offset: Int, limit: Int) async throws(StoreError) -> [User] {
        try await access.query(
            Statement(Self.listUsers, Stores.page(limit), .int(Int64(max(0, offset)))), deadline: Stores.deadline
        ).decode(Self.readUser)
    }

    public func userCount() async throws(StoreError) -> Int64 {
        try await access.query(Statement("SELECT count(*) FROM carillon.users"), deadline: Stores.deadline)
            .first { try $0.integer() } ?? 0
    }

    /// - Throws: `.conflict` when the name is taken.
    public func insert(_ user: User) async throws(StoreError) {
        _ = try await access.query(Self.write(user, Self.insertUser), deadline: Stores.deadline)
    }

    /// Everything but the creation. Whoever changed the user meanwhile is overwritten.
    /// - Returns: whether there is such a user.
    public func update(_ user: User) async throws(StoreError) -> Bool {
        try await access.query(Self.write(user, Self.updateUser), deadline: Stores.deadline).affected > 0
    }

    /// Sessions stay, so that who still has one is told what happened.
    public func delete(_ username: String) async throws(StoreError) -> Bool {
        try await access.query(Statement(Self.deleteUser, .text(User.key(username))), deadline: Stores.deadline)
            .affected > 0
    }

    /// Counts a wrong password; more than `limit` within the hour lock the user. In one statement, so that guesses that
    /// arrive together are all counted.
    /// - Returns: whether the user is locked now.
    public func countFailure(_ username: String, hour: Int64, limit: Int) async throws(StoreError) -> Bool {
        try await access.query(
            Statement(Self.countFailures, .text(User.key(username)), .int(hour), .int(Int64(limit))),
            deadline: Stores.deadline
        ).first { try $0.bool() } ?? false
    }

    /// Keeps the hash of a token that allows one change of the password.
    /// - Returns: false when the user has asked too often in this hour.
    public func startRecovery(
        _ username: String, tokenHash: [UInt8], expires: Instant, hour: Int64, limit: Int
    ) async throws(StoreError) -> Bool {
        try await access.query(
            Statement(
                Self.startRecoveries, .text(User.key(username)), .bytes(tokenHash),
                .timestamp(microseconds: expires.microseconds), .int(hour), .int(Int64(limit))),
            deadline: Stores.deadline
        ).affected > 0
    }

    /// Sets the password if the token is right and fresh, opens a locked account, and uses the token up.
    public func recover(
        _ username: String, tokenHash: [UInt8], password: String, now: Instant
    ) async throws(StoreError) -> Bool {
        try await access.query(
            Statement(
                Self.recoverUser, .text(User.key(username)), .bytes(tokenHash), .text(password),
                .timestamp(microseconds: now.microseconds)),
            deadline: Stores.deadline
        ).affected > 0
    }

    // MARK: Sessions

    public func insert(_ session: Session, hash: [UInt8]) async throws(StoreError) {
        _ = try await access.query(
            Statement(
                Self.insertSession, .bytes(hash), .text(session.userKey), .text(session.address),
                .text(session.userAgent), .timestamp(microseconds: session.created.microseconds),
                .timestamp(microseconds: session.expires.microseconds)),
            deadline: Stores.deadline)
    }

    /// The session that has not expired, with its user if there still is one.
    public func session(hash: [UInt8], now: Instant) async throws(StoreError) -> (session: Session, user: User?)? {
        let found = try await access.query(
            Statement(Self.findSession, .bytes(hash), .timestamp(microseconds: now.microseconds)),
            deadline: Stores.deadline
        ).first { row in
            Session(
                userKey: try row.text(), address: try row.text(), userAgent: try row.text(),
                created: try row.instant(), expires: try row.instant())
        }
        guard let found else { return nil }
        return (found, try await user(found.userKey))
    }

    public func deleteSession(hash: [UInt8]) async throws(StoreError) {
        _ = try await access.query(Statement(Self.removeSession, .bytes(hash)), deadline: Stores.deadline)
    }

    /// All sessions of a user but one, after a change of the password.
    public func deleteSessions(of username: String, but hash: [UInt8]?) async throws(StoreError) {
        _ = try await access.query(
            Statement(Self.removeSessions, .text(User.key(username)), .bytes(hash ?? [])), deadline: Stores.deadline)
    }

    public func purge(now: Instant) async throws(StoreError) {
        _ = try await access.query(
            Statement(Self.purgeSessions, .timestamp(microseconds: now.microseconds)), deadline: Stores.deadline)
    }

    // MARK: Settings

    public func setting(_ name: String) async throws(StoreError) -> String? {
        try await access.query(Statement(Self.findSetting, .text(name)), deadline: Stores.deadline)
            .first { try $0.text() }
    }

    public func set(_ name: String, to value: String) async throws(StoreError) {
        _ = try await access.query(Statement(Self.putSetting, .text(name), .text(value)), deadline: Stores.deadline)
    }

    // MARK: Rows

    private static func readUser(_ row: inout RowReader) throws -> User {
        var user = User(username: try row.text(), created: try row.instant())
        user.fullName = try row.text()
        user.email = try row.text()
        user.isActive = try row.bool()
        user.privileges = try row.text()
        user.granted = Set(grants(of: user.privileges))
        user.password = try row.text()
        user.passwordSuffix = try row.text()
        user.isLocked = try row.bool()
        user.failureHour = try row.integer()
        user.failures = try row.int()
        user.extra = try row.text()
        user.modified = try row.instant()
        return user
    }

    /// A privilege is granted by true and by any number but 0. What cannot be read grants nothing.
    static func grants(of text: String) -> [String] {
        guard let object = (try? JSONValue(parsing: Array(text.utf8)))?.objectValue else { return [] }
        return object.compactMap { key, value in
            switch value {
            case .bool(let flag): flag ? key : nil
            case .integer(let number): number != 0 ? key : nil
            default: nil
            }
        }
    }

    private static func write(_ user: User, _ sql: String) -> Statement {
        Statement(
            sql, .text(user.key), .text(user.username), .text(user.fullName), .text(user.email), .bool(user.isActive),
            .text(user.privileges), .text(user.password), .text(user.passwordSuffix), .bool(user.isLocked),
            .int(user.failureHour), .int(Int64(user.failures)), .text(user.extra),
            .timestamp(microseconds: user.created.microseconds), .timestamp(microseconds: user.modified.microseconds))
    }
}

extension AccountStore {
    private static let columns = """
        u.username, u.created, u.full_name, u.email, u.active, u.privileges, u.password, u.password_suffix, \
        u.locked, u.failure_hour, u.failures, u.extra, u.modified
        """

    private static let findUser = "SELECT \(columns) FROM carillon.users u WHERE u.key = $1::text"

    private static let listUsers = """
        SELECT \(columns) FROM carillon.users u ORDER BY u.key COLLATE "C" LIMIT $1::int8 OFFSET $2::int8
        """

    private static let insertUser = """
        INSERT INTO carillon.users (key, username, full_name, email, active, privileges, password, password_suffix,
          locked, failure_hour, failures, extra, created, modified, recovery_hour, recoveries)
        VALUES ($1::text, $2::text, $3::text, $4::text, $5::bool, $6::text, $7::text, $8::text, $9::bool, $10::int8,
          $11::int4, $12::text, $13::timestamptz, $14::timestamptz, 0, 0)
        """

    private static let updateUser = """
        UPDATE carillon.users SET username = $2::text, full_name = $3::text, email = $4::text, active = $5::bool,
          privileges = $6::text, password = $7::text, password_suffix = $8::text, locked = $9::bool,
          failure_hour = $10::int8, failures = $11::int4, extra = $12::text, created = $13::timestamptz,
          modified = $14::timestamptz
         WHERE key = $1::text
        """

    private static let deleteUser = "DELETE FROM carillon.users WHERE key = $1::text"

    private static let countFailures = """
        UPDATE carillon.users SET
          failures = CASE WHEN failure_hour = $2::int8 THEN failures + 1 ELSE 1 END,
          locked = locked OR CASE WHEN failure_hour = $2::int8 THEN failures + 1 ELSE 1 END > $3::int8,
          failure_hour = $2::int8
         WHERE key = $1::text RETURNING locked
        """

    private static let startRecoveries = """
        UPDATE carillon.users SET recovery_hash = $2::bytea, recovery_expires = $3::timestamptz,
          recoveries = CASE WHEN recovery_hour = $4::int8 THEN recoveries + 1 ELSE 1 END, recovery_hour = $4::int8
         WHERE key = $1::text AND (recovery_hour <> $4::int8 OR recoveries < $5::int8)
        """

    private static let recoverUser = """
        UPDATE carillon.users SET password = $3::text, password_suffix = '', locked = false, failures = 0,
          recovery_hash = NULL, recovery_expires = NULL, modified = $4::timestamptz
         WHERE key = $1::text AND recovery_hash = $2::bytea AND recovery_expires > $4::timestamptz
        """

    private static let insertSession = """
        INSERT INTO carillon.sessions (hash, user_key, ip, user_agent, created, expires)
        VALUES ($1::bytea, $2::text, $3::text, $4::text, $5::timestamptz, $6::timestamptz)
        """

    private static let findSession = """
        SELECT s.user_key, s.ip, s.user_agent, s.created, s.expires FROM carillon.sessions s
         WHERE s.hash = $1::bytea AND s.expires > $2::timestamptz
        """

    private static let removeSession = "DELETE FROM carillon.sessions WHERE hash = $1::bytea"

    private static let removeSessions =
        "DELETE FROM carillon.sessions WHERE user_key = $1::text AND hash <> $2::bytea"

    private static let purgeSessions = "DELETE FROM carillon.sessions WHERE expires <= $1::timestamptz"

    private static let findSetting = "SELECT s.value FROM carillon.settings s WHERE s.name = $1::text"

    private static let putSetting = """
        INSERT INTO carillon.settings (name, value) VALUES ($1::text, $2::text)
        ON CONFLICT (name) DO UPDATE SET value = EXCLUDED.value
        """
}
