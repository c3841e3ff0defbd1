// Properties of the request parser, for any bytes:
// - the events do not depend on how the bytes are cut, under everyday and under tiny limits;
// - events come in their order, and nothing after a failure;
// - a request that was accepted is accepted again when it is written out plainly, and is then the same;
// - whatever an accepted request holds can be routed, decoded and sent in an answer's header.
import HTTP

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzHTTP(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    let input = bytes(data, size)
    let tiny = HTTPLimits(requestLine: 24, headerBytes: 64, headerCount: 3, body: 8, chunkExtension: 4)
    for limits in [HTTPLimits.standard, tiny] {
        let whole = events(of: input, cutAt: [], limits: limits)
        checkOrder(whole)
        for cut in cuts(of: input) {
            require(events(of: input, cutAt: [cut], limits: limits) == whole, "cut at \(cut) of \(size)")
        }
        require(events(of: input, cutAt: Array(0..<size), limits: limits) == whole, "byte by byte")
    }
    for request in requests(in: events(of: input, cutAt: [], limits: .standard)) { check(request) }
    return 0
}

/// All places of a short input, a few of a long one, which the input itself decides.
private func cuts(of input: [UInt8]) -> [Int] {
    guard input.count > 32 else { return Array(0...input.count) }
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in input { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
    return (0..<4).map { _ in
        hash = hash &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Int(hash >> 33) % (input.count + 1)
    }
}

/// With neighbouring pieces of a body joined.
private func events(of input: [UInt8], cutAt cuts: [Int], limits: HTTPLimits) -> [HTTPParserEvent] {
    var parser = HTTPRequestParser(limits: limits)
    var events: [HTTPParserEvent] = []
    var start = 0
    for end in cuts + [input.count] {
        parser.feed(input[start..<end])
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

private func checkOrder(_ events: [HTTPParserEvent]) {
    var isInRequest = false
    var hasFailed = false
    for event in events {
        require(!hasFailed, "nothing follows a failure")
        switch event {
        case .head:
            require(!isInRequest, "a head begins a request")
            isInRequest = true
        case .needsContinue: require(isInRequest, "only a request needs to be continued")
        case .body(let piece): require(isInRequest && !piece.isEmpty, "a piece of a body is part of a request")
        case .end:
            require(isInRequest, "only a request ends")
            isInRequest = false
        case .failure(let failure):
            require((400...599).contains(failure.status) && !failure.message.isEmpty, "a failure says what is wrong")
            hasFailed = true
        }
    }
}

private struct Complete: Equatable {
    let head: HTTPRequestHead
    var body: [UInt8] = []
}

private func requests(in events: [HTTPParserEvent]) -> [Complete] {
    var complete: [Complete] = []
    var current: Complete?
    for event in events {
        switch event {
        case .head(let head): current = Complete(head: head)
        case .body(let piece): current?.body += piece
        case .end:
            if let current { complete.append(current) }
        case .needsContinue, .failure: break
        }
    }
    return complete
}

private func check(_ request: Complete) {
    // Latin-1 grows when it is written as UTF-8, and each field gains a blank.
    let generous = HTTPLimits(requestLine: 100_000, headerBytes: 1_000_000, headerCount: 100, body: 2_000_000)
    let again = requests(in: events(of: written(request), cutAt: [], limits: generous))
    require(again == [request], "written out again it is the same request: \(request) is \(again)")

    let whole = request.head.request(body: request.body, remoteAddress: "")
    if request.head.target != "*" {
        require(PercentCoding.decode(whole.path) != nil, "the path of an accepted request decodes")
        require(PercentCoding.decode(whole.query ?? "") != nil, "the query of an accepted request decodes")
    }
    for (name, value) in whole.queryItems() {
        require(PercentCoding.decode(PercentCoding.encodeQueryValue(value)) == value, "\(name) is encoded and decoded")
    }
    if case .found(_, let found) = router.match(whole) {
        for value in found.pathParameters.values {
            let encoded = PercentCoding.encodePathSegment(value)
            require(PercentCoding.decode(encoded) == value, "a parameter is encoded and decoded")
        }
    }
    if let credentials = BasicCredentials(header: request.head.headers["Authorization"] ?? "") {
        require(BasicCredentials(header: credentials.header) == credentials, "credentials are written and read")
    }
    checkAnswer(to: request)
}

/// An answer that echoes the request's fields has one header, however they look.
private func checkAnswer(to request: Complete) {
    let response = HTTPResponse(status: 200, headers: request.head.headers, body: .bytes(request.body))
    do {
        let head = try HTTPResponseEncoder.encode(response, method: request.head.method)
        let ends = head.bytes.indices.dropLast(3).count { head.bytes[$0...].starts(with: "\r\n\r\n".utf8) }
        require(ends == 1 && head.bytes.suffix(4).elementsEqual("\r\n\r\n".utf8), "a header ends once")
    } catch {
        require(false, "a received field can be sent: \(error)")
    }
}

private func written(_ request: Complete) -> [UInt8] {
    let head = request.head
    var bytes = Array("\(head.method) \(head.target) HTTP/1.\(head.isHTTP10 ? 0 : 1)\r\n".utf8)
    for (name, value) in head.headers { bytes += Array("\(name): \(value)\r\n".utf8) }
    bytes += Array("\r\n".utf8)
    guard head.bodyLength == .chunked else { return bytes + request.body }
    return bytes + HTTPResponseEncoder.chunk(request.body) + HTTPResponseEncoder.lastChunk
}

private let router: HTTPRouter = {
    var router = HTTPRouter()
    router.on(.get, "/") { _ in .empty(status: 204) }
    router.on(.get, "/{a}") { _ in .empty(status: 204) }
    router.on(.put, "/a/{b}") { _ in .empty(status: 204) }
    router.on(.post, "/{a}/b") { _ in .empty(status: 204) }
    return router
}()
