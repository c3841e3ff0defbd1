import HTTP
import HTTPTransport
import Runtime
import Testing

/// A server on a loop of its own, for one test.
struct Harness: Sendable {
    let loop: EventLoop
    let server: HTTPServer
    let port: Int
    private let threads = BlockingPool(threads: 2, queueLimit: 64)

    /// Runs blocking code away from the threads that tests share.
    func blocking<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
        try await threads.run(body)
    }

    /// Runs asynchronous code on the server's loop.
    func onLoop<T: Sendable>(_ body: @escaping @Sendable () async throws -> T) async throws -> T {
        try await Self.run(on: loop, body)
    }

    static func run<T: Sendable>(
        on loop: EventLoop, _ body: @escaping @Sendable () async throws -> T
    ) async throws -> T {
        try await withCheckedThrowingContinuation { continuation in
            loop.start("test") {
                do {
                    continuation.resume(returning: try await body())
                } catch {
                    continuation.resume(throwing: error)
                }
            }
        }
    }
}

/// Starts a server, runs the body, and stops the server whatever comes of it.
func withServer(
    _ configure: (inout HTTPServerConfiguration) -> Void = { _ in },
    handler: @escaping HTTPHandler = { request in .text("\(request.method) \(request.target)") },
    _ body: (Harness) async throws -> Void
) async throws {
    let loop = try EventLoop.startThread(named: "test")
    // Tests of a time limit set it themselves; for all others there is none that a busy machine could reach.
    let patient = Duration.seconds(600)
    var configuration = HTTPServerConfiguration(
        headerDeadline: patient, bodyWindow: patient, outputWindow: patient, idleDeadline: patient)
    configure(&configuration)
    let server = HTTPServer(
        configuration, loop: loop, log: Log("test", minimum: .error), handler: handler)
    let harness = Harness(loop: loop, server: server, port: try await server.start())
    do {
        try await body(harness)
    } catch {
        await server.drain(deadline: .zero)
        loop.stop()
        throw error
    }
    await server.drain(deadline: .zero)
    #expect(server.openConnections == 0)
    loop.stop()
}

/// Opened once, from anywhere; whoever waits goes on.
actor Gate {
    private var isOpen = false
    private var waiting: [CheckedContinuation<Void, Never>] = []

    func open() {
        isOpen = true
        waiting.forEach { $0.resume() }
        waiting = []
    }

    func wait() async {
        if isOpen { return }
        await withCheckedContinuation { waiting.append($0) }
    }
}
