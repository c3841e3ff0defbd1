/// Reads one text, front to back, without looking at any byte twice but those of escaped strings.
///
/// It indexes the array itself rather than a raw pointer: the bounds check costs a few per cent, and no input, however
/// hostile, can then read past the end.
struct JSONReader {
    private let bytes: [UInt8]
    private let limits: JSONLimits
    private let depthLimit: Int
    private var position = 0
    private var values = 0

    init(bytes: [UInt8], limits: JSONLimits) {
        self.bytes = bytes
        self.limits = limits
        depthLimit = min(limits.depth, JSONLimits.depthCeiling)
    }

    mutating func readDocument() throws(JSONError) -> JSONValue {
        guard bytes.count <= limits.bytes else {
            throw JSONError(
                offset: limits.bytes,
                message: "the text has \(bytes.count) bytes, at most \(limits.bytes) are accepted")
        }
        skipBlanks()
        let value = try readValue(depth: 0)
        skipBlanks()
        guard position == bytes.count else { throw unexpected("the end of the text after the value") }
        return value
    }

    // MARK: Values

    private mutating func readValue(depth: Int) throws(JSONError) -> JSONValue {
        guard position < bytes.count else { throw unexpected("a value") }
        values += 1
        guard values <= limits.values else {
            throw JSONError(offset: position, message: "more than \(limits.values) values, which is the limit")
        }
        switch bytes[position] {
        case UInt8(ascii: "\""): return .string(try readString())
        case UInt8(ascii: "{"): return .object(try readObject(depth: depth + 1))
        case UInt8(ascii: "["): return .array(try readArray(depth: depth + 1))
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try readNumber()
        case UInt8(ascii: "t"):
            try readLiteral("true")
            return .bool(true)
        case UInt8(ascii: "f"):
            try readLiteral("false")
            return .bool(false)
        case UInt8(ascii: "n"):
            try readLiteral("null")
            return .null
        default: throw unexpected("a value")
        }
    }

    private mutating func readArray(depth: Int) throws(JSONError) -> [JSONValue] {
        try enter(depth)
        var elements: [JSONValue] = []
        skipBlanks()
        if take(UInt8(ascii: "]")) { return elements }
        while true {
            skipBlanks()
            elements.append(try readValue(depth: depth))
            skipBlanks()
            if take(UInt8(ascii: ",")) { continue }
            if take(UInt8(ascii: "]")) { return elements }
            throw unexpected("\",\" or \"]\" in the array")
        }
    }

    private mutating func readObject(depth: Int) throws(JSONError) -> JSONObject {
        try enter(depth)
        var object = JSONObject()
        skipBlanks()
        if take(UInt8(ascii: "}")) { return object }
        while true {
            skipBlanks()
            guard position < bytes.count, bytes[position] == UInt8(ascii: "\"") else {
                throw unexpected("a member's name in double quotes")
            }
            let key = try readString()
            skipBlanks()
            guard take(UInt8(ascii: ":")) else { throw unexpected("\":\" after the member's name") }
            skipBlanks()
            object[key] = try readValue(depth: depth)
            skipBlanks()
            if take(UInt8(ascii: ",")) { continue }
            if take(UInt8(ascii: "}")) { return object }
            throw unexpected("\",\" or \"}\" in the object")
        }
    }

    /// Steps over the opening bracket.
    private mutating func enter(_ depth: Int) throws(JSONError) {
        guard depth <= depthLimit else {
            throw JSONError(offset: position, message: "arrays and objects nest deeper than \(depthLimit) levels")
        }
        position += 1
    }

    private mutating func readLiteral(_ literal: StaticString) throws(JSONError) {
        let start = position
        let matches = literal.withUTF8Buffer { text in
            guard bytes.count - start >= text.count else { return false }
            for offset in 0..<text.count where bytes[start + offset] != text[offset] { return false }
            return true
        }
        guard matches else { throw unexpected("true, false, null or another value") }
        position += literal.utf8CodeUnitCount
    }

    // MARK: Numbers

    private mutating func readNumber() throws(JSONError) -> JSONValue {
        let start = position
        let isNegative = take(UInt8(ascii: "-"))
        // Accumulated below zero, where Int64 reaches one further.
        var magnitude: Int64 = 0
        var fits = true
        let firstDigit = position
        while let digit = digitHere() {
            let (product, overflowed) = magnitude.multipliedReportingOverflow(by: 10)
            let (sum, overflowedToo) = product.subtractingReportingOverflow(digit)
            fits = fits && !overflowed && !overflowedToo
            magnitude = sum
            position += 1
        }
        guard position > firstDigit else { throw unexpected("a digit after \"-\"") }
        if bytes[firstDigit] == UInt8(ascii: "0"), position - firstDigit > 1 {
            throw JSONError(offset: firstDigit, message: "found a leading zero; a number starts with another digit")
        }
        var isIntegral = true
        if take(UInt8(ascii: ".")) {
            isIntegral = false
            try skipDigits("a digit after the decimal point")
        }
        if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
            isIntegral = false
            if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
            try skipDigits("a digit of the exponent")
        }
        guard position - start <= limits.numberLength else {
            throw JSONError(offset: start, message: "a number longer than \(limits.numberLength) characters")
        }
        if isIntegral, fits {
            // Minus zero is a Double's value only.
            if isNegative { return magnitude == 0 ? .number(-0.0) : .integer(magnitude) }
            if magnitude != Int64.min { return .integer(-magnitude) }
        }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        guard let number = Double(text), number.isFinite else {
            throw JSONError(offset: start, message: "a number beyond ±1.7976931348623157e308, the largest there is")
        }
        return .number(number)
    }

    private mutating func skipDigits(_ expected: String) throws(JSONError) {
        let start = position
        while digitHere() != nil { position += 1 }
        guard position > start else { throw unexpected(expected) }
    }

    private func digitHere() -> Int64? {
        guard position < bytes.count else { return nil }
        let digit = bytes[position] &- UInt8(ascii: "0")
        return digit <= 9 ? Int64(digit) : nil
    }

    // MARK: Strings

    private mutating func readString() throws(JSONError) -> String {
        position += 1
        let start = position
        var isASCII = true
        while position < bytes.count {
            let byte = bytes[position]
            if byte == UInt8(ascii: "\"") {
                defer { position += 1 }
                if isASCII { return String(decoding: bytes[start..<position], as: UTF8.self) }
                return try validated(bytes[start..<position], at: start)
            }
            if byte == UInt8(ascii: "\\") { return try readEscapedString(from: start) }
            guard byte >= 0x20 else { throw controlCharacter(byte) }
            if byte >= 0x80 { isASCII = false }
            position += 1
        }
        throw unexpected("the closing quote of a string")
    }

    /// Goes on at the first backslash, with what stands before it as the beginning.
    private mutating func readEscapedString(from start: Int) throws(JSONError) -> String {
        var unescaped: [UInt8] = Array(bytes[start..<position])
        while position < bytes.count {
            let byte = bytes[position]
            switch byte {
            case UInt8(ascii: "\""):
                defer { position += 1 }
                return try validated(unescaped[...], at: start)
            case UInt8(ascii: "\\"):
                position += 1
                try readEscape(into: &unescaped)
            case 0..<0x20:
                throw controlCharacter(byte)
            default:
                unescaped.append(byte)
                position += 1
            }
        }
        throw unexpected("the closing quote of a string")
    }

    private mutating func readEscape(into unescaped: inout [UInt8]) throws(JSONError) {
        guard position < bytes.count else { throw unexpected("a character after the backslash") }
        let byte = bytes[position]
        let plain: UInt8
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): plain = byte
        case UInt8(ascii: "b"): plain = 0x08
        case UInt8(ascii: "f"): plain = 0x0C
        case UInt8(ascii: "n"): plain = 0x0A
        case UInt8(ascii: "r"): plain = 0x0D
        case UInt8(ascii: "t"): plain = 0x09
        case UInt8(ascii: "u"):
            position += 1
            let scalar = try readUnicodeEscape()
            unescaped.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
            return
        default: throw unexpected("one of \" \\ / b f n r t u after the backslash")
        }
        unescaped.append(plain)
        position += 1
    }

    /// The four digits after `\u`, and the second half when they are the first of a surrogate pair.
    private mutating func readUnicodeEscape() throws(JSONError) -> Unicode.Scalar {
        let start = position
        let first = try readFourHexDigits()
        if let scalar = Unicode.Scalar(first) { return scalar }
        guard first < 0xDC00, position + 1 < bytes.count, bytes[position] == UInt8(ascii: "\\"),
            bytes[position + 1] == UInt8(ascii: "u")
        else { throw loneSurrogate(at: start) }
        position += 2
        let second = try readFourHexDigits()
        guard (0xDC00...0xDFFF).contains(second),
            let scalar = Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
        else { throw loneSurrogate(at: start) }
        return scalar
    }

    private mutating func readFourHexDigits() throws(JSONError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard position < bytes.count, let digit = Self.hexDigit(bytes[position]) else {
                throw unexpected("four hexadecimal digits after \"\\u\"")
            }
            value = value << 4 | digit
            position += 1
        }
        return value
    }

    private static func hexDigit(_ byte: UInt8) -> UInt32? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(byte - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt32(byte - UInt8(ascii: "a") + 10)
        case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt32(byte - UInt8(ascii: "A") + 10)
        default: nil
        }
    }

    private func validated(_ text: ArraySlice<UInt8>, at start: Int) throws(JSONError) -> String {
        guard let string = String(validating: text, as: UTF8.self) else {
            throw JSONError(offset: start, message: "a string that is not well-formed UTF-8")
        }
        return string
    }

    // MARK: Bytes

    private mutating func skipBlanks() {
        while position < bytes.count {
            switch bytes[position] {
            case 0x20, 0x09, 0x0A, 0x0D: position += 1
            default: return
            }
        }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard position < bytes.count, bytes[position] == byte else { return false }
        position += 1
        return true
    }

    // MARK: Errors

    private func unexpected(_ expected: String) -> JSONError {
        guard position < bytes.count else {
            return JSONError(offset: position, message: "the text ends where \(expected) was expected")
        }
        return JSONError(offset: position, message: "found \(Self.name(bytes[position])), expected \(expected)")
    }

    private func controlCharacter(_ byte: UInt8) -> JSONError {
        JSONError(
            offset: position,
            message: "found \(Self.name(byte)) in a string, expected an escape such as \\n or \\u000a for it")
    }

    private func loneSurrogate(at offset: Int) -> JSONError {
        JSONError(
            offset: offset,
            message: "found half of a surrogate pair, expected \\ud800-\\udbff followed by \\udc00-\\udfff")
    }

    private static func name(_ byte: UInt8) -> String {
        switch byte {
        case 0x21...0x7E: "\"\(Character(Unicode.Scalar(byte)))\""
        case 0x20: "a blank"
        case 0x0A: "a line feed"
        default: "the byte 0x\(byte < 16 ? "0" : "")\(String(byte, radix: 16))"
        }
    }
}
