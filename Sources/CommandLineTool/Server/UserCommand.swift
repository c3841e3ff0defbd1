import Domain
import Glibc
import JSON
import Node
import Timetable

/// `carillon user …`: those who log in with a password. The first one can only be made so.
enum UserCommand {
    static let all = [create, list, passwd, disable, enable, delete]

    private static let fullName = Option<String?>.optionalText("full-name", "TEXT", "default: the user name")
    private static let email = Option<String?>.optionalText(
        "email", "ADDRESS", "where a new password can be asked for (default: NAME@localhost)")
    private static let privileges = Option<[String]>.list(
        "privilege", "PRIVILEGE",
        "one of \(Privilege.allCases.map(\.rawValue).joined(separator: ", ")), cat_limit and cat_ID, grp_limit and "
            + "grp_ID, job_read_only; none: 'admin' for the first user, else create, edit and delete events")
    private static let password = Option<String?>.optionalText(
        "password", "TEXT", "better asked for, or read from standard input: others on this machine see options")

    static let create = Command(
        path: ["user", "create"], summary: "Make a user who logs in with a password",
        details: "The password is asked for, or read from standard input where that is no terminal.",
        examples: ["carillon user create admin --database-url URL"],
        positionals: [.init(name: "NAME", help: "by which the user logs in")],
        options: [
            ServerOptions.databaseURL.declaration, fullName.declaration, email.declaration, privileges.declaration,
            password.declaration,
        ]
    ) { arguments in
        let url = try arguments.get(ServerOptions.databaseURL)
        let name = arguments.positionals[0]
        let fullName = try arguments.get(fullName) ?? name
        let email = try arguments.get(email) ?? "\(name)@localhost"
        let privileges = try arguments.get(privileges)
        let password = try arguments.get(password) ?? readPassword(of: name)
        return try ServerOptions.serve { loop, _ in
            try await DatabaseTasks(url: url, loop: loop).createUser(
                name, fullName: fullName, email: email, privileges: privileges, password: password)
            Console.error("user \(name) was made")
        }
    }

    private static let name = Command.Positional(name: "NAME", help: "by which the user logs in")

    static let list = Command(
        path: ["user", "list"], summary: "List the users",
        options: [ServerOptions.databaseURL.declaration, ClientCommands.json.declaration]
    ) { arguments in
        let url = try arguments.get(ServerOptions.databaseURL)
        let wantsJSON = try arguments.get(ClientCommands.json)
        return try ServerOptions.serve { loop, _ in
            let users = try await DatabaseTasks(url: url, loop: loop).users()
            Console.out(wantsJSON ? json(users).text : table(users, .ofThisProcess()).text)
        }
    }

    private static func json(_ users: [User]) -> JSONValue {
        [
            "users": .array(
                users.map {
                    [
                        "username": .string($0.username), "full_name": .string($0.fullName),
                        "email": .string($0.email), "active": .bool($0.isActive), "locked": .bool($0.isLocked),
                        "privileges": .array($0.granted.sorted().map { .string($0) }),
                        "created": .string($0.created.iso8601),
                    ]
                })
        ]
    }

    private static func table(_ users: [User], _ style: Style) -> Table {
        var table = Table(["NAME", "FULL NAME", "EMAIL", "STATE", "PRIVILEGES", "CREATED"], style: style)
        for user in users {
            table.add([
                user.username, user.fullName, user.email,
                user.isLocked ? "locked" : user.isActive ? "active" : "disabled",
                user.granted.sorted().joined(separator: ","), style.when(.string(user.created.iso8601)),
            ])
        }
        return table
    }

    static let passwd = Command(
        path: ["user", "passwd"], summary: "Give a user a new password, and open a locked account",
        details: "The password is asked for, or read from standard input. All sessions of the user end.",
        positionals: [name], options: [ServerOptions.databaseURL.declaration, password.declaration]
    ) { arguments in
        let name = arguments.positionals[0]
        let password = try arguments.get(password) ?? readPassword(of: name)
        return try change(arguments, "has a new password") { try await $0.setPassword(of: name, to: password) }
    }

    static let disable = Command(
        path: ["user", "disable"], summary: "Let a user log in no more", positionals: [name],
        options: [ServerOptions.databaseURL.declaration]
    ) { arguments in
        let name = arguments.positionals[0]
        return try change(arguments, "is disabled") { try await $0.setActive(user: name, false) }
    }

    static let enable = Command(
        path: ["user", "enable"], summary: "Let a user log in again", positionals: [name],
        options: [ServerOptions.databaseURL.declaration]
    ) { arguments in
        let name = arguments.positionals[0]
        return try change(arguments, "is enabled") { try await $0.setActive(user: name, true) }
    }

    static let delete = Command(
        path: ["user", "delete"], summary: "Remove a user", positionals: [name],
        options: [ServerOptions.databaseURL.declaration]
    ) { arguments in
        let name = arguments.positionals[0]
        return try change(arguments, "was removed") { try await $0.deleteUser(name) }
    }

    private static func change(
        _ arguments: Arguments, _ done: String, _ body: @escaping @Sendable (DatabaseTasks) async throws -> Void
    ) throws -> Int32 {
        let url = try arguments.get(ServerOptions.databaseURL)
        let name = arguments.positionals[0]
        return try ServerOptions.serve { loop, _ in
            try await body(DatabaseTasks(url: url, loop: loop))
            Console.error("user \(name) \(done)")
        }
    }

    private static func readPassword(of name: String) throws -> String {
        guard isatty(STDIN_FILENO) == 1 else {
            guard let line = readLine(strippingNewline: true), !line.isEmpty else {
                throw UsageError("there is no password on standard input: write it as its first line")
            }
            return line
        }
        let first = try prompt("password of \(name):")
        guard try prompt("once more:") == first else { throw UsageError("the two passwords differ") }
        return first
    }

    /// Without an echo.
    private static func prompt(_ text: String) throws -> String {
        var settings = termios()
        let isKnown = tcgetattr(STDIN_FILENO, &settings) == 0
        var silent = settings
        silent.c_lflag &= ~tcflag_t(ECHO)
        if isKnown { tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent) }
        defer { if isKnown { tcsetattr(STDIN_FILENO, TCSAFLUSH, &settings) } }
        Console.error(text)
        let line = readLine(strippingNewline: true)
        guard let line, !line.isEmpty else { throw UsageError("no password was given") }
        return line
    }
}
