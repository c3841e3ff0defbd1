import Domain
import HTTP
import JSON
import Operations

/// The namespace `user`: login and sessions, people themselves, and administrators about them (cronicle.md §1.9, §4.3).
struct UserCalls: Sendable {
    let dependencies: CronicleDependencies

    init(_ dependencies: CronicleDependencies) { self.dependencies = dependencies }

    static let defaultPrivileges: JSONValue = [
        "admin": 0, "create_events": 1, "edit_events": 1, "delete_events": 1, "run_events": 0, "abort_events": 0,
        "state_update": 0,
    ]

    var all: [Call] {
        [
            Call("login", .anyNode) { try await login($0) },
            Call("logout", .anyNode) { try await logout($0) },
            Call("resume_session", .anyNode) { try await resume($0) },
            // Nobody makes an account for himself, whatever he sends: an administrator does.
            Call("create", .anyNode) { _ in
                throw CronicleFailure("user", "Only administrators can create new users.")
            },
            Call("update", .anyNode) { try await update($0) },
            Call("delete", .anyNode) { try await deleteSelf($0) },
            Call("forgot_password", .anyNode) { try await forgotPassword($0) },
            Call("reset_password", .anyNode) { try await resetPassword($0) },
            Call("admin_create", .anyNode) { try await adminCreate($0) },
            Call("admin_update", .anyNode) { try await adminUpdate($0) },
            Call("admin_delete", .anyNode) { try await adminDelete($0) },
            Call("admin_get_user", .anyNode, in: .bodyThenQuery) { try await adminRead($0) },
            Call("admin_get_users", .anyNode, in: .bodyThenQuery) { try await adminList($0) },
            Call("external_login", .anyNode) { _ in
                throw CronicleFailure("user", "No external_user_api config param set.")
            },
        ]
    }

    // MARK: Sessions

    private func login(_ context: CallContext) async throws -> JSONObject {
        try Validation.require(
            context.values, [("username", Validation.isHost), ("password", { !$0.isEmpty })])
        let name = context.values["username"]?.scriptText ?? ""
        let session: String
        let user: User
        do {
            (session, user) = try await dependencies.accounts.login(
                username: name, password: context.values["password"]?.scriptText ?? "",
                address: context.request.remoteAddress, userAgent: context.request.headers["User-Agent"] ?? "")
        } catch let refusal as LoginRefusal {
            switch refusal {
            case .wrong: throw CronicleFailure("login", "Username or password incorrect.")
            case .disabled(let name): throw CronicleFailure("login", "User account is disabled: \(name)")
            case .locked: throw Self.locked
            }
        }
        await note("user_login", by: user.principal, context, user)
        return try await welcome(user, session: session, context)
    }

    private func logout(_ context: CallContext) async throws -> JSONObject {
        if case .session(let id) = context.credentials { try await dependencies.accounts.logout(id) }
        return [:]
    }

    private func resume(_ context: CallContext) async throws -> JSONObject {
        guard case .session(let id) = context.credentials else { return [:] }
        guard case .of(let user) = try await dependencies.accounts.session(id) else { throw Self.expired }
        guard user.isActive else {
            throw CronicleFailure("login", "User account is disabled: \(user.username)")
        }
        guard !user.isLocked else { throw Self.locked }
        return try await welcome(user, session: id, context)
    }

    private static var expired: CronicleFailure {
        CronicleFailure("session", "Session has expired or is invalid.")
    }
    private static var locked: CronicleFailure {
        CronicleFailure("login", "Account is locked out.  Please reset your password to unlock it.")
    }

    /// What a page needs to begin with.
    private func welcome(_ user: User, session: String, _ context: CallContext) async throws -> JSONObject {
        var answer: JSONObject = [
            "username": .string(user.username), "user": .object(Self.shape(user)), "session_id": .string(session),
            "epoch": dependencies.clock.now().epoch,
        ]
        for (key, value) in try await dependencies.overview(user.principal) { answer[key] = value }
        return answer
    }

    /// The user of the request's session.
    private func session(_ context: CallContext) async throws -> User {
        guard case .session(let id) = context.credentials,
            case .of(let user) = try await dependencies.accounts.session(id)
        else { throw Self.expired }
        guard user.isActive else { throw CronicleFailure("user", "User account is disabled: \(user.username)") }
        return user
    }

    private func administrator(_ context: CallContext) async throws -> User {
        let user = try await session(context)
        guard user.principal.has(.admin) else {
            throw CronicleFailure("user", "User is not an administrator: \(user.username)")
        }
        return user
    }

    // MARK: Oneself

    private func update(_ context: CallContext) async throws -> JSONObject {
        try Validation.permit(context.values, Self.rules)
        var user = try await session(context)
        guard context.values["username"]?.scriptText == user.username else {
            throw CronicleFailure("user", "Username mismatch.")
        }
        let isRight = try await dependencies.accounts.verify(context.text("old_password") ?? "", of: user)
        guard isRight else { throw CronicleFailure("user", "Your password is incorrect.") }
        try apply(context, to: &user, asAdministrator: false)
        var kept: String?
        if case .session(let id) = context.credentials { kept = id }
        try await dependencies.accounts.update(user, password: context.newPassword, keeping: kept)
        await note("user_update", by: user.principal, context, user)
        return ["user": .object(Self.shape(user))]
    }

    private func deleteSelf(_ context: CallContext) async throws -> JSONObject {
        let user = try await session(context)
        guard context.values["username"]?.scriptText == user.username else {
            throw CronicleFailure("user", "Username mismatch.")
        }
        guard try await dependencies.accounts.verify(context.text("password") ?? "", of: user) else {
            throw CronicleFailure("login", "Your password is incorrect.")
        }
        _ = try await dependencies.accounts.delete(user.username)
        await note("user_delete", by: user.principal, context, user)
        return [:]
    }

    // MARK: Forgotten passwords

    /// The answer is the same whether or not there is such a user.
    private func forgotPassword(_ context: CallContext) async throws -> JSONObject {
        try Validation.require(
            context.values, [("username", Validation.isHost), ("email", Self.isAddress)])
        if let recovery = try await dependencies.accounts.startRecovery(
            username: context.text("username") ?? "", email: context.text("email") ?? "")
        {
            await dependencies.mail(
                recovery.user.email, "Your Carillon password reset request",
                """
                Hello \(recovery.user.fullName),

                somebody, hopefully you, asked for a new password of the user \(recovery.user.username).
                To set one, send within an hour to /api/user/reset_password:

                {"username": "\(recovery.user.username)", "key": "\(recovery.token)", "new_password": "…"}

                If it was not you, there is nothing to do.
                """)
        }
        return [:]
    }

    private func resetPassword(_ context: CallContext) async throws -> JSONObject {
        try Validation.require(
            context.values,
            [
                ("username", Validation.isHost), ("new_password", Validation.isNotBlank),
                ("key", { $0.utf8.count == 64 && $0.allSatisfy(\.isHexDigit) }),
            ])
        let name = context.text("username") ?? ""
        guard
            try await dependencies.accounts.recover(
                username: name, token: context.text("key") ?? "", password: context.newPassword ?? "")
        else { throw CronicleFailure("login", "Password reset failed.") }
        if let user = try await dependencies.accounts.find(name) {
            await note("user_password", by: user.principal, context, user)
        }
        return [:]
    }

    // MARK: Administrators

    private func adminCreate(_ context: CallContext) async throws -> JSONObject {
        try Validation.require(context.values, Self.creation)
        try Validation.permit(context.values, Self.rules)
        let administrator = try await administrator(context)
        var user = User(
            username: context.values["username"]?.scriptText ?? "", created: dependencies.clock.now())
        user.privileges = Self.defaultPrivileges.text
        try apply(context, to: &user, asAdministrator: true)
        do {
            try await dependencies.accounts.create(user, password: context.values["password"]?.scriptText ?? "")
        } catch {
            guard error.code == .conflict else { throw error }
            throw CronicleFailure("user_exists", "User already exists: \(user.username)")
        }
        await note("user_create", by: administrator.principal, context, user)
        return [:]
    }

    private func adminUpdate(_ context: CallContext) async throws -> JSONObject {
        try Validation.require(context.values, [("username", Validation.isHost)])
        try Validation.permit(context.values, Self.rules)
        let administrator = try await administrator(context)
        var user = try await existing(context)
        try apply(context, to: &user, asAdministrator: true)
        if context.isTrue("unlock") {
            user.isLocked = false
            user.failures = 0
        }
        try await dependencies.accounts.update(user, password: context.newPassword)
        await note("user_update", by: administrator.principal, context, user)
        return ["user": .object(Self.shape(user))]
    }

    private func adminDelete(_ context: CallContext) async throws -> JSONObject {
        try Validation.require(context.values, [("username", Validation.isHost)])
        let administrator = try await administrator(context)
        let user = try await existing(context)
        _ = try await dependencies.accounts.delete(user.username)
        await note("user_delete", by: administrator.principal, context, user)
        return [:]
    }

    private func adminRead(_ context: CallContext) async throws -> JSONObject {
        try Validation.require(context.values, [("username", Validation.isHost)])
        _ = try await administrator(context)
        let name = context.values["username"]?.scriptText ?? ""
        guard let user = try await dependencies.accounts.find(name) else {
            throw CronicleFailure(
                "user", "Failed to load user: Error: Failed to fetch key: users/\(User.key(name)): File not found")
        }
        return ["user": .object(Self.shape(user))]
    }

    private func adminList(_ context: CallContext) async throws -> JSONObject {
        _ = try await administrator(context)
        let page = Page(context, defaultLimit: 50)
        return try await page.rows(pageSize: 100) { offset in
            let (users, count) = try await dependencies.accounts.users(offset: offset, limit: page.limit)
            return (users.map { .object(Self.shape($0)) }, count)
        }
    }

    private func existing(_ context: CallContext) async throws -> User {
        let name = context.values["username"]?.scriptText ?? ""
        guard let user = try await dependencies.accounts.find(name) else {
            throw CronicleFailure("user", "User not found: \(name)")
        }
        return user
    }

    // MARK: Values

    private static let isAddress: Validation.Check = { text in
        let parts = text.split(separator: "@", omittingEmptySubsequences: false)
        return parts.count >= 2 && !text.contains(where: \.isWhitespace) && !(parts.first?.isEmpty ?? true)
            && !(parts.last?.isEmpty ?? true)
    }

    private static let creation: [(key: String, check: Validation.Check)] = [
        ("username", Validation.isHost), ("email", isAddress), ("full_name", Validation.isNotBlank),
        ("password", Validation.isNotBlank),
    ]

    private static let rules: [Validation.Rule] = [
        .flag("active"), .text("email", isAddress), .text("full_name", Validation.isNotBlank),
        .text("new_password", Validation.isNotBlank), .text("username", Validation.isHost),
    ]

    private func apply(_ context: CallContext, to user: inout User, asAdministrator: Bool) throws(CronicleFailure) {
        try Validation.refuseMarkup(context.values, ["full_name", "email"])
        if let name = context.text("full_name") { user.fullName = name }
        if let address = context.text("email") { user.email = address }
        guard asAdministrator else { return }
        if let active = context.values["active"] {
            user.isActive = active.isTruthy
            var extra = Self.extra(user)
            extra["active"] = active
            user.extra = JSONValue.object(extra).text
        }
        if let privileges = try KeyCalls.privileges(context.values) {
            user.privileges = JSONValue.object(privileges).text
            user.granted = Set(privileges.granted)
        }
    }

    private static func extra(_ user: User) -> JSONObject {
        (try? JSONValue(parsing: Array(user.extra.utf8)))?.objectValue ?? JSONObject()  // ours, and readable
    }

    /// Never the password.
    static func shape(_ user: User) -> JSONObject {
        let privileges = (try? JSONValue(parsing: Array(user.privileges.utf8))) ?? [:]  // ours, and readable
        var object: JSONObject = [
            "username": .string(user.username), "full_name": .string(user.fullName), "email": .string(user.email),
            "active": extra(user)["active"] ?? (user.isActive ? 1 : 0), "privileges": privileges,
            "modified": user.modified.epochSeconds, "created": user.created.epochSeconds,
        ]
        if user.failures > 0 {
            object["fl_date_code"] = .integer(user.failureHour)
            object["fl_count"] = .integer(Int64(user.failures))
        }
        if user.isLocked { object["force_password_reset"] = 1 }
        return object
    }

    private func note(_ action: String, by principal: Principal, _ context: CallContext, _ user: User) async {
        await dependencies.activity.record(
            action, by: principal, from: context.request.remoteAddress, ["user": .object(Self.shape(user))])
    }
}

extension CallContext {
    var credentials: CronicleCredentials { CronicleCredentials(request, parameters, namespace: namespace) }
    var newPassword: String? { text("new_password").flatMap { $0.isEmpty ? nil : $0 } }
}
