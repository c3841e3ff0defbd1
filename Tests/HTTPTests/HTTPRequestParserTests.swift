import HTTP
import Testing

/// All events, with neighbouring pieces of a body joined: where they are cut is no part of the contract.
private func events(
    of bytes: [UInt8], cutAt cuts: [Int] = [], limits: HTTPLimits = .standard
) -> [HTTPParserEvent] {
    var parser = HTTPRequestParser(limits: limits)
    var events: [HTTPParserEvent] = []
    var start = 0
    for end in cuts + [bytes.count] {
        parser.feed(bytes[start..<end])
        start = end
        while let event = parser.next() {
            if case .body(let piece) = event, case .body(let before) = events.last {
                events[events.count - 1] = .body(before + piece)
            } else {
                events.append(event)
            }
        }
    }
    return events
}

private func events(of text: String, limits: HTTPLimits = .standard) -> [HTTPParserEvent] {
    events(of: Array(text.utf8), limits: limits)
}

private func head(of text: String) throws -> HTTPRequestHead {
    guard case .head(let head) = try #require(events(of: text).first) else {
        throw HTTPParseFailure(status: 0, message: "\(events(of: text))")
    }
    return head
}

private func failure(of text: String, limits: HTTPLimits = .standard) -> HTTPParseFailure? {
    guard case .failure(let failure) = events(of: text, limits: limits).last else { return nil }
    return failure
}

struct HTTPRequestParserTests {
    @Test("each conversation has the one outcome that it should", arguments: ParserCase.all)
    func outcome(_ sample: ParserCase) {
        let events = events(of: sample.bytes)
        switch sample.outcome {
        case .requests(let expected):
            var requests: [(target: String, body: String)] = []
            for event in events {
                switch event {
                case .head(let head): requests.append((head.target, ""))
                case .body(let piece): requests[requests.count - 1].body += String(decoding: piece, as: UTF8.self)
                case .failure(let failure): Issue.record("\(failure.status) \(failure.message)")
                case .needsContinue, .end: break
                }
            }
            #expect(requests.elementsEqual(expected, by: ==), "\(requests)")
            #expect(events.count { $0 == .end } == expected.count)
        case .failure(let status, let message):
            guard case .failure(let failure) = events.last else {
                Issue.record("accepted: \(events)")
                return
            }
            #expect(failure.status == status)
            #expect(failure.message.contains(message), "\(failure.message)")
        }
    }

    @Test("the outcome is the same wherever the bytes are cut", arguments: ParserCase.all)
    func cuts(_ sample: ParserCase) {
        let whole = events(of: sample.bytes)
        for cut in 0...sample.bytes.count {
            #expect(events(of: sample.bytes, cutAt: [cut]) == whole, "cut at \(cut)")
        }
        #expect(events(of: sample.bytes, cutAt: Array(0..<sample.bytes.count)) == whole, "byte by byte")
    }

    @Test("an accepted conversation that ends early is neither complete nor refused", arguments: ParserCase.accepted)
    func beginnings(_ sample: ParserCase) {
        let whole = events(of: sample.bytes)
        for length in 0..<sample.bytes.count {
            let beginning = events(of: Array(sample.bytes[..<length]))
            #expect(beginning.allSatisfy { if case .failure = $0 { false } else { true } })
            // The last byte of each sample completes it.
            #expect(beginning.count { $0 == .end } < whole.count { $0 == .end }, "\(length) bytes")
        }
    }

    @Test("a refusal is the last event, whatever follows")
    func failureIsFinal() {
        var parser = HTTPRequestParser()
        parser.feed(Array("GET / HTTP/1.1\r\n\r\nGET / HTTP/1.0\r\n\r\n".utf8))
        #expect(parser.next() == .failure(HTTPParseFailure(status: 400, message: "the Host field is missing")))
        #expect(parser.phase == .failed)
        #expect(parser.next() == nil)
        parser.feed(Array("GET / HTTP/1.0\r\n\r\n".utf8))
        #expect(parser.next() == nil)
        #expect(parser.bufferedBytes == 0)
    }

    @Test("the head tells fields, framing and what becomes of the connection")
    func headFacts() throws {
        let head = try head(
            of:
                "PUT /a?b=c HTTP/1.1\r\nHost: x\r\nX-Twice: 1\r\nx-twice: 2\r\nName: Zürich\r\n"
                + "Content-Length: 3\r\n\r\n"
        )
        #expect(head.method == .put && head.target == "/a?b=c" && !head.isHTTP10)
        #expect(head.headers.all("X-TWICE") == ["1", "2"] && head.headers["name"] == "Zürich")
        #expect(head.bodyLength == .fixed(3) && head.keepsAlive && !head.expectsContinue)
        let request = head.request(body: [1], remoteAddress: "10.0.0.1")
        #expect(request.path == "/a" && request.query == "b=c" && request.body == [1])
        #expect(request.remoteAddress == "10.0.0.1" && !request.isHTTP10)
    }

    @Test("a value that is not UTF-8 is taken for Latin-1")
    func latin1() {
        let bytes = Array("GET / HTTP/1.0\r\nX: caf".utf8) + [0xE9] + Array("\r\n\r\n".utf8)
        guard case .head(let head) = events(of: bytes).first else {
            Issue.record("no head")
            return
        }
        #expect(head.headers["X"] == "café")
    }

    @Test(
        "a connection is kept alive by version and Connection field",
        arguments: [
            ("1.1", "", true), ("1.1", "Connection: close\r\n", false), ("1.1", "Connection: Keep-Alive\r\n", true),
            ("1.1", "Connection: upgrade , CLOSE\r\n", false), ("1.1", "Connection: x\r\nConnection: close\r\n", false),
            ("1.1", "Connection: closed\r\n", true), ("1.0", "", false), ("1.0", "Connection: keep-alive\r\n", true),
            ("1.0", "Connection: keep-alive, close\r\n", false),
        ])
    func keepsAlive(version: String, field: String, expected: Bool) throws {
        let head = try head(of: "GET / HTTP/\(version)\r\nHost: a\r\n\(field)\r\n")
        #expect(head.keepsAlive == expected)
        #expect(head.isHTTP10 == (version == "1.0"))
    }

    @Test("a client that expects to be told to go on is, before its body")
    func expectContinue() {
        let text = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n"
        let found = events(of: text)
        #expect(found.count == 2)
        #expect(found.last == .needsContinue)
        let whole = events(of: text + "1\r\nx\r\n0\r\n\r\n")
        #expect(Array(whole.dropFirst()) == [.needsContinue, .body([0x78]), .end])
        let tooLarge = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2000000\r\n\r\n"
        #expect(events(of: tooLarge).contains(.needsContinue) == false)
        #expect(failure(of: tooLarge)?.status == 413)
    }

    @Test("after the end of a request the parser waits to be asked for the next")
    func pipelining() {
        let one = "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"
        let two = "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n"
        var parser = HTTPRequestParser()
        #expect(parser.phase == .idle)
        parser.feed(Array((one + two).utf8))
        guard case .head(let first) = parser.next() else {
            Issue.record("no first head")
            return
        }
        #expect(first.target == "/1" && parser.phase == .body)
        #expect(parser.next() == .end)
        #expect(parser.bufferedBytes == two.utf8.count && parser.phase == .head)
        guard case .head(let second) = parser.next() else {
            Issue.record("no second head")
            return
        }
        #expect(second.target == "/2")
        #expect(parser.next() == .end)
        #expect(parser.next() == nil)
        #expect(parser.phase == .idle && parser.bufferedBytes == 0)
    }

    @Test("a thousand pipelined requests come out one by one, however they were read")
    func manyPipelined() {
        let one = Array("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc".utf8)
        let bytes = Array(repeatElement(one, count: 1000).joined())
        let cuts = Array(stride(from: 7, to: bytes.count, by: 97))
        #expect(events(of: bytes).count { $0 == .end } == 1000)
        #expect(events(of: bytes, cutAt: cuts).count { $0 == .end } == 1000)
    }

    // MARK: Limits

    @Test("the request line may have its limit and not a byte more, complete or not")
    func requestLineLimit() {
        let limits = HTTPLimits(requestLine: 30)
        let fits = "GET /" + String(repeating: "a", count: 16) + " HTTP/1.0"
        #expect(fits.utf8.count == 30)
        #expect(failure(of: fits + "\r\n\r\n", limits: limits) == nil)
        #expect(events(of: fits + "\r\n\r\n", limits: limits).last == .end)
        let longer = "GET /" + String(repeating: "a", count: 17) + " HTTP/1.0"
        #expect(failure(of: longer + "\r\n\r\n", limits: limits)?.status == 414)
        #expect(failure(of: "GET /" + String(repeating: "a", count: 27), limits: limits)?.status == 414)
        #expect(failure(of: "GET /" + String(repeating: "a", count: 26), limits: limits) == nil)
    }

    @Test("header bytes are limited over all lines")
    func headerBytesLimit() {
        // Three lines and the empty one.
        let header = "Host: a\r\nX: bbbbb\r\nY: cc\r\n\r\n"
        let text = "GET / HTTP/1.1\r\n" + header
        #expect(events(of: text, limits: HTTPLimits(headerBytes: header.utf8.count)).last == .end)
        for limit in 0..<header.utf8.count {
            #expect(failure(of: text, limits: HTTPLimits(headerBytes: limit))?.status == 431, "\(limit)")
        }
        let large = "GET / HTTP/1.1\r\nHost: a\r\nX: " + String(repeating: "x", count: 40_000)
        #expect(failure(of: large)?.status == 431)
    }

    @Test("the number of fields is limited, trailers included")
    func fieldLimit() {
        let limits = HTTPLimits(headerCount: 3)
        let text = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
        #expect(events(of: text + "X: 1\r\n\r\n0\r\n\r\n", limits: limits).last == .end)
        #expect(events(of: text + "\r\n0\r\nX: 1\r\n\r\n", limits: limits).last == .end)
        #expect(failure(of: text + "X: 1\r\nY: 2\r\n\r\n0\r\n\r\n", limits: limits)?.status == 431)
        #expect(failure(of: text + "X: 1\r\n\r\n0\r\nY: 2\r\n\r\n", limits: limits)?.status == 431)
        let thousand = (0..<1000).map { "X\($0): y\r\n" }.joined()
        #expect(failure(of: "GET / HTTP/1.1\r\nHost: a\r\n" + thousand + "\r\n")?.status == 431)
    }

    @Test("trailer bytes are limited")
    func trailerLimit() {
        let text = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: "
        #expect(failure(of: text + String(repeating: "x", count: 33_000))?.status == 431)
    }

    @Test("a body may have its limit and not a byte more, fixed or chunked")
    func bodyLimit() {
        let limits = HTTPLimits(body: 5)
        let post = "POST / HTTP/1.1\r\nHost: a\r\n"
        #expect(events(of: post + "Content-Length: 5\r\n\r\nhello", limits: limits).last == .end)
        #expect(failure(of: post + "Content-Length: 6\r\n\r\n", limits: limits)?.status == 413)
        let chunked = post + "Transfer-Encoding: chunked\r\n\r\n"
        #expect(events(of: chunked + "3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n", limits: limits).last == .end)
        #expect(failure(of: chunked + "3\r\nhel\r\n3\r\n", limits: limits)?.status == 413)
        #expect(failure(of: chunked + "7fffffffffffff\r\n", limits: limits)?.status == 413)
    }

    @Test("the caller may change the body's limit once it has seen the head, for that request only")
    func bodyLimitOfOneRequest() {
        let post = Array("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nhello!".utf8)
        var parser = HTTPRequestParser(limits: HTTPLimits(body: 5))
        parser.feed(post + post)
        _ = parser.next()
        parser.bodyLimit = 6
        #expect(parser.next() == .body(Array("hello!".utf8)))
        #expect(parser.next() == .end)
        _ = parser.next()
        guard case .failure(let failure) = parser.next() else {
            Issue.record("the raised limit outlived its request")
            return
        }
        #expect(failure.status == 413)
    }

    @Test("chunk extensions are limited, one by one and in all")
    func extensionLimit() {
        let limits = HTTPLimits(chunkExtension: 8)
        let chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        #expect(events(of: chunked + "1;abcdefg\r\nx\r\n0\r\n\r\n", limits: limits).last == .end)
        #expect(failure(of: chunked + "1;abcdefgh\r\nx\r\n0\r\n\r\n", limits: limits)?.status == 400)
        #expect(failure(of: chunked + "1;abc\r\nx\r\n1;abcd\r\nx\r\n0\r\n\r\n", limits: limits)?.status == 400)
        #expect(failure(of: chunked + "1;" + String(repeating: "a", count: 30), limits: limits)?.status == 400)
    }

    @Test("limits are the same wherever the bytes are cut")
    func limitsWhereverCut() {
        let limits = HTTPLimits(requestLine: 20, headerBytes: 64, headerCount: 3, body: 4, chunkExtension: 4)
        let samples = [
            "GET /aaaaaaaaaaaaaaaaaaaa HTTP/1.1\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX: \(String(repeating: "x", count: 60))\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nA: b\r\nC: d\r\nE: f\r\n\r\n",
            "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;abc\r\nabc\r\n2\r\nab\r\n0\r\n\r\n",
            "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;abcdefghijklmnopqrstuvwxyz\r\n",
            "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabcde",
        ]
        for sample in samples.map({ Array($0.utf8) }) {
            let whole = events(of: sample, limits: limits)
            guard case .failure = whole.last else {
                Issue.record("accepted: \(String(decoding: sample, as: UTF8.self))")
                continue
            }
            for cut in 0...sample.count { #expect(events(of: sample, cutAt: [cut], limits: limits) == whole) }
            #expect(events(of: sample, cutAt: Array(0..<sample.count), limits: limits) == whole)
        }
    }
}
