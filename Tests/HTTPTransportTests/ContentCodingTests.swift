import Compression
import HTTP
import HTTPTransport
import Testing

@Suite("Compressed answers")
struct ContentCodingTests {
    @Test("the server compresses text for clients that accept it, on the loop or off it", arguments: [2000, 500_000])
    func answers(size: Int) async throws {
        let text = String(repeating: "0123456789", count: size / 10)
        try await withServer(handler: { _ in .text(text) }) { harness in
            let client = HTTPClient(loop: harness.loop)
            var request = HTTPClientRequest(url: "http://127.0.0.1:\(harness.port)/")
            let plain = try await client.execute(request)
            #expect(plain.headers["Content-Encoding"] == nil && plain.headers["Vary"] == "Accept-Encoding")
            #expect(plain.body == Array(text.utf8))
            request.headers["Accept-Encoding"] = "br, gzip;q=0.5"
            let packed = try await client.execute(request)
            #expect(packed.headers["Content-Encoding"] == "gzip" && packed.body.count < size / 10)
            #expect(try Gzip.decompress(packed.body, limit: size) == Array(text.utf8))
            request.method = .head
            let head = try await client.execute(request)
            #expect(head.headers["Content-Length"] == "\(packed.body.count)")
            client.close()
        }
    }

    @Test(
        "what is short, not text, encoded already or not wanted is left alone",
        arguments: [
            ("text/plain", 1023, "gzip"), ("image/png", 5000, "gzip"), ("text/plain", 5000, "gzip;q=0"),
            ("text/plain", 5000, "gzip; q=0.000, br"), ("text/plain", 5000, "identity"), ("text/plain", 5000, "*;q=0"),
            ("encoded", 5000, "gzip"),
        ])
    func leftAlone(type: String, size: Int, accept: String) async throws {
        let handler: HTTPHandler = { _ in
            var response = HTTPResponse(
                status: 200, headers: ["Content-Type": type], body: .bytes(.init(repeating: 65, count: size)))
            if type == "encoded" {
                response.headers["Content-Type"] = "text/plain"
                response.headers["Content-Encoding"] = "br"
            }
            return response
        }
        try await withServer(handler: handler) { harness in
            let client = HTTPClient(loop: harness.loop)
            let request = HTTPClientRequest(
                url: "http://127.0.0.1:\(harness.port)/", headers: ["Accept-Encoding": accept])
            let response = try await client.execute(request)
            #expect(response.headers["Content-Encoding"] != "gzip" && response.body.count == size)
            client.close()
        }
    }
}
