import HTTP
import JSON

/// What came with a request: query and body, kept apart (cronicle.md §1.2).
struct CronicleParameters: Sendable {
    /// Texts; of a key that occurs several times, an array of them.
    let query: JSONObject
    let body: JSONObject

    struct Malformed: Error {}

    /// - Throws: `Malformed` for a body that calls itself JSON and is not.
    init(_ request: HTTPRequest) throws(Malformed) {
        query = request.query == nil ? JSONObject() : Self.form(request.queryItems())
        guard request.method != .head, Self.hasBody(request) else {
            body = JSONObject()
            return
        }
        let type = (request.headers["Content-Type"] ?? "").lowercased()
        if type.contains("urlencoded") {
            body = Self.form(PercentCoding.parseForm(request.body) ?? [])
        } else if type.contains("multipart") {
            body = Self.form(MultipartForm.fields(request.body, contentType: request.headers["Content-Type"] ?? ""))
        } else if type.contains("text") || type.contains("json") || type.contains("javascript") || type.contains("js") {
            let value: JSONValue
            do { value = try request.json() } catch { throw Malformed() }
            // An array or a scalar has no parameters.
            body = value.objectValue ?? JSONObject()
        } else {
            body = [
                "raw": ["type": "Buffer", "data": .array(request.body.map { .integer(Int64($0)) })]
            ]
        }
    }

    private static func hasBody(_ request: HTTPRequest) -> Bool {
        !request.body.isEmpty || request.headers["Content-Length"] != nil
            || request.headers["Transfer-Encoding"] != nil
    }

    static func form(_ items: [(name: String, value: String)]) -> JSONObject {
        var object = JSONObject()
        for (name, value) in items {
            switch object[name] {
            case nil: object[name] = .string(value)
            case .array(let values)?: object[name] = .array(values + [.string(value)])
            case let first?: object[name] = .array([first, .string(value)])
            }
        }
        return object
    }
}

/// The fields of a `multipart/form-data` body. Files are left out: no call takes one.
enum MultipartForm {
    static let maximumFields = 1_000

    static func fields(_ body: [UInt8], contentType: String) -> [(name: String, value: String)] {
        guard let mark = contentType.range(of: "boundary=") else { return [] }
        let boundary = contentType[mark.upperBound...].prefix { $0 != ";" }.filter { $0 != "\"" }
        guard !boundary.isEmpty, let text = String(validating: body, as: UTF8.self) else { return [] }
        var fields: [(name: String, value: String)] = []
        for part in text.parts(separatedBy: "--\(boundary)").prefix(maximumFields) {
            guard let end = part.range(of: "\r\n\r\n") else { continue }
            let head = part[..<end.lowerBound]
            guard let start = head.range(of: "name=\""), head.range(of: "filename=\"") == nil else { continue }
            let name = head[start.upperBound...].prefix { $0 != "\"" }
            var value = part[end.upperBound...]
            if value.hasSuffix("\r\n") { value = value.dropLast() }
            fields.append((String(name), String(value)))
        }
        return fields
    }
}

extension StringProtocol {
    /// Where the text first occurs.
    fileprivate func range(of text: String) -> Range<Index>? {
        var position = startIndex
        while position < endIndex {
            if self[position...].hasPrefix(text) {
                return position..<(index(position, offsetBy: text.count, limitedBy: endIndex) ?? endIndex)
            }
            formIndex(after: &position)
        }
        return nil
    }

    fileprivate func parts(separatedBy separator: String) -> [SubSequence] {
        var parts: [SubSequence] = []
        var rest = self[startIndex...]
        while let found = rest.range(of: separator) {
            parts.append(rest[..<found.lowerBound])
            rest = rest[found.upperBound...]
        }
        parts.append(rest)
        return parts
    }
}
