import Domain
import HTTP
import JSON

/// Errors as Chronos' clients read them: `{"message": "...", "status": "<reason phrase>"}`.
enum ChronosError {
    /// Seconds after which a request that failed for want of a leader or of the database is worth repeating.
    private static let retryAfter = "1"

    static func response(to error: DomainError) -> HTTPResponse {
        var response = response(status: status(of: error.code), message: error.message)
        switch error.code {
        case .notLeader, .unavailable, .tooMany: response.headers["Retry-After"] = retryAfter
        // Chronos' Python client sends its credentials only after this challenge.
        case .unauthenticated: response.headers["WWW-Authenticate"] = "Basic realm=\"Carillon\""
        default: break
        }
        return response
    }

    static func response(status: Int, message: String) -> HTTPResponse {
        var writer = JSONWriter(reserving: 256)
        writer.beginObject()
        writer.key("message")
        writer.string(message)
        writer.key("status")
        writer.string(reasonPhrase(status))
        writer.endObject()
        var response = HTTPResponse.json(bytes: writer.bytes, status: status)
        response.headers[CrossOrigin.header] = CrossOrigin.anyone
        return response
    }

    /// What is not found is a bad request to Chronos and to the clients that test for it.
    private static func status(of code: DomainError.Code) -> Int {
        switch code {
        case .invalid, .notFound: 400
        case .unauthenticated: 401
        case .forbidden: 403
        case .conflict: 409
        case .tooMany: 429
        case .notLeader, .unavailable: 503
        }
    }

    private static func reasonPhrase(_ status: Int) -> String {
        switch status {
        case 400: "Bad Request"
        case 401: "Unauthorized"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 409: "Conflict"
        case 412: "Precondition Failed"
        case 429: "Too Many Requests"
        case 503: "Service Unavailable"
        default: "Internal Server Error"
        }
    }
}

/// Every answer may be read by pages of any origin, as with Chronos.
enum CrossOrigin {
    static let header = "Access-Control-Allow-Origin"
    static let anyone = "*"
}
