import Node

/// `carillon migrate`: brings the database's schema to this release's, and nothing else.
enum MigrateCommand {
    static let command = Command(
        path: ["migrate"], summary: "Make or update the database's schema",
        options: [ServerOptions.databaseURL.declaration] + ServerOptions.logOptions
    ) { arguments in
        try ServerOptions.setLogLevel(arguments)
        let url = try arguments.get(ServerOptions.databaseURL)
        return try ServerOptions.serve { loop, _ in
            try await DatabaseTasks(url: url, loop: loop).migrate()
        }
    }
}
