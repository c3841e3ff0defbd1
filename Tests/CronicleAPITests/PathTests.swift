import HTTP
import JSON
import Testing

@testable import CronicleAPI

@Suite("Paths, parameters and answers")
struct PathTests {
    @Test(
        "a call is found anywhere in a path, whatever follows it",
        arguments: ["/api/app/ping", "/api/app/ping/v1", "/api/app/ping/v99/extra", "/foo/api/app/ping/v9"])
    func calls(_ path: String) {
        #expect(CroniclePath(path) == .call(namespace: "app", name: "ping"))
    }

    @Test("what is no call is told apart")
    func others() {
        #expect(CroniclePath("/api") == .root)
        #expect(CroniclePath("/api/") == .root)
        #expect(CroniclePath("/api/app") == .incomplete)
        #expect(CroniclePath("/api/app/") == .incomplete)
        #expect(CroniclePath("/api/APP/ping") == .incomplete)
        #expect(CroniclePath("/api/nosuch/ping") == .unknownNamespace("nosuch"))
        #expect(CroniclePath("/nosuch") == nil)
        #expect(CroniclePath("/v1/scheduler/job/api/app/ping") == nil)
        #expect(CroniclePath("/internal/api/app/ping") == nil)
    }

    private func parameters(_ type: String?, _ body: String, query: String = "") throws -> CronicleParameters {
        var headers = HTTPHeaders()
        if let type { headers["Content-Type"] = type }
        headers["Content-Length"] = String(body.utf8.count)
        return try CronicleParameters(
            HTTPRequest(
                method: .post, target: "/api/app/echo" + query, headers: headers, body: Array(body.utf8)))
    }

    @Test("a body is read by its content type")
    func bodies() throws {
        #expect(try parameters("application/json; charset=utf-8", #"{"b":2}"#).body == ["b": 2])
        #expect(try parameters("text/plain", #"{"b":2}"#).body == ["b": 2])
        #expect(try parameters("application/json", "[1]").body.isEmpty)
        #expect(try parameters("application/json", "5").body.isEmpty)
        #expect(
            try parameters("application/x-www-form-urlencoded", "b=2&c=x&c=y").body == ["b": "2", "c": ["x", "y"]])
        #expect(try parameters(nil, "x").body == ["raw": ["type": "Buffer", "data": [120]]])
        let form = "--X\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\none\r\n--X--\r\n"
        #expect(try parameters("multipart/form-data; boundary=X", form).body == ["a": "one"])
    }

    @Test(
        "what calls itself JSON and is not is refused, an empty body among it", arguments: ["{\"bad", "{\"a\":1,}", ""])
    func malformed(_ body: String) {
        #expect(throws: CronicleParameters.Malformed.self) { try parameters("application/json", body) }
    }

    @Test("values of a query are texts, repeated ones lists of them")
    func query() throws {
        let query = try parameters("text/plain", "{}", query: "?a=1&d=&f=1&f=2&g%20h=i+j").query
        #expect(query == ["a": "1", "d": "", "f": ["1", "2"], "g h": "i j"])
    }

    @Test("only names are callbacks")
    func callbacks() {
        for name in ["cb", "my.cb", "$.x[0]", "_a"] { #expect(CronicleAnswer.isCallback(name)) }
        for name in ["", "a<b>(1)", "a b", "é", "x;y", String(repeating: "a", count: 129)] {
            #expect(!CronicleAnswer.isCallback(name))
        }
    }

    @Test("a callback makes a script, and no text can end it early")
    func script() throws {
        let request = HTTPRequest(method: .get, target: "/api/app/x?callback=cb")
        let response = CronicleAnswer.success(["t": "a\u{2028}b"], to: request)
        let body = String(decoding: response.body.bytes ?? [], as: UTF8.self)
        #expect(body == "cb({\"code\":0,\"t\":\"a\\u2028b\"});\n")
        #expect(response.headers["Content-Type"] == "text/javascript")
    }

    @Test("pretty indents by tabs and leaves texts alone")
    func pretty() {
        let request = HTTPRequest(method: .get, target: "/api/app/x?pretty=1")
        let response = CronicleAnswer.success(["o": ["t": "  two  "]], to: request)
        let body = String(decoding: response.body.bytes ?? [], as: UTF8.self)
        #expect(body.contains("\n\t\"o\""))
        #expect(body.contains("\n\t\t\"t\": \"  two  \"") || body.contains("\n\t\t\"t\":\"  two  \""))
    }

    @Test("numbers are found in texts as JavaScript finds them")
    func numbers() {
        for (value, expected) in [
            (JSONValue.string("3x"), 3), ("2.9", 2), ("1e1", 1), ("-2", -2), (" 7", 7), (["2"], 2), ("abc", nil),
            (true, nil), (.null, nil), ("99999999999999999999", Int.max), (.number(2.5), 2),
        ] as [(JSONValue, Int?)] {
            #expect(ScriptNumber.parseInt(value) == expected, "\(value)")
        }
    }
}

@Suite("Validation")
struct ValidationTests {
    @Test("what must be there is looked at as text, in the order of the rules")
    func required() {
        let rules = [("title", Validation.isNotBlank), ("enabled", Validation.isSwitch)]
        for (values, message) in [
            ([:], "Missing parameter: title"), (["title": .null], "Null parameter: title"),
            (["title": " "], "Malformed parameter: title"), (["title": "x"], "Missing parameter: enabled"),
            (["title": "x", "enabled": -1], "Malformed parameter: enabled"),
            (["title": "x", "enabled": 1.5], "Malformed parameter: enabled"),
        ] as [(JSONObject, String)] {
            #expect { try Validation.require(values, rules) } throws: {
                ($0 as? CronicleFailure)?.description == message
            }
        }
        #expect(throws: Never.self) { try Validation.require(["title": [:], "enabled": "true"], rules) }
    }

    @Test("what may be there is looked at by type first")
    func optional() {
        let rules: [Validation.Rule] = [.flag("queue"), .number("timeout"), .text("title", Validation.isNotBlank)]
        for (values, message) in [
            (["timeout": "5"], "Malformed parameter type: timeout (string)"),
            (["timeout": .null], "Malformed parameter type: timeout (object)"),
            (["timeout": -1], "Malformed parameter value: timeout"),
            (["queue": "1"], "Malformed parameter type: queue (string)"),
            (["queue": -1], "Malformed parameter value: queue"),
            (["queue": 1.5], "Malformed parameter value: queue"),
            (["title": ""], "Malformed parameter value: title"),
            (["title": 5], "Malformed parameter type: title (number)"),
        ] as [(JSONObject, String)] {
            #expect { try Validation.permit(values, rules) } throws: {
                ($0 as? CronicleFailure)?.description == message
            }
        }
        #expect(throws: Never.self) { try Validation.permit(["queue": true, "timeout": 5], rules) }
    }
}
