/// `carillon worker list|show|drain|resume`, over the management routes. `carillon worker` itself, which runs one, is
/// another command: it begins with an option and these with a word.
enum WorkerCommands {
    static let all = [list, show, drain, resume]

    private static let name = Command.Positional(name: "NAME", help: "the worker's name")

    static let list = Command(
        path: ["worker", "list"], summary: "List the workers", options: ClientCommands.shared
    ) { arguments in
        try ClientCommands.perform(arguments) { client, output in
            let answer = try await client.json(.get, ManagementRoute.workers)
            output.show(answer) { ManagementTable.workers(answer, output.style).text }
        }
    }

    static let show = Command(
        path: ["worker", "show"], summary: "Show a worker: what it offers, holds and enforces", positionals: [name],
        options: ClientCommands.shared
    ) { arguments in
        try ClientCommands.perform(arguments) { client, output in
            let name = arguments.positionals[0]
            let workers = try await client.json(.get, ManagementRoute.workers)["workers"]?.arrayValue ?? []
            guard let worker = workers.first(where: { $0["name"]?.stringValue == name }) else {
                let known = workers.compactMap { $0["name"]?.stringValue }
                throw APIClient.Failure(
                    status: 404, message: "no worker has the name '\(name)'" + Suggestion.text(for: name, among: known))
            }
            output.show(worker) { ManagementTable.worker(worker, output.style) }
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
            let answer = try await client.json(
                .post, ManagementRoute.worker(arguments.positionals[0], action), repeatable: true)
            output.show(answer) { "\(done) \(arguments.positionals[0])" }
        }
    }
}
