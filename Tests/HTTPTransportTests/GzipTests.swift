import HTTP
import HTTPTransport
import Testing

@Suite("Gzip")
struct GzipTests {
    static let texts: [[UInt8]] = [
        [], [0], Array("abc".utf8), [UInt8](repeating: 7, count: 1_000_000),
        (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 3) },
    ]

    @Test("what was compressed comes back", arguments: texts.indices, [1, 4, 9, 99])
    func roundTrip(index: Int, level: Int) throws {
        let bytes = Self.texts[index]
        let compressed = try Gzip.compress(bytes, level: level)
        #expect(compressed.starts(with: [0x1f, 0x8b]))
        #expect(try Gzip.decompress(compressed, limit: bytes.count) == bytes)
    }

    @Test("several members are one text")
    func members() throws {
        let both = try Gzip.compress(Array("ab".utf8)) + Gzip.compress(Array("cd".utf8))
        #expect(try Gzip.decompress(both, limit: 100) == Array("abcd".utf8))
    }

    @Test("a bomb stops at the limit")
    func bomb() throws {
        let bomb = try Gzip.compress([UInt8](repeating: 0, count: 8_000_000))
        #expect(bomb.count < 50_000)
        #expect { try Gzip.decompress(bomb, limit: 1_000_000) } throws: { ($0 as? GzipError)?.code == .tooLarge }
        #expect { try Gzip.decompress(bomb, limit: 7_999_999) } throws: { ($0 as? GzipError)?.code == .tooLarge }
    }

    @Test("what is cut short, damaged or something else is an error")
    func damage() throws {
        let good = try Gzip.compress(Array("some text that is long enough".utf8))
        var flipped = good
        flipped[good.count - 6] ^= 1
        let bad: [[UInt8]] = [[], [0x1f], Array(good.dropLast()), flipped, good + [0], Array("plain".utf8)]
        for bytes in bad {
            #expect { try Gzip.decompress(bytes, limit: 1000) } throws: { ($0 as? GzipError)?.code == .damaged }
        }
    }

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
