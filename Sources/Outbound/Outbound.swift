// Outbound: what a worker asks of the world outside, by HTTP: a container engine at its socket, and servers of files.
//
// Both are ports of Execution (`ContainerEngine`, `Downloader`), which knows no HTTP; here they are made of
// HTTPTransport's client. What comes back is untrusted: bounded, read strictly where Carillon acts on it, and quoted in
// short where people read it.
//
// Who calls it: Node, which gives both to a worker's launcher.

/// Bounds of what is read from engines and servers.
enum OutboundLimits {
    /// One answer of an engine.
    static let answer = 4 * 1024 * 1024
    /// The whole output of one container.
    static let output = Int.max
    /// An engine's words in a message.
    static let message = 500
    /// Most requests to an engine are answered in milliseconds; making a container may wait for its storage.
    static let request: Duration = .seconds(60)
    static let connect: Duration = .seconds(5)
    /// One wait for the end of a container, or for its next output.
    static let follow: Duration = .seconds(20 * 86_400)
    /// A pull or a download in which nothing moves.
    static let idle: Duration = .seconds(60)
}
