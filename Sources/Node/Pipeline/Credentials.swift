import HTTP
import JSON

/// The key that came with a request, wherever the client put it: `X-API-Key`, `Authorization: Bearer` or Basic (as the
/// password), `api_key` in the query, or `api_key` in a JSON body. The first that is there counts.
struct Credentials: Sendable {
    /// Nil where the request carries none.
    let key: String?
    /// It came by `Authorization`, which clients drop when a redirect leads to another host or port.
    let isLostByRedirects: Bool

    /// Bodies longer than this are not searched for a key.
    private static let bodyLimit = 1 << 20

    init(of request: HTTPRequest) {
        if let key = request.headers["X-API-Key"], !key.isEmpty {
            self.init(key: key, isLostByRedirects: false)
        } else if let authorization = request.headers["Authorization"] {
            self.init(key: Self.key(inAuthorization: authorization), isLostByRedirects: true)
        } else if request.query != nil, let key = request.queryItem("api_key") {
            self.init(key: key, isLostByRedirects: false)
        } else {
            self.init(key: Self.key(inBody: request.body), isLostByRedirects: false)
        }
    }

    private init(key: String?, isLostByRedirects: Bool) {
        self.key = key
        self.isLostByRedirects = isLostByRedirects
    }

    private static func key(inAuthorization header: String) -> String? {
        if let basic = BasicCredentials(header: header) { return basic.password }
        let parts = header.split(separator: " ", omittingEmptySubsequences: true)
        guard parts.count == 2, parts[0].lowercased() == "bearer" else { return header.isEmpty ? nil : "" }
        return String(parts[1])
    }

    /// Only an object can carry a key; what cannot be parsed is the handler's to refuse.
    private static func key(inBody body: [UInt8]) -> String? {
        guard body.count <= bodyLimit, body.first(where: { $0 > UInt8(ascii: " ") }) == UInt8(ascii: "{"),
            contains(body, Array("\"api_key\"".utf8)), let value = try? JSONValue(parsing: body)
        else { return nil }
        return value["api_key"]?.stringValue
    }

    private static func contains(_ body: [UInt8], _ text: [UInt8]) -> Bool {
        guard body.count >= text.count else { return false }
        return body.indices.dropLast(text.count - 1).contains { start in
            body[start] == text[0] && body[start..<start + text.count].elementsEqual(text)
        }
    }
}
