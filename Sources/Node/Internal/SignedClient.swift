import Crypto
import Domain
import HTTP
import HTTPTransport
import Synchronization
import Timetable
import WorkerProtocol

/// Sends signed messages of the internal protocol and believes only signed answers.
struct SignedClient: Sendable {
    let client: HTTPClient
    let signer: MessageSigner
    let clock: any WallClock
    /// For peers with https URLs.
    let tls: ClusterTLS?
    private let peers: Peers

    private final class Peers: Sendable {
        let versions: Mutex<PeerVersions>
        init(_ own: ProtocolVersions) { versions = Mutex(PeerVersions(own: own)) }
    }

    init(client: HTTPClient, signer: MessageSigner, clock: any WallClock, tls: ClusterTLS?) {
        self.client = client
        self.signer = signer
        self.clock = clock
        self.tls = tls
        peers = Peers(signer.versions)
    }

    /// Sends a message, and once more in an older version of the protocol where the peer speaks no newer one.
    /// - Returns: body of an answer with status 200.
    /// - Throws: `TransportError`.
    func send(
        _ body: [UInt8], to url: String, path: String, receiver: String, timeout: Duration,
        accepting statuses: Set<Int> = [200]
    ) async throws(TransportError) -> [UInt8] {
        var version = peers.versions.withLock { $0.version(for: url) }
        while true {
            let exchanged = try await exchange(
                body, to: url, path: path, receiver: receiver, timeout: timeout, version: version)
            let again = peers.versions.withLock {
                $0.answered(by: url, to: version, speaking: exchanged.answer.headers[WireHeader.versions])
            }
            if let again, exchanged.refusal != nil {
                // Each time an older one: this ends.
                version = again
                continue
            }
            let answer = exchanged.answer
            if answer.status == 200, let refusal = exchanged.refusal {
                throw TransportError(.refused, "the answer of \(url) is not to be believed: \(refusal.message)")
            }
            guard exchanged.refusal == nil, statuses.contains(answer.status) else {
                throw WireError(status: answer.status, body: answer.body).transportError
            }
            return answer.body
        }
    }

    /// One request.
    /// - Returns: the answer, and why it is not believed.
    private func exchange(
        _ body: [UInt8], to url: String, path: String, receiver: String, timeout: Duration, version: Int
    ) async throws(TransportError) -> (answer: HTTPClientResponse, refusal: DomainError?) {
        let headers: HTTPHeaders
        let pending: MessageSigner.Pending
        do {
            var signed = try signer.sign(
                method: .post, path: path, body: body, receiver: receiver, now: clock.now(),
                nonce: try RandomBytes.make(WireLimits.nonceBytes), version: version)
            signed.headers["Content-Type"] = "application/json"
            headers = signed.headers
            pending = signed.pending
        } catch { throw TransportError(.refused, "the message could not be signed: \(error)") }
        let answer: HTTPClientResponse
        do {
            var request = HTTPClientRequest(
                method: .post, url: url + path, headers: headers, body: body, timeout: timeout,
                connectTimeout: min(timeout, .seconds(1)), maximumResponseBytes: WireLimits.body)
            request.tls = tls?.client
            answer = try await client.execute(request)
        } catch { throw TransportError(.unreachable, "\(url) does not answer: \(error)") }
        do {
            try signer.verifyResponse(
                status: answer.status, headers: answer.headers, body: answer.body, to: pending, now: clock.now())
        } catch { return (answer, error) }
        return (answer, nil)
    }
}

/// Leader to worker over HTTP.
struct HTTPWorkerTransport: WorkerTransport {
    let client: SignedClient
    /// A worker that takes longer is treated as if it had not got the message.
    static let timeout = Duration.seconds(2)

    func offer(_ batch: OfferBatch, to worker: WorkerDescription) async throws(TransportError) -> OfferReply {
        let body = try await client.send(
            WorkerMessageCoding.encode(batch), to: worker.url, path: WorkerPath.offer, receiver: worker.name,
            timeout: Self.timeout, accepting: [200, 409])
        return try decoded { () throws(DomainError) in try WorkerMessageCoding.decodeOfferReply(body) }
    }

    func kill(_ request: KillRequest, at worker: WorkerDescription) async throws(TransportError) {
        _ = try await client.send(
            WorkerMessageCoding.encode(request), to: worker.url, path: WorkerPath.kill, receiver: worker.name,
            timeout: Self.timeout)
    }

    func adjust(_ request: AdjustRequest, at worker: WorkerDescription) async throws(TransportError) {
        _ = try await client.send(
            WorkerMessageCoding.encode(request), to: worker.url, path: WorkerPath.adjust, receiver: worker.name,
            timeout: Self.timeout)
    }
}

/// Worker to one node over HTTP.
struct HTTPReportSink: ReportSink {
    let client: SignedClient
    let url: String
    static let timeout = Duration.seconds(3)

    func register(_ worker: WorkerDescription) async throws(TransportError) -> HeartbeatReply {
        let body = try await send(WorkerMessageCoding.encode(worker), WorkerPath.register)
        return try decoded { () throws(DomainError) in try WorkerMessageCoding.decodeHeartbeatReply(body) }
    }

    func heartbeat(_ heartbeat: WorkerHeartbeat) async throws(TransportError) -> HeartbeatReply {
        let body = try await send(WorkerMessageCoding.encode(heartbeat), WorkerPath.heartbeat)
        return try decoded { () throws(DomainError) in try WorkerMessageCoding.decodeHeartbeatReply(body) }
    }

    func claim(_ request: ClaimRequest) async throws(TransportError) -> ClaimReply {
        let body = try await send(WorkerMessageCoding.encode(request), WorkerPath.claim)
        return try decoded { () throws(DomainError) in try WorkerMessageCoding.decodeClaimReply(body) }
    }

    func report(_ reports: [AttemptReport]) async throws(TransportError) -> ReportReply {
        let body = try await send(WorkerMessageCoding.encode(reports), WorkerPath.report)
        return try decoded { () throws(DomainError) in try WorkerMessageCoding.decodeReportReply(body) }
    }

    private func send(_ body: [UInt8], _ path: String) async throws(TransportError) -> [UInt8] {
        try await client.send(
            body, to: url, path: path, receiver: MessageVerifier.anyNode, timeout: Self.timeout)
    }
}

private func decoded<T>(_ body: () throws(DomainError) -> T) throws(TransportError) -> T {
    do { return try body() } catch { throw TransportError(.failed, "an answer that cannot be read: \(error.message)") }
}
