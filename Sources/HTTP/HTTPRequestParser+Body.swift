extension HTTPRequestParser {
    /// Hexadecimal digits of a chunk's size, leading zeros included.
    private static let chunkSizeDigits = 15

    mutating func beginBody(_ length: HTTPRequestHead.BodyLength) throws(HTTPParseFailure) {
        bodyBytesLeft = bodyLimit
        switch length {
        case .none, .fixed(0):
            state = .end
        case .fixed(let length):
            guard length <= bodyLimit else { throw .bodyTooLarge(limit: bodyLimit) }
            state = .fixedBody(remaining: length)
        case .chunked:
            // Trailers have the header's limits once more; the number of fields is counted over both.
            headerBytesLeft = limits.headerBytes
            extensionBytesLeft = limits.chunkExtension
            state = .chunkSize
        }
    }

    /// A chunk's size line; false while it is incomplete.
    mutating func beginChunk() throws(HTTPParseFailure) -> Bool {
        let longest = Self.chunkSizeDigits + extensionBytesLeft
        guard let line = try takeLine(upTo: longest, else: .chunkLineTooLong) else { return false }
        let (size, extensionLength) = try Self.parseChunkLine(buffer[line])
        guard extensionLength <= extensionBytesLeft else { throw .chunkLineTooLong }
        extensionBytesLeft -= extensionLength
        guard size <= bodyBytesLeft else { throw .bodyTooLarge(limit: bodyLimit) }
        bodyBytesLeft -= size
        state = size == 0 ? .trailers : .chunkData(remaining: size)
        return true
    }

    /// The CR LF after a chunk's data; false while it is incomplete.
    mutating func endChunk() throws(HTTPParseFailure) -> Bool {
        guard position < buffer.count else { return false }
        guard buffer[position] == ASCII.carriageReturn else { throw .chunkWithoutEnd }
        guard position + 1 < buffer.count else { return false }
        guard buffer[position + 1] == ASCII.lineFeed else { throw .chunkWithoutEnd }
        position += 2
        state = .chunkSize
        return true
    }

    /// `1F` or `1F;name=value`. Extensions mean nothing to us; they are counted and must be printable.
    private static func parseChunkLine(
        _ line: ArraySlice<UInt8>
    ) throws(HTTPParseFailure) -> (size: Int, extensionLength: Int) {
        var size = 0
        var digits = 0
        var rest = line
        while let byte = rest.first, let digit = ASCII.hexValue(byte) {
            digits += 1
            // 15 digits are 60 bits: no overflow.
            guard digits <= chunkSizeDigits else { throw .badChunkSize }
            size = size << 4 | Int(digit)
            rest.removeFirst()
        }
        guard digits > 0, rest.isEmpty || rest.first == UInt8(ascii: ";") else { throw .badChunkSize }
        guard rest.allSatisfy({ !ASCII.isControl($0) || $0 == ASCII.tab }) else { throw .badChunkExtension }
        return (size, rest.count)
    }
}
