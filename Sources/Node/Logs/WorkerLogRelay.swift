import Domain
import HTTPTransport
import Runtime
import WorkerProtocol

/// Asks workers for what they have of a log. With a client of its own: questions that wait for output must not keep
/// offers waiting for a connection.
struct WorkerLogRelay: Sendable {
    let client: SignedClient
    static let timeout = Duration.seconds(5)

    func piece(_ request: LogRequest, of worker: WorkerDescription) async throws(TransportError) -> LogPiece {
        let body = try await client.send(
            WorkerMessageCoding.encode(request), to: worker.url, path: WorkerPath.readLog, receiver: worker.name,
            timeout: Self.timeout + .milliseconds(request.waitMilliseconds))
        do { return try WorkerMessageCoding.decodeLogPiece(body) } catch {
            throw TransportError(.failed, "an answer that cannot be read: \(error.message)")
        }
    }

    /// Questions that are under way fail.
    func close() { client.client.close() }
}
