import HTTPTransport
import JSON
import Runtime

/// The commands that speak to a cluster over its API: what they share.
enum ClientCommands {
    static let url = Option<String>.text(
        "url", "URL", "any node of the cluster, or several with commas between them", default: "http://127.0.0.1:8080")
    static let key = Option<String?>.optionalText(
        "key", "KEY", "the API key", environment: "CARILLON_API_KEY")
    static let json = Option<Bool>.flag("json", "print what the server answers, one JSON value, for scripts")

    static let shared: [OptionDeclaration] =
        [url.declaration, key.declaration, json.declaration] + TLSOptions.clientDeclarations

    static let all: [Command] =
        StatusCommands.all + [HealthCommand.command] + JobCommands.all + RunCommands.all + WorkerCommands.all
        + ConfigurationCommands.all

    /// How a command shows what it has got: as the server's JSON or as text for people.
    struct Output: Sendable {
        let wantsJSON: Bool
        var style = Style.plain

        func show(_ answer: JSONValue, _ people: () -> String) {
            Console.out(wantsJSON ? answer.text : people())
        }

        /// What has been done, where the server answers nothing.
        func done(_ text: String) {
            if !wantsJSON { Console.out(text) }
        }
    }

    /// Runs a body with a client on a loop of its own.
    static func perform(
        _ arguments: Arguments, _ body: @escaping @Sendable (APIClient, Output) async throws -> Void
    ) throws -> Int32 {
        try performOnLoop(arguments) { client, output, _ in try await body(client, output) }
    }

    /// The same for a body that needs the loop for more than the client.
    static func performOnLoop(
        _ arguments: Arguments, _ body: @escaping @Sendable (APIClient, Output, EventLoop) async throws -> Void
    ) throws -> Int32 {
        let url = try arguments.get(url)
        for part in url.split(separator: ",", omittingEmptySubsequences: false) {
            let part = trimmed(part)
            guard part.hasPrefix("http://") || part.hasPrefix("https://") else {
                throw UsageError("--url: '\(part)' is no URL, such as http://127.0.0.1:8080")
            }
        }
        let output = Output(wantsJSON: try arguments.get(json), style: .ofThisProcess())
        let key = try arguments.get(key)
        let tls = try TLSOptions.client(arguments)
        let loop = try EventLoop()
        try loop.runUntilComplete {
            let http = HTTPClient(loop: loop)
            defer { http.close() }
            try await body(APIClient(url: url, key: key, http: http, timekeeper: loop, tls: tls), output, loop)
        }
        return 0
    }
}
