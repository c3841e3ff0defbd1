/// Something that lives as long as its owner wants: one method that runs until it is cancelled.
///
/// A service that returns or throws before that has failed; its owner decides what this means for the others.
public protocol Service: Sendable {
    /// For logs: an agent noun, as in "elector".
    var name: String { get }

    /// Runs until the task is cancelled, cleans up and returns (or throws `CancellationError`).
    func run() async throws
}

/// A service ended that should have run on.
public struct ServiceEnded: Error, Sendable, CustomStringConvertible {
    public let service: String
    public let cause: (any Error)?

    public var description: String {
        guard let cause else { return "\(service) has ended" }
        return "\(service) has failed: \(cause)"
    }
}

/// Runs services side by side until the caller is cancelled or one of them ends; then cancels the others and returns
/// when all of them have ended.
/// - Throws: `ServiceEnded` for the first that ended on its own. Nothing when the caller was cancelled.
public func runServices(_ services: [any Service], on timekeeper: any Timekeeper) async throws {
    let first = await withTaskGroup(of: ServiceEnded.self) { group -> ServiceEnded? in
        for service in services {
            group.addTask(executorPreference: timekeeper) {
                do {
                    try await service.run()
                    return ServiceEnded(service: service.name, cause: nil)
                } catch {
                    return ServiceEnded(service: service.name, cause: error)
                }
            }
        }
        let first = await group.next()
        let wasCancelled = Task.isCancelled
        group.cancelAll()
        await group.waitForAll()
        return wasCancelled ? nil : first
    }
    if let first { throw first }
}
