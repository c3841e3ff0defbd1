import Domain

/// The last bytes of an output, and as text.
struct OutputTail: Sendable {
    private var kept: [UInt8] = []

    mutating func append(_ bytes: ArraySlice<UInt8>) {
        if bytes.count >= Limits.outputTail {
            kept = Array(bytes.suffix(Limits.outputTail))
            return
        }
        kept.append(contentsOf: bytes)
        // Cut at double the size only, so that many small appends do not copy each time.
        if kept.count > 2 * Limits.outputTail { kept.removeFirst(kept.count - Limits.outputTail) }
    }

    var text: String { Self.text(kept[...]) }

    /// The end of the bytes as valid UTF-8 without NUL, at most `Limits.outputTail` bytes. A character that the cut has
    /// halved is left out; other bytes that are no UTF-8 become U+FFFD.
    static func text(_ bytes: ArraySlice<UInt8>) -> String {
        var bytes = bytes
        if bytes.count > Limits.outputTail {
            bytes = bytes.suffix(Limits.outputTail)
            // At most three: the rest of a character of four bytes.
            for _ in 0..<3 where bytes.first.map({ $0 & 0xC0 == 0x80 }) == true { bytes.removeFirst() }
        }
        var scalars = String.UnicodeScalarView()
        for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars {
            scalars.append(scalar.value == 0 ? "\u{FFFD}" : scalar)
        }
        // A replaced byte takes three.
        var size = String(scalars).utf8.count
        while size > Limits.outputTail, let first = scalars.first {
            size -= first.utf8.count
            scalars.removeFirst()
        }
        return String(scalars)
    }
}

extension Unicode.Scalar {
    fileprivate var utf8: UTF8.EncodedScalar { UTF8.encode(self) ?? UTF8.encodedReplacementCharacter }
}
