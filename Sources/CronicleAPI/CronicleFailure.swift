import Domain
import JSON

/// An answer that is an error: HTTP 200 with a `code` that is not 0 (cronicle.md §1.8).
struct CronicleFailure: Error {
    let code: JSONValue
    let description: String

    init(_ code: String, _ description: String) {
        self.code = .string(code)
        self.description = description
    }

    init(_ code: Int64, _ description: String) {
        self.code = .integer(code)
        self.description = description
    }

    init(_ error: DomainError) {
        switch error.code {
        case .unauthenticated: self.init("session", error.message)
        case .notLeader, .unavailable: self.init("master", error.message)
        case .invalid, .forbidden, .notFound, .tooMany, .conflict: self.init("api", error.message)
        }
    }

    static func missing(_ key: String) -> CronicleFailure { CronicleFailure("api", "Missing parameter: \(key)") }
}
