extension HTTPRequestParser {
    /// Judges request line and fields together: version, host and framing.
    mutating func finishHead() throws(HTTPParseFailure) -> HTTPRequestHead {
        guard let line = requestLine else { throw .notHTTP }
        let fields = headers
        requestLine = nil
        headers = HTTPHeaders()
        let target = try Self.originForm(of: line, host: Self.host(in: fields, isHTTP10: line.isHTTP10))
        let bodyLength = try Self.bodyLength(in: fields, isHTTP10: line.isHTTP10)
        return HTTPRequestHead(
            method: line.method, target: target, headers: fields, isHTTP10: line.isHTTP10, bodyLength: bodyLength,
            keepsAlive: Self.keepsAlive(fields, isHTTP10: line.isHTTP10),
            expectsContinue: try Self.expectsContinue(fields, isHTTP10: line.isHTTP10, bodyLength: bodyLength))
    }

    // MARK: Host and target

    /// The one Host; nil for an HTTP/1.0 request without it.
    private static func host(in headers: HTTPHeaders, isHTTP10: Bool) throws(HTTPParseFailure) -> HTTPAuthority? {
        let hosts = headers.all("Host")
        guard hosts.count <= 1 else { throw .severalHosts }
        guard let text = hosts.first else {
            guard isHTTP10 else { throw .missingHost }
            return nil
        }
        guard let host = HTTPAuthority(text.utf8) else { throw .badHost }
        return host
    }

    private static func originForm(of line: RequestLine, host: HTTPAuthority?) throws(HTTPParseFailure) -> String {
        switch line.target {
        case .origin(let target):
            return target
        case .asterisk:
            guard line.method == .options else { throw .badTarget("\"*\" goes with OPTIONS only") }
            return "*"
        case .absolute(let authority, let defaultPort, let target):
            // A proxy in front may have decided by the one and we by the other: they must be the same.
            guard let host, host.isSame(as: authority, defaultPort: defaultPort) else { throw .otherHost }
            return target
        }
    }

    // MARK: Framing

    private static func bodyLength(
        in headers: HTTPHeaders, isHTTP10: Bool
    ) throws(HTTPParseFailure) -> HTTPRequestHead.BodyLength {
        let lengths = headers.all("Content-Length")
        let codings = headers.all("Transfer-Encoding")
        guard let coding = codings.first else {
            // Several equal ones could be read as one, but only an attacker or a broken proxy sends them.
            guard lengths.count <= 1 else { throw .severalLengths }
            guard let length = lengths.first else { return .none }
            return .fixed(try contentLength(length))
        }
        guard lengths.isEmpty else { throw .lengthAndCoding }
        guard !isHTTP10 else { throw .codingInHTTP10 }
        guard codings.count == 1, ASCII.equalIgnoringCase(coding.utf8, "chunked".utf8) else { throw .unknownCoding }
        return .chunked
    }

    /// Digits only: no sign, no list, no blank within.
    private static func contentLength(_ text: String) throws(HTTPParseFailure) -> Int {
        guard !text.isEmpty, text.utf8.allSatisfy(ASCII.isDigit), let length = Int(text) else { throw .badLength }
        return length
    }

    // MARK: Connection

    private static func keepsAlive(_ headers: HTTPHeaders, isHTTP10: Bool) -> Bool {
        if headers.hasToken("close", in: "Connection") { return false }
        return !isHTTP10 || headers.hasToken("keep-alive", in: "Connection")
    }

    private static func expectsContinue(
        _ headers: HTTPHeaders, isHTTP10: Bool, bodyLength: HTTPRequestHead.BodyLength
    ) throws(HTTPParseFailure) -> Bool {
        // RFC 9110 §10.1.1: in HTTP/1.0 the field is ignored.
        guard !isHTTP10 else { return false }
        let expectations = headers.all("Expect")
        guard let expectation = expectations.first else { return false }
        guard expectations.count == 1, ASCII.equalIgnoringCase(expectation.utf8, "100-continue".utf8) else {
            throw .unknownExpectation
        }
        switch bodyLength {
        case .none, .fixed(0): return false
        case .fixed, .chunked: return true
        }
    }
}
