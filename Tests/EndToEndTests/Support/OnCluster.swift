import Foundation
import TestSupport
import Testing

/// A cluster that lives as long as a suite, for all tests in it.
struct OnCluster: SuiteTrait, TestScoping {
    let options: @Sendable () throws -> Cluster.Options

    /// Tests of one suite use it one after the other, each on a thread of its own that has ended before the next one
    /// begins: that is the reason for `@unchecked Sendable`.
    final class Held: @unchecked Sendable {
        let cluster: Cluster
        init(_ cluster: Cluster) { self.cluster = cluster }
    }

    @TaskLocal static var held: Held?

    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        let options = options
        let held = try await onLoop { _ in Held(try Cluster.started(options())) }
        let outcome: Result<Void, any Error>
        do { outcome = .success(try await Self.$held.withValue(held) { try await function() }) } catch {
            outcome = .failure(error)
        }
        await withCheckedContinuation { done in
            Thread.detachNewThread {
                held.cluster.end()
                done.resume()
            }
        }
        try outcome.get()
    }
}

extension Trait where Self == OnCluster {
    /// - Parameter nodeArguments: more words for each node's command line.
    static func cluster(nodes: Int, workers: Int, _ nodeArguments: String...) -> Self {
        cluster {
            var options = Cluster.Options()
            options.nodes = nodes
            options.workers = workers
            options.nodeArguments = nodeArguments
            return options
        }
    }

    static func cluster(_ options: @escaping @Sendable () throws -> Cluster.Options) -> Self {
        OnCluster(options: options)
    }
}

/// Runs a test's body on the cluster of its suite, on a thread that may block.
func onCluster(_ body: @escaping @Sendable (Cluster) throws -> Void) async throws {
    guard let held = OnCluster.held else { throw Cluster.Failure(description: "this suite has no cluster") }
    try await onLoop { _ in
        try held.cluster.showingLogs { try body(held.cluster) }
    }
}
