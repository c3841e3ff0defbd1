/// The first line of a request, checked as far as it can be without the header.
struct RequestLine: Sendable {
    enum Target: Sendable {
        case origin(String)
        case asterisk
        /// `http://authority/path`; the target is in origin form already.
        case absolute(HTTPAuthority, defaultPort: Int, target: String)
    }

    /// No registered method is longer than 17 characters.
    private static let longestMethod = 32

    let method: HTTPMethod
    let target: Target
    let isHTTP10: Bool

    init(parsing line: ArraySlice<UInt8>) throws(HTTPParseFailure) {
        guard let first = line.firstIndex(of: ASCII.blank), let last = line.lastIndex(of: ASCII.blank), first < last,
            let next = line[(first + 1)...].firstIndex(of: ASCII.blank), next == last, last + 1 < line.endIndex
        else { throw .badRequestLine }
        let token = line[..<first]
        guard !token.isEmpty, token.count <= Self.longestMethod, token.allSatisfy(ASCII.isToken) else {
            throw .badMethod
        }
        // Version before target: HTTP/2's preface should hear of its version.
        isHTTP10 = try Self.isHTTP10(line[(last + 1)...])
        method = HTTPMethod(String(decoding: token, as: UTF8.self))
        target = try Self.target(line[(first + 1)..<last])
    }

    private static func isHTTP10(_ version: ArraySlice<UInt8>) throws(HTTPParseFailure) -> Bool {
        guard version.count == 8, version.starts(with: "HTTP/".utf8) else { throw .badVersion }
        let (major, dot, minor) = (version[version.endIndex - 3], version[version.endIndex - 2], version.last)
        guard dot == UInt8(ascii: "."), ASCII.isDigit(major), let minor, ASCII.isDigit(minor) else { throw .badVersion }
        switch (major, minor) {
        case (UInt8(ascii: "1"), UInt8(ascii: "0")): return true
        case (UInt8(ascii: "1"), UInt8(ascii: "1")): return false
        default: throw .otherVersion
        }
    }

    private static func target(_ bytes: ArraySlice<UInt8>) throws(HTTPParseFailure) -> Target {
        guard let first = bytes.first else { throw .badTarget("it is empty") }
        guard !bytes.contains(where: ASCII.isControl) else { throw .badTarget("it has a control character") }
        guard !bytes.contains(UInt8(ascii: "#")) else { throw .badTarget("encode \"#\" as %23") }
        if first == UInt8(ascii: "/") { return .origin(try checked(bytes)) }
        if bytes.elementsEqual("*".utf8) { return .asterisk }
        for (scheme, port) in [("http://", 80), ("https://", 443)]
        where ASCII.equalIgnoringCase(bytes.prefix(scheme.utf8.count), scheme.utf8) {
            let rest = bytes.dropFirst(scheme.utf8.count)
            let end = rest.firstIndex { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "?") } ?? rest.endIndex
            guard let authority = HTTPAuthority(rest[..<end]) else { throw .badTarget("its host is malformed") }
            let tail = rest[end...]
            let target = try checked(tail)
            return .absolute(
                authority, defaultPort: port, target: tail.first == UInt8(ascii: "/") ? target : "/" + target)
        }
        throw .badTarget("it starts with a slash, as in /path?query")
    }

    /// Whoever decodes path or query later can rely on well-formed escapes and UTF-8.
    private static func checked(_ target: ArraySlice<UInt8>) throws(HTTPParseFailure) -> String {
        if target.allSatisfy({ $0 < 0x80 && $0 != UInt8(ascii: "%") }) {
            return String(decoding: target, as: UTF8.self)
        }
        // Delimiters are ASCII, so the parts are well-formed exactly if the whole is.
        guard PercentCoding.decode(bytes: target, plusIsBlank: false) != nil,
            let text = String(validating: target, as: UTF8.self)
        else {
            throw .badTarget("after each % there are two hexadecimal digits, and the bytes are UTF-8")
        }
        return text
    }
}
