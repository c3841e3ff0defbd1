/// `host[:port]`, as in Host and in absolute-form targets.
struct HTTPAuthority: Sendable, Equatable {
    /// In lower case.
    let host: String
    /// Nil when none is written.
    let port: Int?

    init?(_ bytes: ArraySlice<UInt8>) {
        guard let (hostEnd, port) = Self.parts(bytes) else { return nil }
        host = String(decoding: bytes[..<hostEnd].map(ASCII.lowercased), as: UTF8.self)
        self.port = port
    }

    /// Whether the text has the form; costs nothing but looking at it.
    static func isWellFormed(_ text: String) -> Bool { parts(text.utf8) != nil }

    func isSame(as other: HTTPAuthority, defaultPort: Int) -> Bool {
        host == other.host && (port ?? defaultPort) == (other.port ?? defaultPort)
    }

    /// Stricter than RFC 3986: no user, no escapes, no commas or other delimiters in the host.
    private static func parts<Bytes: Collection<UInt8>>(_ bytes: Bytes) -> (hostEnd: Bytes.Index, port: Int?)? {
        let hostEnd: Bytes.Index
        if bytes.first == UInt8(ascii: "[") {
            let address = bytes.dropFirst()
            guard let close = address.firstIndex(where: { !isAddressCharacter($0) }), close > address.startIndex,
                bytes[close] == UInt8(ascii: "]")
            else { return nil }
            hostEnd = bytes.index(after: close)
        } else {
            hostEnd = bytes.firstIndex { !isNameCharacter($0) } ?? bytes.endIndex
            guard hostEnd > bytes.startIndex else { return nil }
        }
        guard hostEnd < bytes.endIndex else { return (hostEnd, nil) }
        guard bytes[hostEnd] == UInt8(ascii: ":") else { return nil }
        let digits = bytes[bytes.index(after: hostEnd)...]
        // RFC 3986 allows "host:" and says that it means the default.
        if digits.isEmpty { return (hostEnd, nil) }
        var port = 0
        for digit in digits {
            guard ASCII.isDigit(digit) else { return nil }
            port = port * 10 + Int(digit - UInt8(ascii: "0"))
            guard port <= UInt16.max else { return nil }
        }
        return (hostEnd, port)
    }

    private static func isNameCharacter(_ byte: UInt8) -> Bool {
        if ASCII.isLetter(byte) || ASCII.isDigit(byte) { return true }
        return byte == UInt8(ascii: "-") || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "_")
            || byte == UInt8(ascii: "~")
    }

    private static func isAddressCharacter(_ byte: UInt8) -> Bool {
        ASCII.hexValue(byte) != nil || byte == UInt8(ascii: ":") || byte == UInt8(ascii: ".")
    }
}
