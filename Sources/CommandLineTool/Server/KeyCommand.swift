import Domain
import JSON
import Node
import Timetable

/// `carillon key create|list|revoke`: API keys, in the database itself, so that they need no key.
enum KeyCommand {
    static let all = [create, list, revoke]

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

    static let list = Command(
        path: ["key", "list"], summary: "List the API keys, newest first",
        details: "Keys themselves are stored nowhere; SHOWN is the part by which one is recognised.",
        options: [ServerOptions.databaseURL.declaration, ClientCommands.json.declaration]
    ) { arguments in
        let url = try arguments.get(ServerOptions.databaseURL)
        let wantsJSON = try arguments.get(ClientCommands.json)
        return try ServerOptions.serve { loop, _ in
            let keys = try await DatabaseTasks(url: url, loop: loop).keys()
            Console.out(wantsJSON ? json(keys).text : table(keys, .ofThisProcess()).text)
        }
    }

    static func json(_ keys: [KeyOverview]) -> JSONValue {
        [
            "keys": .array(
                keys.map {
                    [
                        "id": .string($0.id), "title": .string($0.title), "shown": .string($0.shown),
                        "active": .bool($0.isActive), "privileges": .array($0.privileges.map { .string($0) }),
                        "created": .string($0.created.iso8601), "username": .string($0.username),
                    ]
                })
        ]
    }

    private static func table(_ keys: [KeyOverview], _ style: Style) -> Table {
        var table = Table(["ID", "TITLE", "SHOWN", "ACTIVE", "PRIVILEGES", "CREATED"], style: style)
        for key in keys {
            table.add([
                key.id, key.title, key.shown, key.isActive ? "yes" : "no",
                key.privileges.isEmpty ? "read" : key.privileges.joined(separator: ","),
                style.when(.string(key.created.iso8601)),
            ])
        }
        return table
    }

    static let revoke = Command(
        path: ["key", "revoke"], summary: "Make an API key invalid, for good",
        details: "Nodes know of it within a few seconds.",
        positionals: [.init(name: "ID", help: "as 'carillon key list' shows it")],
        options: [ServerOptions.databaseURL.declaration]
    ) { arguments in
        let url = try arguments.get(ServerOptions.databaseURL)
        let id = arguments.positionals[0]
        return try ServerOptions.serve { loop, _ in
            try await DatabaseTasks(url: url, loop: loop).revokeKey(id)
            Console.error("key \(id) was revoked")
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
