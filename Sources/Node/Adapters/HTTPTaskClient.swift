import Execution
import HTTP
import HTTPTransport

/// The worker's HTTP client as the URL plugin sees it: what its users write may lead where `EgressPolicy` lets it.
struct HTTPTaskClient: TaskHTTP {
    let client: HTTPClient
    var egress = EgressPolicy()

    func exchange(_ request: TaskHTTPRequest) async throws -> TaskHTTPAnswer {
        var wanted = HTTPClientRequest(
            method: HTTPMethod(request.method), url: request.url, body: request.body, timeout: request.timeout,
            connectTimeout: min(request.connectTimeout, request.timeout), maximumResponseBytes: request.maximumBytes,
            followRedirects: request.followsRedirects)
        for header in request.headers { wanted.headers.add(header.name, header.value) }
        wanted.idleTimeout = request.idleTimeout
        wanted.verifiesCertificate = request.verifiesCertificate
        let egress = self.egress
        wanted.permitsAddress = { egress.permits($0) }
        let answer: HTTPClientResponse
        do { answer = try await client.execute(wanted) } catch let error as HTTPClientError {
            throw TaskHTTPFailure(code: Self.code(error), message: error.message)
        }
        return TaskHTTPAnswer(
            status: answer.status, reason: HTTPResponseEncoder.reason(for: answer.status),
            headers: answer.headers.map { TaskHTTPHeader($0.name, $0.value) }, body: answer.body)
    }

    /// The words of Node.js, which scripts that read Cronicle's results know.
    private static func code(_ error: HTTPClientError) -> String {
        switch error.code {
        case .connect: error.message.lowercased().contains("resolve") ? "ENOTFOUND" : "ECONNREFUSED"
        case .timeout: "ETIMEDOUT"
        case .addressRefused: "EACCES"
        case .tooLarge: "EMSGSIZE"
        default: ""
        }
    }
}
