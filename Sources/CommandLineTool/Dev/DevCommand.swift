/// `carillon dev`: a whole cluster on this machine, for trying it out and for developing against it.
enum DevCommand {
    /// A command that had to succeed and did not.
    struct ChildFailure: Error, CustomStringConvertible {
        let name: String
        let ending: ChildProcess.Ending
        var description: String { "\(name) ended with \(ending); its messages stand above" }
    }

    struct Settings: Sendable, Equatable {
        var nodes: Int
        var workers: Int
        var port: Int
        var dataDirectory: String
        /// HTTPS, with certificates of its own.
        var hasTLS = false
    }

    static let firstWorkerPort = 18_080

    private static let nodes = Option<Int>.integer("nodes", "N", "scheduler nodes", in: 1...9, default: 1)
    private static let workers = Option<Int>.integer("workers", "N", "workers", in: 0...9, default: 1)
    private static let port = Option<Int>.integer(
        "port", "PORT", "the first node's port; the others have the ports after it", in: 1...65_526, default: 8080)
    private static let dataDirectory = Option<String>.text(
        "data-dir", "DIR", "where everything is kept, the database included", default: "./carillon-data")
    private static let tls = Option<Bool>.flag(
        "tls", "HTTPS everywhere, by certificates that are made below DIR/tls (needs the openssl command)")

    static let command = Command(
        path: ["dev"], summary: "Run a whole cluster on this machine",
        details: """
            Starts a private PostgreSQL (made on first use, reached through a unix socket only, as user postgres when \
            root starts it), the nodes and the workers, all of them on 127.0.0.1. Prints the nodes' URLs and the \
            administrator's key, which DIR/admin.key keeps. A node or worker that dies is started again: kill the \
            leader with kill -9 and watch another one take over.

            Commands run as whoever has started this, root included (a worker of a real cluster that root has started \
            runs them as nobody).

            With --tls clients verify the nodes by DIR/tls/ca.pem: curl --cacert, carillon --tls-ca.

            ctrl-C stops all of it. Started again with the same DIR it has kept everything.
            """,
        examples: ["carillon dev", "carillon dev --nodes 3 --workers 2 --data-dir /tmp/try"],
        options: [nodes.declaration, workers.declaration, port.declaration, dataDirectory.declaration, tls.declaration]
    ) { arguments in
        let settings = Settings(
            nodes: try arguments.get(nodes), workers: try arguments.get(workers), port: try arguments.get(port),
            dataDirectory: try arguments.get(dataDirectory), hasTLS: try arguments.get(tls))
        guard !settings.dataDirectory.isEmpty else { throw UsageError("--data-dir: must not be empty") }
        return try DevCluster.run(settings)
    }
}
