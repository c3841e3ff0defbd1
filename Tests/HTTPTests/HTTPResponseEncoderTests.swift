import HTTP
import Testing

private func text(
    _ response: HTTPResponse, method: HTTPMethod = .get, isHTTP10: Bool = false, keepAlive: Bool = true,
    extra: HTTPHeaders = [:]
) throws -> String {
    let head = try HTTPResponseEncoder.encode(
        response, method: method, isHTTP10: isHTTP10, keepAlive: keepAlive, extra: extra)
    return String(decoding: head.bytes, as: UTF8.self)
}

private let stream = HTTPResponse(status: 200, body: .stream(HTTPBodyStream { _ in }))

struct HTTPResponseEncoderTests {
    @Test("an answer has status line, its fields, its length and the empty line")
    func plain() throws {
        let response = HTTPResponse(status: 404, headers: ["X": "ü\t1", "Y": ""], body: .bytes([1, 2]))
        #expect(
            try text(response, extra: ["Date": "now", "x": "other"])
                == "HTTP/1.1 404 Not Found\r\nX: ü\t1\r\nY: \r\nDate: now\r\nContent-Length: 2\r\n\r\n")
        #expect(try text(.empty(status: 299)) == "HTTP/1.1 299 \r\nContent-Length: 0\r\n\r\n")
    }

    @Test(
        "the body's framing follows method, status and version",
        arguments: [
            (200, HTTPMethod.get, false, "Content-Length: 3", HTTPResponseEncoder.Framing.length(3)),
            (200, .head, false, "Content-Length: 3", .none), (204, .get, false, "", .none),
            (304, .get, false, "", .none), (304, .head, false, "", .none),
            (205, .post, false, "Content-Length: 0", .none),
            (500, .get, true, "Content-Length: 3", .length(3)),
        ])
    func framing(
        status: Int, method: HTTPMethod, isHTTP10: Bool, line: String, framing: HTTPResponseEncoder.Framing
    ) throws {
        let response = HTTPResponse(status: status, body: .bytes([1, 2, 3]))
        let head = try HTTPResponseEncoder.encode(response, method: method, isHTTP10: isHTTP10)
        #expect(head.framing == framing && head.keepsAlive)
        let text = String(decoding: head.bytes, as: UTF8.self)
        #expect(text.contains("Content-Length") == !line.isEmpty)
        #expect(line.isEmpty || text.contains("\r\n\(line)\r\n"))
        #expect(!text.contains("Transfer-Encoding"))
    }

    @Test("a stream is chunked, to HTTP/1.0 it ends with the connection, to HEAD it is not sent")
    func streams() throws {
        let chunked = try HTTPResponseEncoder.encode(stream, method: .get)
        #expect(chunked.framing == .chunked && chunked.keepsAlive)
        #expect(try text(stream) == "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        let old = try HTTPResponseEncoder.encode(stream, method: .get, isHTTP10: true)
        #expect(old.framing == .untilClose && !old.keepsAlive)
        #expect(try text(stream, isHTTP10: true) == "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        let head = try HTTPResponseEncoder.encode(stream, method: .head, isHTTP10: true)
        #expect(head.framing == .none && head.keepsAlive)
        #expect(try text(stream, method: .head) == "HTTP/1.1 200 OK\r\n\r\n")
    }

    @Test("the Connection field says what becomes of the connection")
    func connection() throws {
        #expect(try text(.empty(status: 200), keepAlive: false).contains("\r\nConnection: close\r\n"))
        #expect(try text(.empty(status: 200), isHTTP10: true).contains("\r\nConnection: keep-alive\r\n"))
        let closing = HTTPResponse(status: 200, headers: ["connection": "Close"])
        #expect(try HTTPResponseEncoder.encode(closing, method: .get).keepsAlive == false)
        #expect(try text(closing).hasSuffix("\r\nConnection: close\r\n\r\n"))
    }

    @Test("framing fields of a handler are dropped")
    func framingFields() throws {
        let response = HTTPResponse(
            status: 200, headers: ["content-length": "9", "TRANSFER-ENCODING": "gzip", "Connection": "keep-alive"],
            body: .bytes([1]))
        #expect(try text(response) == "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n")
        #expect(try text(.empty(status: 200), extra: ["Content-Length": "9"]).contains("9") == false)
    }

    @Test("a header cannot be split", arguments: ["a\r\nb", "a\rb", "a\nb", "a\0b", "\u{7f}", "\r", "\u{1b}[0m"])
    func controlCharacters(value: String) {
        let response = HTTPResponse(status: 302, headers: ["Location": value])
        #expect(throws: HTTPResponseEncoder.EncodingError.self) { try text(response) }
        #expect(throws: HTTPResponseEncoder.EncodingError.self) { try text(.empty(status: 200), extra: ["X": value]) }
    }

    @Test("a field name is a token", arguments: ["", "a b", "a:", "a\r\nb", "ü", "a/b"])
    func names(name: String) {
        let response = HTTPResponse(status: 200, headers: HTTPHeaders([(name, "x")]))
        #expect(throws: HTTPResponseEncoder.EncodingError.self) { try text(response) }
    }

    @Test("only final statuses of three digits are sent", arguments: [0, -1, 99, 100, 101, 199, 1000])
    func statuses(status: Int) {
        #expect(throws: HTTPResponseEncoder.EncodingError.self) { try text(.empty(status: status)) }
    }

    @Test("chunks carry their size in hexadecimal, and an empty piece does not end the body")
    func chunks() {
        #expect(HTTPResponseEncoder.chunk(Array("hello".utf8)) == Array("5\r\nhello\r\n".utf8))
        #expect(HTTPResponseEncoder.chunk([UInt8](repeating: 0x78, count: 255)).starts(with: "ff\r\n".utf8))
        #expect(HTTPResponseEncoder.chunk([]).isEmpty)
        #expect(HTTPResponseEncoder.lastChunk == Array("0\r\n\r\n".utf8))
        #expect(HTTPResponseEncoder.continueResponse == Array("HTTP/1.1 100 Continue\r\n\r\n".utf8))
    }

    @Test("every status that the parser fails with has a reason phrase", arguments: [400, 413, 414, 417, 431, 505])
    func reasons(status: Int) {
        #expect(!HTTPResponseEncoder.reason(for: status).isEmpty)
    }
}
