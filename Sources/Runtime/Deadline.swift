/// A wait took longer than it was allowed to.
public struct DeadlineExceeded: Error, Sendable, Equatable, CustomStringConvertible {
    /// What was waited for, as a noun phrase: "connection to the database".
    public let what: String

    public init(_ what: String) {
        self.what = what
    }

    public var description: String { "\(what): the deadline has passed" }
}

/// Runs a body and cancels it when it is not done within the limit.
///
/// Returns only when the body has ended: a body that ignores cancellation makes the caller wait for it. In a task that
/// is cancelled already the body is cancelled from its start.
/// - Throws: `DeadlineExceeded` naming `what`; whatever the body throws; `CancellationError` when the caller is
///   cancelled and the body answers to that.
public func withDeadline<T: Sendable>(
    _ limit: Duration, on timekeeper: any Timekeeper, _ what: String, _ body: @escaping @Sendable () async throws -> T
) async throws -> T {
    try await withThrowingTaskGroup(of: Finish<T>.self) { group in
        group.addTask(executorPreference: timekeeper) { .body(try await body()) }
        group.addTask(executorPreference: timekeeper) {
            try await timekeeper.sleep(for: limit)
            return .limit
        }
        defer { group.cancelAll() }
        switch try await group.next() {
        case .body(let value): return value
        case .limit, nil: throw DeadlineExceeded(what)
        }
    }
}

private enum Finish<T: Sendable>: Sendable {
    case body(T)
    case limit
}
