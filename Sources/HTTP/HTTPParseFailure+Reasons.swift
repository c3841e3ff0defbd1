extension HTTPParseFailure {
    private static func badRequest(_ message: String) -> HTTPParseFailure {
        HTTPParseFailure(status: 400, message: message)
    }

    // MARK: Lines

    static let notHTTP = badRequest("this port speaks plain HTTP/1.1; a request starts with a method such as GET")
    static let bareLineFeed = badRequest("a line feed without a carriage return before it; lines end with both")
    static let bareCarriageReturn = badRequest("a carriage return without a line feed after it; lines end with both")

    // MARK: Request line

    static let requestLineTooLong = HTTPParseFailure(status: 414, message: "the request line is too long")
    static let badRequestLine = badRequest(
        "the request line is method, target and version with one blank between, as in GET / HTTP/1.1")
    static let badMethod = badRequest("the method is not a token of at most 32 characters, such as GET")
    static let badVersion = badRequest("the version is not of the form HTTP/1.1")
    static let otherVersion = HTTPParseFailure(status: 505, message: "only HTTP/1.1 and HTTP/1.0 are served")

    static func badTarget(_ reason: String) -> HTTPParseFailure {
        badRequest("the request target is malformed: \(reason)")
    }

    static let otherHost = badRequest("the target names another host than the Host field")

    // MARK: Header

    static let headerTooLarge = HTTPParseFailure(status: 431, message: "the header fields have too many bytes")
    static let tooManyFields = HTTPParseFailure(status: 431, message: "there are too many header fields")
    static let foldedLine = badRequest("a header line starts with a blank; folded lines are not accepted")
    static let blankBeforeColon = badRequest("a blank between a header field's name and its colon")
    static let badField = badRequest("a header line is not of the form Name: value")
    static let controlInField = badRequest("a control character in a header field's value")
    static let missingHost = badRequest("the Host field is missing")
    static let severalHosts = badRequest("there is more than one Host field")
    static let badHost = badRequest("the Host field is not of the form name:port")
    static let unknownExpectation = HTTPParseFailure(
        status: 417, message: "the only expectation that is met is 100-continue")

    // MARK: Framing

    static let lengthAndCoding = badRequest("both Content-Length and Transfer-Encoding; send one of them")
    static let severalLengths = badRequest("there is more than one Content-Length field")
    static let badLength = badRequest("the Content-Length is not a number in decimal digits")
    static let codingInHTTP10 = badRequest("HTTP/1.0 has no Transfer-Encoding; send Content-Length")
    static let unknownCoding = badRequest("the only Transfer-Encoding that is accepted is one single chunked")
    static let badChunkSize = badRequest("a chunk's size is not a number in at most 15 hexadecimal digits")
    static let badChunkExtension = badRequest("a control character in a chunk's extension")
    static let chunkLineTooLong = badRequest("the chunk extensions are too long")
    static let chunkWithoutEnd = badRequest("a chunk's data is not followed by carriage return and line feed")

    static func bodyTooLarge(limit: Int) -> HTTPParseFailure {
        HTTPParseFailure(status: 413, message: "the body is larger than \(limit) bytes")
    }
}
