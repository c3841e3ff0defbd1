import Domain
import HTTP
import Runtime
import Synchronization
import Timetable
import WorkerProtocol

/// The receiving side of the internal protocol: verifies a request before its body is parsed, answers signed.
final class SignedRoutes: Sendable {
    private let verifier: Mutex<MessageVerifier>
    private let clock: any WallClock
    private let log: Log
    /// A message must have come through TLS with a certificate that was verified, beside its signature.
    private let wantsCertificate: Bool

    init(verifier: MessageVerifier, clock: any WallClock, log: Log, wantsCertificate: Bool = false) {
        self.verifier = Mutex(verifier)
        self.clock = clock
        self.log = log
        self.wantsCertificate = wantsCertificate
    }

    typealias Answer = (status: Int, body: [UInt8])
    typealias Handler = @Sendable (_ body: [UInt8], _ sender: VerifiedMessage) async throws -> Answer

    func on(_ router: inout HTTPRouter, _ path: String, handler: @escaping Handler) {
        let metadata = RouteMetadata(audience: .anyNode, needsKey: false, tag: "internal")
        router.on(.post, path, metadata: metadata) { request in await self.answer(request, handler) }
    }

    private func answer(_ request: HTTPRequest, _ handler: Handler) async -> HTTPResponse {
        guard !wantsCertificate || request.clientCertificate != nil else {
            log.warning(
                "refused \(request.path) from \(request.remoteAddress): it came without a client certificate; is "
                    + "--tls-certificate set there?")
            let failure = WireError(status: 403, message: "the internal protocol asks for a client certificate here")
            return HTTPResponse.json(bytes: failure.body, status: failure.status)
        }
        let message: VerifiedMessage
        do {
            message = try verifier.withLock { (state) throws(DomainError) in
                try state.verify(
                    method: request.method, path: request.path, query: request.query, headers: request.headers,
                    body: request.body, now: clock.now())
            }
        } catch {
            log.warning("refused \(request.path) from \(request.remoteAddress): \(error.message)")
            let failure = WireError(error)
            var response = HTTPResponse.json(bytes: failure.body, status: failure.status)
            // So that a peer of a newer release says it in a version that is known here.
            response.headers[WireHeader.versions] = verifier.withLock { $0.versions.description }
            return response
        }
        let (status, body) = await result(of: handler, request.body, message)
        var response = HTTPResponse.json(bytes: body, status: status)
        let signature = verifier.withLock { $0.signResponse(status: status, body: body, to: message, now: clock.now()) }
        for (name, value) in signature { response.headers[name] = value }
        return response
    }

    private func result(
        of handler: Handler, _ body: [UInt8], _ message: VerifiedMessage
    ) async -> (status: Int, body: [UInt8]) {
        do {
            return try await handler(body, message)
        } catch let error as WireError {
            return (error.status, error.body)
        } catch let error as DomainError {
            let failure = WireError(error)
            return (failure.status, failure.body)
        } catch {
            log.error("a request of the internal protocol failed: \(error)")
            let failure = WireError(status: 500, message: "the node could not answer; its log says why")
            return (failure.status, failure.body)
        }
    }
}
