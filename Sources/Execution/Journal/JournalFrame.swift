/// A record in the file: length and checksum of what follows, both little-endian in 4 bytes, then the record.
enum JournalFrame {
    static let headerBytes = 8

    static func append(_ payload: [UInt8], to bytes: inout [UInt8]) {
        append(UInt32(truncatingIfNeeded: payload.count), to: &bytes)
        append(Checksum.of(payload[...]), to: &bytes)
        bytes.append(contentsOf: payload)
    }

    /// The payloads from the beginning to the first frame that is not whole, and how many bytes those take. What comes
    /// behind that was never answered for: it was being written when the process or the machine ended.
    static func read(_ bytes: [UInt8]) -> (payloads: [[UInt8]], length: Int) {
        var payloads: [[UInt8]] = []
        var offset = 0
        while bytes.count - offset >= headerBytes {
            let length = Int(number(bytes, at: offset))
            let end = offset + headerBytes + length
            guard length > 0, length <= ExecutionLimits.journalRecord, end <= bytes.count else { break }
            let payload = bytes[(offset + headerBytes)..<end]
            guard Checksum.of(payload) == number(bytes, at: offset + 4) else { break }
            payloads.append(Array(payload))
            offset = end
        }
        return (payloads, offset)
    }

    private static func append(_ value: UInt32, to bytes: inout [UInt8]) {
        for shift in stride(from: 0, through: 24, by: 8) { bytes.append(UInt8(truncatingIfNeeded: value >> shift)) }
    }

    private static func number(_ bytes: [UInt8], at offset: Int) -> UInt32 {
        (0..<4).reduce(0) { $0 | UInt32(bytes[offset + $1]) << (8 * UInt32($1)) }
    }
}

/// CRC-32 (IEEE 802.3), which finds every torn write that a disk can produce in practice. Not zlib's: that library
/// belongs to another target, and this is ten lines.
enum Checksum {
    private static let table: [UInt32] = (0..<256).map { index in
        (0..<8).reduce(UInt32(index)) { value, _ in
            value & 1 == 1 ? value >> 1 ^ 0xEDB8_8320 : value >> 1
        }
    }

    static func of(_ bytes: ArraySlice<UInt8>) -> UInt32 {
        var value = UInt32.max
        for byte in bytes { value = table[Int((value ^ UInt32(byte)) & 0xFF)] ^ value >> 8 }
        return value ^ UInt32.max
    }
}
