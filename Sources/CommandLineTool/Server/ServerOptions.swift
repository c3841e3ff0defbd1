import Glibc
import Runtime

/// Options and steps that the commands which serve have in common.
enum ServerOptions {
    static let databaseURL = Option<String>.requiredText(
        "database-url", "URL", "the cluster's PostgreSQL, such as postgresql://user@host/carillon")
    static let secretFile = Option<String>.requiredText(
        "secret-file", "FILE",
        "the secret that nodes and workers share: a line, at best of 32 random characters; a second one is the former")
    static let listen = Option<String>.requiredText("listen", "HOST:PORT", "where to serve")
    static let name = Option<String?>.optionalText("name", "NAME", "its name in the cluster (default: the host's name)")
    static let logLevel = Option<String>.choice(
        "log-level", ["debug", "info", "notice", "warning", "error"], "the least important lines to log",
        default: "info")

    static let logFormat = Option<String>.choice(
        "log-format", ["text", "json"], "lines for people, or one JSON object a line", default: "text")

    /// What a command that logs lists among its options.
    static let logOptions = [logLevel.declaration, logFormat.declaration]

    static func setLogLevel(_ arguments: Arguments) throws {
        Log.level = Log.Level(name: try arguments.get(logLevel)) ?? .info
        Log.format = Log.Format(name: try arguments.get(logFormat)) ?? .text
    }

    /// Splits `host:port`; the host of an IPv6 address stands in brackets.
    static func address(_ text: String, option: String) throws(UsageError) -> (host: String, port: Int) {
        guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
            (0...65_535).contains(port)
        else { throw UsageError("--\(option): '\(text)' is no address: write HOST:PORT, such as 0.0.0.0:8080") }
        var host = String(text[..<colon])
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        return (host, port)
    }

    /// `http://host:port`, without a path or a slash at its end.
    static func url(_ text: String, option: String) throws(UsageError) -> String {
        var url = text
        while url.hasSuffix("/") { url.removeLast() }
        let rest = url.hasPrefix("http://") ? url.dropFirst(7) : url.hasPrefix("https://") ? url.dropFirst(8) : ""
        guard !rest.isEmpty, !rest.contains("/"), !rest.contains("?"), !rest.contains(" ") else {
            throw UsageError("--\(option): '\(text)' is no URL of a server: write http://HOST:PORT")
        }
        return url
    }

    static func secret(_ arguments: Arguments) throws -> String {
        let path = try arguments.get(secretFile)
        do { return try ConfigurationFile.read(path) } catch {
            throw UsageError("--secret-file: cannot read '\(path)': \(error)")
        }
    }

    typealias Stop = @Sendable () async throws -> Void

    /// Runs a body on a loop of its own; `stop` returns when the process was told to end.
    /// - Parameter onHangUp: called for each SIGHUP while `stop` is waited for; nil: the signal ends the process.
    static func serve(
        onHangUp: (@Sendable () async -> Void)? = nil,
        _ body: @escaping @Sendable (EventLoop, _ stop: @escaping Stop) async throws -> Void
    ) throws -> Int32 {
        raiseDescriptorLimit()
        let loop = try EventLoop()
        // Before any other thread is there, so that all of them have these signals blocked.
        let signals = try SignalStream(loop: loop, signals: [SIGTERM, SIGINT] + (onHangUp == nil ? [] : [SIGHUP]))
        try loop.runUntilComplete {
            try await body(loop) {
                while try await signals.next() == SIGHUP { await onHangUp?() }
            }
        }
        return 0
    }

    /// Ten thousand idle connections need as many descriptors.
    private static func raiseDescriptorLimit() {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        limit.rlim_cur = limit.rlim_max
        _ = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)  // what it is must do then
    }
}
