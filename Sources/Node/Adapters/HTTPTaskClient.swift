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
            let code = Self.code(error)
            throw TaskHTTPFailure(code: code, message: Self.words(code, request.url) ?? error.message)
        }
        return TaskHTTPAnswer(
            status: answer.status, reason: HTTPResponseEncoder.reason(for: answer.status),
            headers: answer.headers.map { TaskHTTPHeader($0.name, $0.value) }, body: answer.body)
    }

    /// What Cronicle's users read; nil for what it has no words of its own for.
    private static func words(_ code: String, _ url: String) -> String? {
        let host = host(of: url)
        switch code {
        case "ENOTFOUND": return "DNS: Failed to lookup IP from hostname: \(host)"
        case "ECONNREFUSED": return "Connection Refused: Failed to connect to host: \(host)"
        default: return nil
        }
    }

    /// Without user, password and port.
    private static func host(of url: String) -> Substring {
        let rest = url.firstRange(of: "://").map { url[$0.upperBound...] } ?? url[...]
        let authority = rest.prefix { !["/", "?", "#"].contains($0) }
        let place = authority.split(separator: "@", omittingEmptySubsequences: false).last ?? authority
        return place.hasPrefix("[") ? place.dropFirst().prefix { $0 != "]" } : place.prefix { $0 != ":" }
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
