/// `carillon worker list|drain|resume`, over the management routes. `carillon worker` itself, which runs one, is
/// another command: it begins with an option and these with a word.
enum WorkerCommands {
    static let all = [list, drain, resume]

    private static let name = Command.Positional(name: "NAME", help: "the worker's name")

    static let list = Command(
        path: ["worker", "list"], summary: "List the workers", options: ClientCommands.shared
    ) { arguments in
        try ClientCommands.perform(arguments) { client, output in
            let answer = try await client.json(.get, ManagementRoute.workers)
            output.show(answer) { ManagementTable.workers(answer).text }
        }
    }

    static let drain = Command(
        path: ["worker", "drain"], summary: "Give a worker nothing new; it finishes what it holds",
        positionals: [name], options: ClientCommands.shared
    ) { try change($0, "drain", "draining") }

    static let resume = Command(
        path: ["worker", "resume"], summary: "Let a drained worker take work again",
        positionals: [name], options: ClientCommands.shared
    ) { try change($0, "resume", "resumed") }

    private static func change(_ arguments: Arguments, _ action: String, _ done: String) throws -> Int32 {
        try ClientCommands.perform(arguments) { client, output in
            let answer = try await client.json(.post, ManagementRoute.worker(arguments.positionals[0], action))
            output.show(answer) { "\(done) \(arguments.positionals[0])" }
        }
    }
}
