import HTTPTransport
import Runtime

/// `carillon health`: a probe for machines and images that have neither a shell nor curl.
enum HealthCommand {
    private static let listen = Option<String?>.optionalText(
        "listen", "HOST:PORT", "where no URL is given: the address that the node or worker was started with")
    private static let advertise = Option<String?>.optionalText(
        "advertise", "URL", "the same, asked instead where it is https: certificates name it")

    /// A server that needs longer to say "pong" is not well.
    static let patience = Duration.seconds(5)
    static let longestAnswer = 64 * 1024

    static let command = Command(
        path: ["health"], summary: "Tell whether a node or worker answers",
        details: """
            Exit status 0: it answered 200; 1: it did not. Without a URL /ping is asked for at the port of --listen \
            on this machine, which in a container stands in CARILLON_LISTEN or the configuration file already.
            """,
        examples: [
            "carillon health http://node-1:8080/health/leader", "CARILLON_LISTEN=0.0.0.0:8080 carillon health",
        ],
        positionals: [.init(name: "URL", help: "what to ask for, such as http://node-1:8080/health", isOptional: true)],
        options: [listen.declaration, advertise.declaration] + TLSOptions.clientDeclarations
    ) { arguments in
        let url =
            try arguments.positional(0)
            ?? ownURL(try arguments.get(listen), advertised: try arguments.get(advertise) ?? "")
        guard url.hasPrefix("http://") || url.hasPrefix("https://") else {
            throw UsageError("'\(url)' is no URL: write such as http://127.0.0.1:8080/ping")
        }
        var request = HTTPClientRequest(
            url: url, timeout: patience, connectTimeout: patience, maximumResponseBytes: longestAnswer)
        request.tls = try TLSOptions.client(arguments)
        let probe = request
        let loop = try EventLoop()
        return try loop.runUntilComplete {
            let client = HTTPClient(loop: loop)
            defer { client.close() }
            do {
                let answer = try await client.execute(probe)
                if answer.status == 200 { return 0 }
                Console.error("carillon: \(url): status \(answer.status)")
            } catch let error as HTTPClientError {
                Console.error("carillon: \(url): \(error.message)")
            }
            return 1
        }
    }

    /// Whatever addresses it listens at, it can be reached at one of this machine.
    static func ownURL(_ listen: String?, advertised: String = "") throws(UsageError) -> String {
        if advertised.hasPrefix("https://") { return try ServerOptions.url(advertised, option: "advertise") + "/ping" }
        guard let listen else {
            throw UsageError("whom to ask? Name a URL, or --listen HOST:PORT (or CARILLON_LISTEN)")
        }
        let (host, port) = try ServerOptions.address(listen, option: "listen")
        let anywhere: Set<String> = ["", "*", "0.0.0.0", "::"]
        let reached = anywhere.contains(host) ? (host == "::" ? "[::1]" : "127.0.0.1") : host
        return "http://\(reached.contains(":") && !reached.hasPrefix("[") ? "[\(reached)]" : reached):\(port)/ping"
    }
}
