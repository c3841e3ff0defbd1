import Foundation
import HTTP
import JSON
import Testing

struct PercentCodingTests {
    @Test("decoding undoes escapes, strictly")
    func decode() {
        #expect(PercentCoding.decode("") == "")
        #expect(PercentCoding.decode("a%20b%C3%bc+") == "a bü+")
        #expect(PercentCoding.decode("a+b%2B", plusIsBlank: true) == "a b+")
        #expect(PercentCoding.decode("%00") == "\0")
        for malformed in ["%", "%4", "%4g", "%g4", "a%", "%%20", "%ff", "%c3", "%c0%80", "%ed%a0%80", "%f5%80%80%80"] {
            #expect(PercentCoding.decode(malformed) == nil, "\(malformed)")
        }
    }

    @Test(
        "what is encoded is one segment or value and decodes to the same",
        arguments: [
            "", "a b", "a/b?c#d%e", "Zürich 🕰", "\0\u{7f}\r\n", "-._~AZaz09", "+&=;",
        ])
    func encode(text: String) {
        for encoded in [PercentCoding.encodePathSegment(text), PercentCoding.encodeQueryValue(text)] {
            #expect(encoded.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && !"/?#&=+;".utf8.contains($0) })
            #expect(PercentCoding.decode(encoded) == text)
            #expect(PercentCoding.decode(encoded, plusIsBlank: true) == text)
        }
        #expect(PercentCoding.encodePathSegment("-._~AZaz09") == "-._~AZaz09")
        #expect(PercentCoding.encodePathSegment("ü/") == "%C3%BC%2F")
    }

    @Test("a query's items come in order, decoded, with empty and repeated ones")
    func query() {
        let request = HTTPRequest(method: .get, target: "/x?a=1&b=c+d%26&a=2&&flag&=v&e=f=g&u=%C3%BC")
        let items = request.queryItems().map { "\($0.name)|\($0.value)" }
        #expect(items == ["a|1", "b|c d&", "a|2", "flag|", "|v", "e|f=g", "u|ü"])
        #expect(request.queryItem("a") == "1" && request.queryItem("flag") == "" && request.queryItem("x") == nil)
        #expect(HTTPRequest(method: .get, target: "/x").queryItems().isEmpty)
        #expect(HTTPRequest(method: .get, target: "/x?").query == "")
        #expect(HTTPRequest(method: .get, target: "/x?a?b").query == "a?b")
    }

    @Test("an item that does not decode stays as it stands rather than being lost")
    func malformedQuery() {
        let items = PercentCoding.parseQuery("limit=%zz&b=1")
        #expect(items.map(\.value) == ["%zz", "1"])
    }

    @Test("a form is decoded as a whole or not at all, up to its limit")
    func form() {
        let form = PercentCoding.parseForm(Array("a=1&b=x+y%21&c".utf8))
        #expect(form?.map { "\($0.name)|\($0.value)" } == ["a|1", "b|x y!", "c|"])
        #expect(PercentCoding.parseForm([])?.isEmpty == true)
        #expect(PercentCoding.parseForm(Array("a=1&b=%".utf8)) == nil)
        #expect(PercentCoding.parseForm([0x61, 0x3D, 0xFF]) == nil)
        func many(_ count: Int) -> [UInt8] { Array(repeatElement("a=b", count: count).joined(separator: "&").utf8) }
        #expect(PercentCoding.parseForm(many(PercentCoding.maximumFormItems))?.count == PercentCoding.maximumFormItems)
        #expect(PercentCoding.parseForm(many(PercentCoding.maximumFormItems + 1)) == nil)
    }
}

struct Base64Tests {
    @Test("base 64 is what Foundation makes of the same bytes", arguments: 0...64)
    func foundation(count: Int) {
        let bytes = (0..<count).map { _ in UInt8.random(in: 0...255) }
        let text = Base64.encode(bytes)
        #expect(text == Data(bytes).base64EncodedString())
        #expect(Base64.decode(text) == bytes)
    }

    @Test(
        "one value has one text",
        arguments: [
            "A", "AA", "AAA", "A===", "====", "AA=A", "=AAA", "AB==", "AAB=", "AAAA=", "AA==AAAA", "AA =", "AAA\n",
            "AA-_", "ÄAA",
        ])
    func malformed(text: String) {
        #expect(Base64.decode(text) == nil)
    }
}

struct BasicCredentialsTests {
    @Test("user and password are split at the first colon")
    func split() {
        let credentials = BasicCredentials(header: "Basic dXNlcjpwYXNzOndvcmQ=")
        #expect(credentials == BasicCredentials(user: "user", password: "pass:word"))
        #expect(BasicCredentials(header: "bASIC   OnA=") == BasicCredentials(user: "", password: "p"))
        let umlauts = BasicCredentials(user: "jörg", password: "ß€")
        #expect(BasicCredentials(header: umlauts.header) == umlauts)
    }

    @Test(
        "anything malformed is no credentials",
        arguments: [
            "", "Basic", "Basic ", "Bearer dTpw", "BasicdTpw", "Basic dTp", "Basic dXNlcg==", "Basic dTpw dTpw",
            "Basic /zpw",
            "Basic dQA6cA==", "Basic dTpwCg==", "Digest dTpw",
        ])
    func malformed(header: String) {
        #expect(BasicCredentials(header: header) == nil)
    }

    @Test("the password never shows in text")
    func redacted() {
        #expect("\(BasicCredentials(user: "u", password: "secret"))" == "u:…")
    }
}

struct MessageTests {
    @Test("answers are made with their content type")
    func responses() {
        let json = HTTPResponse.json(["a": 1], status: 201)
        #expect(json.status == 201 && json.headers["content-type"] == "application/json")
        #expect(json.body.bytes == Array(#"{"a":1}"#.utf8))
        #expect(HTTPResponse.text("x").headers["Content-Type"] == "text/plain; charset=utf-8")
        #expect(HTTPResponse.empty(status: 204).body.bytes == [])
        #expect(HTTPResponseBody.stream(HTTPBodyStream { _ in }).bytes == nil)
    }

    @Test("a body is read as JSON within limits")
    func body() throws {
        let request = HTTPRequest(method: .post, target: "/", body: Array("[1]".utf8))
        #expect(try request.json() == [1])
        #expect(throws: JSONError.self) { try request.json(limits: JSONLimits(bytes: 2)) }
    }
}
