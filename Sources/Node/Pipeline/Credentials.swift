import CronicleAPI
import HTTP
import JSON

/// The key that came with a request, wherever the client put it: `X-API-Key`, `Authorization: Bearer` or Basic (as the
/// password), `api_key` in the query, or `api_key` in a JSON body. The first that is there counts.
struct Credentials: Sendable {
    private enum Place { case header, authorization, query, body, nowhere }

    /// Of the dialect that has sessions; nil elsewhere.
    let session: String?

    private let place: Place
    /// Nil where the request carries none.
    let key: String?
    /// It came by `Authorization`, which clients drop when a redirect leads to another host or port.
    var isLostByRedirects: Bool { place == .authorization }

    /// Bodies longer than this are not searched for a key.
    private static let bodyLimit = 1 << 20

    init(of request: HTTPRequest) {
        if let key = request.headers["X-API-Key"], !key.isEmpty {
            self.init(key: key, place: .header)
        } else if let authorization = request.headers["Authorization"] {
            self.init(key: Self.key(inAuthorization: authorization), place: .authorization)
        } else if request.query != nil, let key = request.queryItem("api_key") {
            self.init(key: key, place: .query)
        } else {
            let key = Self.key(inBody: request.body)
            self.init(key: key, place: key == nil ? .nowhere : .body)
        }
    }

    private init(key: String?, place: Place, session: String? = nil) {
        self.key = key
        self.place = place
        self.session = session
    }

    /// Credentials as the Cronicle dialect looks for them, which may be in several places at once.
    init(cronicle request: HTTPRequest) {
        switch CronicleCredentials(of: request) {
        case .session(let id): self.init(key: nil, place: .body, session: id)
        case .key(let key): self.init(key: key, place: Self.header(of: request) == key ? .authorization : .body)
        case .nothing: self.init(key: nil, place: .nowhere)
        }
    }

    /// The key in `Authorization`, where no other field has one.
    private static func header(of request: HTTPRequest) -> String? {
        guard request.headers["X-API-Key"] == nil, let header = request.headers["Authorization"] else { return nil }
        return key(inAuthorization: header)
    }

    /// What was sent, without any key: what is stored must not tell one.
    func removed(from request: HTTPRequest) -> HTTPRequest {
        var headers = request.headers
        headers.remove("X-API-Key")
        headers.remove("Authorization")
        headers.remove("X-Session-ID")
        if session != nil { headers.remove("Cookie") }
        var body = request.body
        if place == .body, var object = (try? JSONValue(parsing: body))?.objectValue,  // it was parsed before
            object["api_key"] != nil || object["session_id"] != nil
        {
            object["api_key"] = nil
            object["session_id"] = nil
            body = JSONValue.object(object).serialized()
            headers.remove("Content-Length")
        }
        return HTTPRequest(
            method: request.method, target: Self.withoutKey(request.target), headers: headers, body: body,
            remoteAddress: request.remoteAddress)
    }

    private static func withoutKey(_ target: String) -> String {
        guard let mark = target.firstIndex(of: "?") else { return target }
        let items = target[target.index(after: mark)...].split(separator: "&").filter { item in
            let name = item.prefix { $0 != "=" }
            return !["api_key", "session_id"].contains(PercentCoding.decode(name, plusIsBlank: true))
        }
        return items.isEmpty ? String(target[..<mark]) : target[...mark] + items.joined(separator: "&")
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
