import HTTP
import Testing

/// One conversation as bytes, and what the parser must make of it.
struct ParserCase: CustomTestStringConvertible, Sendable {
    enum Outcome: Sendable {
        /// Targets of the requests, each with its body.
        case requests([(target: String, body: String)])
        case failure(status: Int, message: String)
    }

    let name: String
    let bytes: [UInt8]
    let outcome: Outcome

    var testDescription: String { name }

    init(_ name: String, _ text: String, _ requests: [(target: String, body: String)]) {
        self.name = name
        bytes = Array(text.utf8)
        outcome = .requests(requests)
    }

    init(_ name: String, _ text: String, _ status: Int, _ message: String) {
        self.init(name, Array(text.utf8), status, message)
    }

    init(_ name: String, _ bytes: [UInt8], _ status: Int, _ message: String) {
        self.name = name
        self.bytes = bytes
        outcome = .failure(status: status, message: message)
    }
}

extension ParserCase {
    private static let get = "GET / HTTP/1.1\r\nHost: a\r\n"
    private static let post = "POST /p HTTP/1.1\r\nHost: a\r\n"
    private static let chunked = post + "Transfer-Encoding: chunked\r\n\r\n"

    static let accepted: [ParserCase] = [
        ParserCase("a plain GET", get + "\r\n", [("/", "")]),
        ParserCase("an empty line before the request", "\r\n" + get + "\r\n", [("/", "")]),
        ParserCase("a fixed body", post + "Content-Length: 5\r\n\r\nhello", [("/p", "hello")]),
        ParserCase("a length with leading zeros", post + "Content-Length: 005\r\n\r\nhello", [("/p", "hello")]),
        ParserCase("a length of zero", post + "Content-Length: 0\r\n\r\n", [("/p", "")]),
        ParserCase("blanks around a value", post + "Content-Length: \t 5 \t\r\n\r\nhello", [("/p", "hello")]),
        ParserCase("no blank before a value", "GET / HTTP/1.1\r\nhOST:a\r\nX:\r\n\r\n", [("/", "")]),
        ParserCase("a chunked body", chunked + "5\r\nhello\r\n0\r\n\r\n", [("/p", "hello")]),
        ParserCase(
            "several chunks, hexadecimal in both cases",
            chunked + "1\r\nh\r\nA\r\n0123456789\r\n00b\r\nabcdefghijk\r\n0\r\n\r\n",
            [("/p", "h0123456789abcdefghijk")]),
        ParserCase(
            "chunk extensions", chunked + "5;a=b;c=\"d e\"\r\nhello\r\n0;last\r\n\r\n", [("/p", "hello")]),
        ParserCase(
            "trailers, which are dropped",
            chunked + "5\r\nhello\r\n0\r\nX: y\r\nContent-Length: 7\r\n\r\n" + get + "\r\n",
            [("/p", "hello"), ("/", "")]),
        ParserCase(
            "Chunked in capitals", post + "Transfer-Encoding: CHUNKED\r\n\r\n0\r\n\r\n", [("/p", "")]),
        ParserCase(
            "pipelined requests", get + "\r\n" + post + "Content-Length: 2\r\n\r\nok" + "\r\n" + get + "\r\n",
            [("/", ""), ("/p", "ok"), ("/", "")]),
        ParserCase(
            "an empty line before each request", "\r\n" + get + "\r\n" + "\r\n" + get + "\r\n", [("/", ""), ("/", "")]),
        ParserCase("HTTP/1.0 without Host", "GET /x HTTP/1.0\r\n\r\n", [("/x", "")]),
        ParserCase(
            "HTTP/1.0 with a body", "POST /x HTTP/1.0\r\nContent-Length: 2\r\n\r\nok", [("/x", "ok")]),
        ParserCase(
            "absolute form of our own host", "GET http://A:80/x?y HTTP/1.1\r\nHost: a\r\n\r\n", [("/x?y", "")]),
        ParserCase(
            "absolute form without a path", "GET HTTP://a:8080?y HTTP/1.1\r\nHost: a:8080\r\n\r\n", [("/?y", "")]),
        ParserCase(
            "absolute form by https", "GET https://a/ HTTP/1.1\r\nHost: a:443\r\n\r\n", [("/", "")]),
        ParserCase("OPTIONS *", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", [("*", "")]),
        ParserCase(
            "hosts of all forms",
            "GET /1 HTTP/1.1\r\nHost: [::1]:8080\r\n\r\nGET /2 HTTP/1.1\r\nHost: 10.0.0.1:\r\n\r\n"
                + "GET /3 HTTP/1.1\r\nHost: node_1.local\r\n\r\n", [("/1", ""), ("/2", ""), ("/3", "")]),
        ParserCase(
            "an encoded NUL is left to the route", "GET /job%00zz HTTP/1.1\r\nHost: a\r\n\r\n", [("/job%00zz", "")]),
        ParserCase("a target in raw UTF-8", "GET /Zürich?ß HTTP/1.1\r\nHost: a\r\n\r\n", [("/Zürich?ß", "")]),
        ParserCase(
            "a target with braces, bars and backslashes", "GET /{a}|b\\\"<>^`? HTTP/1.1\r\nHost: a\r\n\r\n",
            [("/{a}|b\\\"<>^`?", "")]),
        ParserCase("a method of our own", "WIBBLE-X / HTTP/1.1\r\nHost: a\r\n\r\n", [("/", "")]),
        ParserCase(
            "Expect with a body", post + "Expect: 100-Continue\r\nContent-Length: 2\r\n\r\nok", [("/p", "ok")]),
        ParserCase("Expect without a body", get + "Expect: 100-continue\r\n\r\n", [("/", "")]),
        ParserCase("Expect in HTTP/1.0", "GET / HTTP/1.0\r\nExpect: 200-ok\r\n\r\n", [("/", "")]),
    ]

    static let ambiguousFraming: [ParserCase] = [
        ParserCase(
            "length, then coding", post + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400,
            "both"),
        ParserCase(
            "coding, then length", post + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400,
            "both"),
        ParserCase(
            "two different lengths", post + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400, "more than"),
        ParserCase("two equal lengths", post + "Content-Length: 5\r\ncontent-length: 5\r\n\r\nhello", 400, "more than"),
        ParserCase("a list as length", post + "Content-Length: 5, 5\r\n\r\nhello", 400, "decimal digits"),
        ParserCase("length +5", post + "Content-Length: +5\r\n\r\nhello", 400, "decimal digits"),
        ParserCase("length -1", post + "Content-Length: -1\r\n\r\n", 400, "decimal digits"),
        ParserCase("length 5abc", post + "Content-Length: 5abc\r\n\r\nhello", 400, "decimal digits"),
        ParserCase("length 0x5", post + "Content-Length: 0x5\r\n\r\nhello", 400, "decimal digits"),
        ParserCase("length 5 0", post + "Content-Length: 5 0\r\n\r\nhello", 400, "decimal digits"),
        ParserCase("an empty length", post + "Content-Length: \r\n\r\n", 400, "decimal digits"),
        ParserCase("Arabic digits", post + "Content-Length: ٥\r\n\r\nhello", 400, "decimal digits"),
        ParserCase("length 2^64+5", post + "Content-Length: 18446744073709551621\r\n\r\nhello", 400, "decimal digits"),
        ParserCase("length 2^63", post + "Content-Length: 9223372036854775808\r\n\r\nhello", 400, "decimal digits"),
        ParserCase("coding identity", post + "Transfer-Encoding: identity\r\n\r\n", 400, "single chunked"),
        ParserCase("coding gzip, chunked", post + "Transfer-Encoding: gzip, chunked\r\n\r\n", 400, "single chunked"),
        ParserCase("coding chunked, gzip", post + "Transfer-Encoding: chunked, gzip\r\n\r\n", 400, "single chunked"),
        ParserCase("coding xchunked", post + "Transfer-Encoding: xchunked\r\n\r\n", 400, "single chunked"),
        ParserCase("coding chunked twice", post + "Transfer-Encoding: chunked, chunked\r\n\r\n", 400, "single chunked"),
        ParserCase("coding with a parameter", post + "Transfer-Encoding: chunked;q=1\r\n\r\n", 400, "single chunked"),
        ParserCase("coding in a list of one", post + "Transfer-Encoding: ,chunked\r\n\r\n", 400, "single chunked"),
        ParserCase("coding with a vertical tab", post + "Transfer-Encoding: \u{b}chunked\r\n\r\n", 400, "control"),
        ParserCase("an empty coding", post + "Transfer-Encoding:\r\n\r\n", 400, "single chunked"),
        ParserCase(
            "two codings", post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400,
            "single chunked"),
        ParserCase(
            "coding in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "HTTP/1.0"),
        ParserCase("a blank before the colon", post + "Transfer-Encoding : chunked\r\n\r\n", 400, "blank between"),
        ParserCase("a blank before the length's colon", post + "Content-Length : 5\r\n\r\nhello", 400, "blank between"),
        ParserCase("a tab before the colon", post + "Content-Length\t: 5\r\n\r\nhello", 400, "blank between"),
        ParserCase("a folded value", post + "X: a\r\n b\r\n\r\n", 400, "folded"),
        ParserCase("a folded coding", post + "Transfer-Encoding:\r\n chunked\r\n\r\n", 400, "folded"),
        ParserCase("a folded line with a tab", post + "X: a\r\n\tb\r\n\r\n", 400, "folded"),
        ParserCase("a blank before the first field", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400, "folded"),
    ]

    static let lines: [ParserCase] = [
        ParserCase("bare LF after the request line", "GET / HTTP/1.1\nHost: a\r\n\r\n", 400, "line feed without"),
        ParserCase("bare LF after a field", "GET / HTTP/1.1\r\nHost: a\n\r\n", 400, "line feed without"),
        ParserCase("bare LF as the empty line", get + "\n", 400, "line feed without"),
        ParserCase("bare LF before the request", "\n" + get + "\r\n", 400, "starts with a method"),
        ParserCase("bare CR in a value", get + "X: a\rb\r\n\r\n", 400, "control character"),
        ParserCase("CR CR LF", get + "X: a\r\r\n\r\n", 400, "control character"),
        ParserCase("bare CR before the request", "\rGET / HTTP/1.1\r\n", 400, "carriage return without"),
        ParserCase("bare CR in the request line", "GET /\rx HTTP/1.1\r\n\r\n", 400, "control character"),
        ParserCase("two empty lines before the request", "\r\n\r\n" + get + "\r\n", 400, "starts with a method"),
        ParserCase("NUL in a value", get + "X: a\0b\r\n\r\n", 400, "control character"),
        ParserCase("NUL in a name", get + "X\0: a\r\n\r\n", 400, "Name: value"),
        ParserCase("DEL in a value", get + "X: \u{7f}\r\n\r\n", 400, "control character"),
        ParserCase("a field without a colon", get + "X\r\n\r\n", 400, "Name: value"),
        ParserCase("a field without a name", get + ": x\r\n\r\n", 400, "Name: value"),
        ParserCase("a field name with a slash", get + "a/b: x\r\n\r\n", 400, "Name: value"),
        ParserCase("a field name that is not ASCII", get + "ü: x\r\n\r\n", 400, "Name: value"),
        ParserCase("a TLS greeting", [0x16, 0x03, 0x01, 0x02, 0x00], 400, "plain HTTP/1.1"),
        ParserCase("HTTP/2's preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "HTTP/1.1"),
        ParserCase("HTTP/1.2", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505, "HTTP/1.1"),
        ParserCase("HTTP/3.0", "GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505, "HTTP/1.1"),
        ParserCase("HTTP/0.9", "GET /\r\n", 400, "one blank between"),
        ParserCase("http/1.1 in small letters", "GET / http/1.1\r\nHost: a\r\n\r\n", 400, "version"),
        ParserCase("HTTP/1.10", "GET / HTTP/1.10\r\nHost: a\r\n\r\n", 400, "version"),
        ParserCase("HTTP/11", "GET / HTTP/11\r\nHost: a\r\n\r\n", 400, "version"),
        ParserCase("HTTP/1.x", "GET / HTTP/1.x\r\nHost: a\r\n\r\n", 400, "version"),
        ParserCase("two blanks in the request line", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "one blank between"),
        ParserCase("a blank after the version", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400, "one blank between"),
        ParserCase("a blank in the target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400, "one blank between"),
        ParserCase("a tab for a blank", "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, "one blank between"),
        ParserCase("a method with a colon", "GE:T / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "method"),
        ParserCase("a method with a bracket", "GET[] / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "method"),
        ParserCase(
            "a method of 33 letters", String(repeating: "A", count: 33) + " / HTTP/1.1\r\nHost: a\r\n\r\n", 400,
            "method"),
        ParserCase("a blank before the method", " GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "starts with a method"),
        ParserCase("an unknown expectation", get + "Expect: 200-ok\r\n\r\n", 417, "100-continue"),
    ]

    static let targets: [ParserCase] = [
        ParserCase("HTTP/1.1 without Host", "GET / HTTP/1.1\r\n\r\n", 400, "missing"),
        ParserCase("two Hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "more than one Host"),
        ParserCase("two equal Hosts", "GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n", 400, "more than one Host"),
        ParserCase("two Hosts in HTTP/1.0", "GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", 400, "more than one Host"),
        ParserCase("an empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", 400, "name:port"),
        ParserCase("a list as Host", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400, "name:port"),
        ParserCase("a Host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400, "name:port"),
        ParserCase("a Host with a user", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400, "name:port"),
        ParserCase("a Host with a bad port", "GET / HTTP/1.1\r\nHost: a:8x\r\n\r\n", 400, "name:port"),
        ParserCase("a Host with a large port", "GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n", 400, "name:port"),
        ParserCase("a Host of port alone", "GET / HTTP/1.1\r\nHost: :80\r\n\r\n", 400, "name:port"),
        ParserCase("a Host with an open bracket", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", 400, "name:port"),
        ParserCase("a Host with a tail after brackets", "GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n", 400, "name:port"),
        ParserCase("absolute form of another host", "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, "another host"),
        ParserCase(
            "absolute form of another port", "GET http://a:81/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, "another host"),
        ParserCase("absolute form with a user", "GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, "malformed"),
        ParserCase("absolute form without Host", "GET http://a/ HTTP/1.0\r\n\r\n", 400, "another host"),
        ParserCase("absolute form of another scheme", "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, "slash"),
        ParserCase("a relative target", "GET x HTTP/1.1\r\nHost: a\r\n\r\n", 400, "starts with a slash"),
        ParserCase("GET *", "GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400, "OPTIONS only"),
        ParserCase("CONNECT", "CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", 400, "starts with a slash"),
        ParserCase("a control character in the target", "GET /\u{1} HTTP/1.1\r\nHost: a\r\n\r\n", 400, "control"),
        ParserCase("NUL in the target", "GET /a\0b HTTP/1.1\r\nHost: a\r\n\r\n", 400, "control"),
        ParserCase("DEL in the target", "GET /\u{7f} HTTP/1.1\r\nHost: a\r\n\r\n", 400, "control"),
        ParserCase("a fragment", "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", 400, "%23"),
        ParserCase("half an escape in the path", "GET /a%2 HTTP/1.1\r\nHost: a\r\n\r\n", 400, "hexadecimal"),
        ParserCase("a bad escape in the query", "GET /?a=100%&b HTTP/1.1\r\nHost: a\r\n\r\n", 400, "hexadecimal"),
        ParserCase("an escape that is not UTF-8", "GET /%ff HTTP/1.1\r\nHost: a\r\n\r\n", 400, "UTF-8"),
        ParserCase("an overlong slash", "GET /%c0%af HTTP/1.1\r\nHost: a\r\n\r\n", 400, "UTF-8"),
        ParserCase(
            "raw bytes that are not UTF-8", Array("GET /".utf8) + [0xE9] + Array(" HTTP/1.1\r\nHost: a\r\n\r\n".utf8),
            400,
            "UTF-8"),
    ]

    static let chunks: [ParserCase] = [
        ParserCase("bare LF after a chunk's size", chunked + "5\nhello\r\n0\r\n\r\n", 400, "line feed without"),
        ParserCase("bare LF after a chunk's data", chunked + "5\r\nhello\n0\r\n\r\n", 400, "not followed"),
        ParserCase("bare CR after a chunk's data", chunked + "5\r\nhello\r0\r\n\r\n", 400, "not followed"),
        ParserCase("bare CR after a chunk's size", chunked + "5\rhello\r\n0\r\n\r\n", 400, "chunk's size"),
        ParserCase("bare LF in an extension", chunked + "5;a\nb\r\nhello\r\n0\r\n\r\n", 400, "line feed without"),
        ParserCase("bare LF at the end", chunked + "0\r\n\n", 400, "line feed without"),
        ParserCase("data longer than its size", chunked + "5\r\nhello!\r\n0\r\n\r\n", 400, "not followed"),
        ParserCase("an empty size", chunked + "\r\nhello\r\n0\r\n\r\n", 400, "chunk's size"),
        ParserCase("size +5", chunked + "+5\r\nhello\r\n0\r\n\r\n", 400, "chunk's size"),
        ParserCase("size 0x5", chunked + "0x5\r\nhello\r\n0\r\n\r\n", 400, "chunk's size"),
        ParserCase("size 5g", chunked + "5g\r\nhello\r\n0\r\n\r\n", 400, "chunk's size"),
        ParserCase("a blank before a size", chunked + " 5\r\nhello\r\n0\r\n\r\n", 400, "chunk's size"),
        ParserCase("a blank after a size", chunked + "5 \r\nhello\r\n0\r\n\r\n", 400, "chunk's size"),
        ParserCase("a blank before an extension", chunked + "5 ;a\r\nhello\r\n0\r\n\r\n", 400, "chunk's size"),
        ParserCase("a size of 16 digits", chunked + "ffffffffffffffff\r\n", 400, "15 hexadecimal"),
        ParserCase("a size of 2^64", chunked + "10000000000000000\r\n", 400, "15 hexadecimal"),
        ParserCase("NUL in an extension", chunked + "5;\0\r\nhello\r\n", 400, "control character"),
        ParserCase("a folded trailer", chunked + "0\r\nX: a\r\n b\r\n\r\n", 400, "folded"),
        ParserCase("a malformed trailer", chunked + "0\r\nX\r\n\r\n", 400, "Name: value"),
        ParserCase("a blank before a trailer's colon", chunked + "0\r\nX : a\r\n\r\n", 400, "blank between"),
        ParserCase("a size beyond the limit", chunked + "fffffff\r\n", 413, "larger than"),
    ]

    static let all = accepted + ambiguousFraming + lines + targets + chunks
}
