import Domain
import HTTP
import JSON
import Operations

/// One resource of the API: its routes and what they answer.
protocol Resource: Sendable {
    func register(on router: inout HTTPRouter, below tree: String)
}

extension Resource {
    typealias Answer = @Sendable (HTTPRequest, Principal) async throws(DomainError) -> HTTPResponse

    /// A handler that knows who asks, and answers whatever is thrown in this dialect's shape.
    func handler(_ answer: @escaping Answer) -> HTTPHandler {
        { request in
            var response: HTTPResponse
            do throws(DomainError) {
                guard let principal = RequestContext.principal else {
                    throw DomainError(.unauthenticated, "this request needs an API key")
                }
                response = try await answer(request, principal)
            } catch {
                response = ChronosError.response(to: error)
            }
            response.headers[CrossOrigin.header] = CrossOrigin.anyone
            return response
        }
    }

    /// Answered by the leader alone.
    var leaderOnly: RouteMetadata { RouteMetadata(audience: .leader, tag: ChronosAPI.tag) }

    /// 204 with the content type that Chronos sends even there.
    static var done: HTTPResponse {
        var response = HTTPResponse.empty(status: 204)
        response.headers["Content-Type"] = "application/json"
        return response
    }
}

extension HTTPRequest {
    /// A segment of the route's pattern. The router sets each of them; a missing one would be a bug, and is then
    /// nothing that could be found.
    func parameter(_ name: String) -> String { pathParameters[name] ?? "" }

    /// A number from 0 on in the query.
    /// - Throws: `.invalid` for anything else.
    func number(_ name: String, or standard: Int) throws(DomainError) -> Int {
        guard let text = queryItem(name) else { return standard }
        guard let number = Int32(text), number >= 0 else {
            throw .invalid("\(name) must be a number from 0 on, not \(quoted(text))")
        }
        return Int(number)
    }

    /// The body as a JSON object, whatever its content type says: curl calls everything a form.
    func jsonObject(_ what: String) throws(DomainError) -> JSONObject {
        guard !body.isEmpty else {
            throw .invalid("the request has no body; it must be \(what), a JSON object")
        }
        let value: JSONValue
        do { value = try json() } catch {
            throw .invalid("the body is malformed JSON at \(Self.place(error.offset, in: body)): \(error.message)")
        }
        guard let object = value.objectValue else {
            throw .invalid("the body must be \(what), a JSON object, and not \(value.kind)")
        }
        return object
    }

    /// "line 3, column 14", for people who look at the text in an editor.
    private static func place(_ offset: Int, in body: [UInt8]) -> String {
        let before = body.prefix(max(0, offset))
        let line = before.count { $0 == 0x0A } + 1
        let column = before.reversed().prefix { $0 != 0x0A }.count + 1
        return "line \(line), column \(column) (byte \(offset))"
    }
}

extension JSONValue {
    /// What it is, for messages.
    var kind: String {
        switch self {
        case .null: "null"
        case .bool: "a boolean"
        case .integer, .number: "a number"
        case .string: "a text"
        case .array: "an array"
        case .object: "an object"
        }
    }
}
