// TestSupport: what tests need that talk to a real PostgreSQL or run on an event loop.
//
// `TestPostgres` is a private server: its own directory, unix socket and port. A small shell supervises it and takes
// orders on a pipe; when the test process ends, however it ends, the pipe closes, the server is stopped and its
// directory removed.

import Foundation
public import Runtime
import Synchronization

/// Runs the body of a test on the thread of a fresh loop, which is stopped afterwards. What the body started and left
/// running is never resumed: await or cancel it inside.
public func onLoop<T: Sendable>(_ body: @escaping @Sendable (EventLoop) async throws -> T) async throws -> T {
    let loop = try EventLoop.startThread(named: "test loop")
    defer { loop.stop() }
    // Started inside the caller's task, so that it inherits the test's task-local values.
    return try await withCheckedThrowingContinuation { continuation in
        loop.start("test") {
            do { continuation.resume(returning: try await body(loop)) } catch { continuation.resume(throwing: error) }
        }
    }
}

/// The same for callers that are not asynchronous: blocks the calling thread, which may itself be a loop's.
public func blocking<T: Sendable>(_ body: @escaping @Sendable (EventLoop) async throws -> T) throws -> T {
    let done = DispatchSemaphore(value: 0)
    let outcome = Outcome<T>()
    let loop = try EventLoop.startThread(named: "test loop")
    defer { loop.stop() }
    loop.start("test") {
        let result: Result<T, any Error>
        do { result = .success(try await body(loop)) } catch { result = .failure(error) }
        outcome.value.withLock { $0 = result }
        done.signal()
    }
    done.wait()
    guard let result = outcome.value.withLock({ $0 }) else {
        throw TestPostgres.Failure(description: "the body left no result")
    }
    return try result.get()
}

private final class Outcome<T: Sendable>: Sendable {
    let value = Mutex<Result<T, any Error>?>(nil)
}
