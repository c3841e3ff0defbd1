/// Parameters as libpq wants them: all text values one after the other in one buffer, each with its final NUL.
struct EncodedParameters {
    private(set) var buffer: [UInt8] = []
    /// Where each value begins; -1 for NULL.
    private(set) var offsets: [Int] = []

    /// - Throws: `PostgresError.invalidRequest` for text with a NUL character, which PostgreSQL cannot store and which
    ///   would silently end the value here.
    init(_ parameters: [PostgresValue]) throws(PostgresError) {
        offsets.reserveCapacity(parameters.count)
        for (index, parameter) in parameters.enumerated() {
            if case .null = parameter {
                offsets.append(-1)
                continue
            }
            let start = buffer.count
            offsets.append(start)
            Self.append(parameter, to: &buffer)
            guard !parameter.isText || !buffer[start...].contains(0) else {
                throw PostgresError(
                    .invalidRequest, "parameter $\(index + 1) contains a NUL character, which text cannot hold")
            }
            buffer.append(0)
        }
    }

    private static func append(_ value: PostgresValue, to buffer: inout [UInt8]) {
        switch value {
        case .null: break
        case .text(let text), .json(let text): buffer.append(contentsOf: text.utf8)
        case .int(let number): buffer.append(contentsOf: String(number).utf8)
        case .double(let number): buffer.append(contentsOf: text(number).utf8)
        case .bool(let flag): buffer.append(UInt8(ascii: flag ? "t" : "f"))
        case .bytes(let bytes): append(hex: bytes, to: &buffer)
        case .timestamp(let microseconds):
            buffer.append(contentsOf: TimestampText.format(microseconds: microseconds).utf8)
        case .textArray(let elements):
            appendArray(elements, to: &buffer) { appendQuoted($0, to: &$1) }
        case .intArray(let elements):
            appendArray(elements, to: &buffer) { $1.append(contentsOf: String($0).utf8) }
        case .doubleArray(let elements):
            appendArray(elements, to: &buffer) { $1.append(contentsOf: text($0).utf8) }
        case .boolArray(let elements):
            appendArray(elements, to: &buffer) { $1.append(UInt8(ascii: $0 ? "t" : "f")) }
        case .timestampArray(let elements):
            appendArray(elements, to: &buffer) { appendQuoted(TimestampText.format(microseconds: $0), to: &$1) }
        case .bytesArray(let elements):
            appendArray(elements, to: &buffer) {
                // The backslash of the hex form is escaped once more inside an array.
                $1.append(contentsOf: [UInt8(ascii: "\""), UInt8(ascii: "\\")])
                append(hex: $0, to: &$1)
                $1.append(UInt8(ascii: "\""))
            }
        }
    }

    private static func appendArray<Element>(
        _ elements: [Element?], to buffer: inout [UInt8], _ append: (Element, inout [UInt8]) -> Void
    ) {
        buffer.append(UInt8(ascii: "{"))
        var isFirst = true
        for element in elements {
            if !isFirst { buffer.append(UInt8(ascii: ",")) }
            isFirst = false
            if let element { append(element, &buffer) } else { buffer.append(contentsOf: "NULL".utf8) }
        }
        buffer.append(UInt8(ascii: "}"))
    }

    /// Always in quotes: so the text `NULL`, the empty text, braces, commas and blanks need no case of their own.
    private static func appendQuoted(_ text: String, to buffer: inout [UInt8]) {
        buffer.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { buffer.append(UInt8(ascii: "\\")) }
            buffer.append(byte)
        }
        buffer.append(UInt8(ascii: "\""))
    }

    private static func append(hex bytes: [UInt8], to buffer: inout [UInt8]) {
        let digits = Array("0123456789abcdef".utf8)
        let text = [UInt8](unsafeUninitializedCapacity: 2 * bytes.count + 2) { text, count in
            text[0] = UInt8(ascii: "\\")
            text[1] = UInt8(ascii: "x")
            count = 2
            for byte in bytes {
                text[count] = digits[Int(byte >> 4)]
                text[count + 1] = digits[Int(byte & 15)]
                count += 2
            }
        }
        buffer.append(contentsOf: text)
    }

    private static func text(_ number: Double) -> String {
        if number.isNaN { return "NaN" }
        if number.isInfinite { return number < 0 ? "-Infinity" : "Infinity" }
        return number.description
    }
}

extension PostgresValue {
    /// Whether the value's text comes from outside as it is.
    fileprivate var isText: Bool {
        switch self {
        case .text, .json, .textArray: true
        default: false
        }
    }
}
