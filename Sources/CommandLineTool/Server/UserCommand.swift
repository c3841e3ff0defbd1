import Domain
import Glibc
import Node

/// `carillon user create`: makes somebody who can log in. The first one can only be made so.
enum UserCommand {
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
