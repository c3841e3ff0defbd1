/// A cursor over ASCII text that never reads past its end.
struct TextScanner {
    private let bytes: [UInt8]
    private(set) var position = 0

    init(_ text: some StringProtocol) {
        bytes = Array(text.utf8)
    }

    init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = Array(bytes)
    }

    var isAtEnd: Bool { position == bytes.count }

    var next: UInt8? { position < bytes.count ? bytes[position] : nil }

    /// The text not read yet.
    var rest: String { String(decoding: bytes[position...], as: UTF8.self) }

    func byte(ahead distance: Int) -> UInt8? {
        position + distance < bytes.count ? bytes[position + distance] : nil
    }

    mutating func take(_ byte: Unicode.Scalar) -> Bool {
        guard next == UInt8(ascii: byte) else { return false }
        position += 1
        return true
    }

    /// Takes any of the characters and returns the one that stood there.
    mutating func take(anyOf characters: StaticString) -> UInt8? {
        guard let found = next else { return nil }
        let known = characters.withUTF8Buffer { $0.contains(found) }
        guard known else { return nil }
        position += 1
        return found
    }

    /// Takes a run of digits of at most `limit` characters; nil when there is none. At most 18, so that it fits.
    mutating func takeDigits(limit: Int) -> (value: Int64, count: Int)? {
        let start = position
        var value: Int64 = 0
        while let byte = next, isDigit(byte), position - start < min(limit, 18) {
            value = value * 10 + Int64(byte - UInt8(ascii: "0"))
            position += 1
        }
        return position == start ? nil : (value, position - start)
    }

    /// Takes a number of any length; nil when there is none, `Int64.max` when it is too large.
    mutating func takeNumber() -> Int64? {
        let start = position
        var value: Int64 = 0
        while let byte = next, isDigit(byte) {
            value = value.saturatingMultiplied(by: 10).saturatingAdded(Int64(byte - UInt8(ascii: "0")))
            position += 1
        }
        return position == start ? nil : value
    }

    /// Takes the digits of a decimal fraction and returns it in units of `1 / scale`, cut off; nil without a digit, or
    /// with more digits than `limit`.
    mutating func takeFraction(scale: Int64, limit: Int) -> Int64? {
        let start = position
        var value: Int64 = 0
        var unit = scale
        while let byte = next, isDigit(byte) {
            unit /= 10
            value += Int64(byte - UInt8(ascii: "0")) * unit
            position += 1
        }
        return position == start || position - start > limit ? nil : value
    }

    mutating func takeLetters() -> Int {
        let start = position
        while let byte = next, isLetter(byte) { position += 1 }
        return position - start
    }

    mutating func skip(_ count: Int) {
        position = min(bytes.count, position + count)
    }

    mutating func rewind(to earlier: Int) {
        position = earlier
    }

    private func isDigit(_ byte: UInt8) -> Bool { byte >= 48 && byte <= 57 }

    private func isLetter(_ byte: UInt8) -> Bool { (byte | 32) >= 97 && (byte | 32) <= 122 }
}

/// Writes numbers in a fixed width; the standard library has no formatter and this target no Foundation.
struct TextWriter {
    private(set) var text = ""

    mutating func write(_ other: String) {
        text += other
    }

    mutating func write(_ value: Int, width: Int) {
        let digits = String(value.magnitude)
        if value < 0 { text += "-" }
        for _ in 0..<max(0, width - digits.utf8.count) { text += "0" }
        text += digits
    }

    /// `2026-11-21T22:11:41.123`
    mutating func write(_ time: CivilDateTime) {
        write(time.year, width: 4)
        write("-")
        write(time.month, width: 2)
        write("-")
        write(time.day, width: 2)
        write("T")
        write(time.hour, width: 2)
        write(":")
        write(time.minute, width: 2)
        write(":")
        write(time.second, width: 2)
        write(".")
        write(time.microsecond / 1_000, width: 3)
    }

    /// `Z`, `+02:00`, and with seconds only where there are any, as Joda-Time prints it.
    mutating func write(offset: Int) {
        guard offset != 0 else { return write("Z") }
        let size = abs(offset)
        write(offset < 0 ? "-" : "+")
        write(size / 3_600, width: 2)
        write(":")
        write(size / 60 % 60, width: 2)
        guard size % 60 != 0 else { return }
        write(":")
        write(size % 60, width: 2)
    }
}
