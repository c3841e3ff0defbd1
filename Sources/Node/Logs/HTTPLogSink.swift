import Domain
import Execution
import HTTPTransport
import Synchronization
import WorkerProtocol

/// Any node, as a keeper of logs: the one that answered last, then the others.
final class HTTPLogSink: LogSink {
    private let client: SignedClient
    private let nodes: [String]
    private let first = Mutex(0)
    /// A batch may be some megabytes, and the node answers when they are in the database.
    static let timeout = Duration.seconds(20)

    init(client: SignedClient, nodes: [String]) {
        self.client = client
        self.nodes = nodes
    }

    func store(_ logs: [AttemptLog]) async throws(TransportError) -> [AttemptID] {
        let body = WorkerMessageCoding.encode(logs)
        let start = first.withLock { $0 }
        var failure = TransportError(.unreachable, "no node is configured")
        for offset in nodes.indices {
            let index = (start + offset) % nodes.count
            do {
                let answer = try await client.send(
                    body, to: nodes[index], path: WorkerPath.logs, receiver: MessageVerifier.anyNode,
                    timeout: Self.timeout)
                first.withLock { $0 = index }
                return try WorkerMessageCoding.decodeReportReply(answer).acknowledged
            } catch let error as TransportError {
                failure = error
                // Another node would refuse it as well.
                if error.code == .refused { throw error }
            } catch {
                failure = TransportError(.failed, "an answer that cannot be read: \(error)")
            }
        }
        throw failure
    }
}
