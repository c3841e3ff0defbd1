public import HTTP
import JSON

/// How answers are written (cronicle.md §1.3-1.5).
enum CronicleAnswer {
    static func success(_ object: JSONObject, to request: HTTPRequest, fresh: Bool = false) -> HTTPResponse {
        var whole: JSONObject = ["code": 0]
        whole.reserveCapacity(object.count + 1)
        for (key, value) in object { whole[key] = value }
        var response = json(.object(whole), to: request)
        if fresh {
            response.headers["Cache-Control"] = "no-cache, no-store, must-revalidate, proxy-revalidate"
            response.headers["Expires"] = "Thu, 01 Jan 1970 00:00:00 GMT"
        }
        return response
    }

    /// An answer that is written already.
    static func text(_ bytes: [UInt8]) -> HTTPResponse { crossOrigin(.json(bytes: bytes)) }

    static func failure(_ failure: CronicleFailure, to request: HTTPRequest) -> HTTPResponse {
        json(["code": failure.code, "description": .string(failure.description)], to: request)
    }

    /// JSON, or a call of the function that the query names.
    private static func json(_ value: JSONValue, to request: HTTPRequest) -> HTTPResponse {
        var bytes: [UInt8]
        var callback: String?
        if request.query == nil {
            bytes = value.serialized()
        } else {
            let isPretty = request.queryItem("pretty").map { !$0.isEmpty && $0 != "0" } ?? false
            bytes = isPretty ? indentedByTabs(value.serialized(pretty: true)) : value.serialized()
            callback = request.queryItem("callback").flatMap { isCallback($0) ? $0 : nil }
        }
        guard let callback else {
            bytes.append(UInt8(ascii: "\n"))
            return crossOrigin(.json(bytes: bytes))
        }
        // Characters that end a line in JavaScript but not in JSON are written as escapes.
        var script = Array("\(callback)(".utf8)
        script += escapedForScript(bytes)
        script += Array(");\n".utf8)
        var response = HTTPResponse(status: 200, headers: ["Content-Type": "text/javascript"], body: .bytes(script))
        response.headers["X-Content-Type-Options"] = "nosniff"
        return crossOrigin(response)
    }

    /// A name such as `my.callback[3]`. Anything else would be a way to run somebody's text as a script.
    static func isCallback(_ name: String) -> Bool {
        !name.isEmpty && name.utf8.count <= 128
            && name.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "$"),
                    UInt8(ascii: "["), UInt8(ascii: "]"):
                    true
                default: false
                }
            }
    }

    /// The writer's two blanks a level as one tab each. No text of JSON holds a line feed, so that what follows one is
    /// indentation.
    private static func indentedByTabs(_ bytes: [UInt8]) -> [UInt8] {
        var tabbed: [UInt8] = []
        tabbed.reserveCapacity(bytes.count)
        var blanks: Int? = 0
        for byte in bytes {
            if let count = blanks {
                if byte == UInt8(ascii: " ") {
                    blanks = count + 1
                    continue
                }
                tabbed += [UInt8](repeating: UInt8(ascii: "\t"), count: count / 2)
                blanks = nil
            }
            tabbed.append(byte)
            if byte == UInt8(ascii: "\n") { blanks = 0 }
        }
        return tabbed
    }

    /// U+2028 and U+2029.
    private static func escapedForScript(_ bytes: [UInt8]) -> [UInt8] {
        guard bytes.contains(0xE2) else { return bytes }
        var escaped: [UInt8] = []
        escaped.reserveCapacity(bytes.count)
        var position = 0
        while position < bytes.count {
            if position + 2 < bytes.count, bytes[position] == 0xE2, bytes[position + 1] == 0x80,
                bytes[position + 2] == 0xA8 || bytes[position + 2] == 0xA9
            {
                escaped += Array((bytes[position + 2] == 0xA8 ? "\\u2028" : "\\u2029").utf8)
                position += 3
            } else {
                escaped.append(bytes[position])
                position += 1
            }
        }
        return escaped
    }

    private static func crossOrigin(_ response: HTTPResponse) -> HTTPResponse {
        var response = response
        response.headers["Access-Control-Allow-Origin"] = "*"
        return response
    }

    /// For a body that is no JSON although it says so. Without a content type, as Cronicle sends it.
    static var badRequest: HTTPResponse {
        crossOrigin(HTTPResponse(status: 400, body: .bytes(Array("400 Bad Request".utf8))))
    }

    static func page(notFound path: String) -> HTTPResponse {
        var safe = ""
        for character in path.prefix(1_024) {
            switch character {
            case "<": safe += "&lt;"
            case ">": safe += "&gt;"
            case "&": safe += "&amp;"
            case "\"": safe += "&quot;"
            default: safe.append(character)
            }
        }
        return crossOrigin(
            HTTPResponse(
                status: 404, headers: ["Content-Type": "text/html", "X-Content-Type-Options": "nosniff"],
                body: .bytes(Array("404 Not Found: \(safe)\n".utf8))))
    }
}

extension CronicleAPI {
    /// The answer to `OPTIONS` on any path.
    public static func preflight(_ request: HTTPRequest) -> HTTPResponse {
        HTTPResponse(
            status: 200,
            headers: [
                "Access-Control-Allow-Origin": request.headers["Origin"] ?? "*",
                "Access-Control-Allow-Methods": "POST, GET, HEAD, OPTIONS",
                "Access-Control-Allow-Headers": request.headers["Access-Control-Request-Headers"] ?? "*",
                "Access-Control-Max-Age": "1728000",
            ])
    }

    /// For a path on which nothing stands.
    public static func pageNotFound(_ request: HTTPRequest) -> HTTPResponse {
        CronicleAnswer.page(notFound: request.path)
    }
}
