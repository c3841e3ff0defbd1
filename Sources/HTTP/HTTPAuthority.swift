/// `host[:port]`, as in Host and in absolute-form targets.
struct HTTPAuthority: Sendable, Equatable {
    /// In lower case.
    let host: String
    /// Nil when none is written.
    let port: Int?

    /// Stricter than RFC 3986: no user, no escapes, no commas or other delimiters in the host.
    init?(_ text: some BidirectionalCollection<UInt8>) {
        let bytes = Array(text)
        var hostEnd: Int
        if bytes.first == UInt8(ascii: "[") {
            guard let close = bytes.firstIndex(of: UInt8(ascii: "]")), close > 1,
                bytes[1..<close].allSatisfy({ ASCII.hexValue($0) != nil || $0 == 0x3A || $0 == 0x2E })
            else { return nil }
            hostEnd = close + 1
        } else {
            hostEnd = bytes.firstIndex(of: UInt8(ascii: ":")) ?? bytes.count
            guard hostEnd > 0, bytes[..<hostEnd].allSatisfy(Self.isNameCharacter) else { return nil }
        }
        host = String(decoding: bytes[..<hostEnd].map(ASCII.lowercased), as: UTF8.self)
        guard hostEnd < bytes.count else {
            port = nil
            return
        }
        let digits = bytes[(hostEnd + 1)...]
        guard bytes[hostEnd] == UInt8(ascii: ":"), digits.allSatisfy(ASCII.isDigit) else { return nil }
        if digits.isEmpty {
            // RFC 3986 allows "host:" and says that it means the default.
            port = nil
        } else {
            guard let number = UInt16(String(decoding: digits, as: UTF8.self)) else { return nil }
            port = Int(number)
        }
    }

    func isSame(as other: HTTPAuthority, defaultPort: Int) -> Bool {
        host == other.host && (port ?? defaultPort) == (other.port ?? defaultPort)
    }

    private static func isNameCharacter(_ byte: UInt8) -> Bool {
        if ASCII.isLetter(byte) || ASCII.isDigit(byte) { return true }
        return byte == UInt8(ascii: "-") || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "_")
            || byte == UInt8(ascii: "~")
    }
}
