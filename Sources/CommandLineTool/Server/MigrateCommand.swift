import Domain
import Node

/// `carillon migrate`: brings the database's schema to this release's, and nothing else.
enum MigrateCommand {
    static let command = Command(
        path: ["migrate"], summary: "Make or update the database's schema",
        options: [ServerOptions.databaseURL.declaration, ServerOptions.logLevel.declaration]
    ) { arguments in
        try ServerOptions.setLogLevel(arguments)
        let url = try arguments.get(ServerOptions.databaseURL)
        return try ServerOptions.serve { loop, _ in
            try await DatabaseTasks(url: url, loop: loop).migrate()
        }
    }
}

/// `carillon key create`: makes an API key and prints it, and nothing else, on standard output.
enum KeyCommand {
    private static let title = Option<String>.requiredText("title", "TEXT", "whom or what the key is for")
    private static let privileges = Option<[String]>.list(
        "privilege", "PRIVILEGE",
        "one of \(Privilege.allCases.map(\.rawValue).joined(separator: ", ")); none: reading alone")

    static let create = Command(
        path: ["key", "create"], summary: "Make an API key",
        details: "Prints the key, which is stored nowhere and cannot be shown again.",
        examples: ["carillon key create --database-url URL --title deployment --privilege create_events"],
        options: [ServerOptions.databaseURL.declaration, title.declaration, privileges.declaration]
    ) { arguments in
        let url = try arguments.get(ServerOptions.databaseURL)
        let title = try arguments.get(title)
        let privileges = Set(try arguments.get(privileges).map { try privilege($0, option: "privilege") })
        return try ServerOptions.serve { loop, _ in
            Console.out(try await DatabaseTasks(url: url, loop: loop).createKey(title: title, privileges: privileges))
        }
    }

    static func privilege(_ word: String, option: String) throws -> Privilege {
        guard let privilege = Privilege(rawValue: word) else {
            let names = Privilege.allCases.map(\.rawValue)
            throw UsageError("--\(option): '\(word)' is no privilege" + Suggestion.text(for: word, among: names))
        }
        return privilege
    }
}
