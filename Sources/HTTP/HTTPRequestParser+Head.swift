extension HTTPRequestParser {
    /// Judges request line and fields together: version, host and framing.
    mutating func finishHead() throws(HTTPParseFailure) -> HTTPRequestHead {
        guard let line = requestLine else { throw .notHTTP }
        let fields = headers
        requestLine = nil
        headers = HTTPHeaders()
        let notable = NotableFields(in: fields)
        let target = try notable.originForm(of: line)
        let bodyLength = try notable.bodyLength(isHTTP10: line.isHTTP10)
        return HTTPRequestHead(
            method: line.method, target: target, headers: fields, isHTTP10: line.isHTTP10, bodyLength: bodyLength,
            keepsAlive: Self.keepsAlive(fields, isHTTP10: line.isHTTP10),
            expectsContinue: try notable.expectsContinue(isHTTP10: line.isHTTP10, bodyLength: bodyLength))
    }

    private static func keepsAlive(_ headers: HTTPHeaders, isHTTP10: Bool) -> Bool {
        if headers.hasToken("close", in: "Connection") { return false }
        return !isHTTP10 || headers.hasToken("keep-alive", in: "Connection")
    }
}

/// The fields that decide where a request ends and whom it is for, found in one pass.
private struct NotableFields {
    /// The first field of a name, and how many there are.
    struct Field {
        var value: String?
        var count = 0

        mutating func add(_ text: String) {
            if count == 0 { value = text }
            count += 1
        }
    }

    private var host = Field()
    private var length = Field()
    private var coding = Field()
    private var expectation = Field()

    init(in headers: HTTPHeaders) {
        for (name, value) in headers {
            switch name.utf8.count {
            case 4 where ASCII.equalIgnoringCase(name.utf8, "Host".utf8): host.add(value)
            case 6 where ASCII.equalIgnoringCase(name.utf8, "Expect".utf8): expectation.add(value)
            case 14 where ASCII.equalIgnoringCase(name.utf8, "Content-Length".utf8): length.add(value)
            case 17 where ASCII.equalIgnoringCase(name.utf8, "Transfer-Encoding".utf8): coding.add(value)
            default: break
            }
        }
    }

    func originForm(of line: RequestLine) throws(HTTPParseFailure) -> String {
        guard host.count <= 1 else { throw .severalHosts }
        guard host.value != nil || line.isHTTP10 else { throw .missingHost }
        if let text = host.value, !HTTPAuthority.isWellFormed(text) { throw .badHost }
        switch line.target {
        case .origin(let target):
            return target
        case .asterisk:
            guard line.method == .options else { throw .badTarget("\"*\" goes with OPTIONS only") }
            return "*"
        case .absolute(let authority, let defaultPort, let target):
            // A proxy in front may have decided by the one and we by the other: they must be the same.
            guard let text = host.value, let own = HTTPAuthority(Array(text.utf8)[...]),
                own.isSame(as: authority, defaultPort: defaultPort)
            else { throw .otherHost }
            return target
        }
    }

    func bodyLength(isHTTP10: Bool) throws(HTTPParseFailure) -> HTTPRequestHead.BodyLength {
        guard let coding = coding.value else {
            // Several equal ones could be read as one, but only an attacker or a broken proxy sends them.
            guard length.count <= 1 else { throw .severalLengths }
            guard let text = length.value else { return .none }
            // Digits only: no sign, no list, no blank within.
            guard !text.isEmpty, text.utf8.allSatisfy(ASCII.isDigit), let number = Int(text) else { throw .badLength }
            return .fixed(number)
        }
        guard length.count == 0 else { throw .lengthAndCoding }
        guard !isHTTP10 else { throw .codingInHTTP10 }
        guard self.coding.count == 1, ASCII.equalIgnoringCase(coding.utf8, "chunked".utf8) else {
            throw .unknownCoding
        }
        return .chunked
    }

    func expectsContinue(
        isHTTP10: Bool, bodyLength: HTTPRequestHead.BodyLength
    ) throws(HTTPParseFailure) -> Bool {
        // RFC 9110 §10.1.1: in HTTP/1.0 the field is ignored.
        guard !isHTTP10, let text = expectation.value else { return false }
        guard expectation.count == 1, ASCII.equalIgnoringCase(text.utf8, "100-continue".utf8) else {
            throw .unknownExpectation
        }
        switch bodyLength {
        case .none, .fixed(0): return false
        case .fixed, .chunked: return true
        }
    }
}
