/// What the parser found next. A request is `.head`, perhaps `.needsContinue`, any number of `.body`, `.end`; a
/// `.failure` can stand in place of any of them and is the last event.
public enum HTTPParserEvent: Sendable, Equatable {
    case head(HTTPRequestHead)
    /// The client asked for `100 Continue` and is waiting for it: send it, or a final answer and close.
    /// It comes whether or not some of the body is here already; `bufferedBytes` tells, and spares the interim answer.
    case needsContinue
    /// Some of the body, never empty. Where it is cut depends on how the bytes came in.
    case body([UInt8])
    case end
    /// Answer with this status, then close: where the next request would begin is not known.
    case failure(HTTPParseFailure)
}

/// Why a request was refused.
public struct HTTPParseFailure: Error, Sendable, Equatable {
    /// 400, 413, 414, 417, 431 or 505.
    public let status: Int
    /// For people: what is wrong and what would be right.
    public let message: String

    public init(status: Int, message: String) {
        self.status = status
        self.message = message
    }
}
