/// Values in the server's text form.
enum CellDecoder {
    static func int64(_ text: UnsafeBufferPointer<UInt8>) -> Int64? {
        var position = 0
        let isNegative = text.first == UInt8(ascii: "-")
        if isNegative { position = 1 }
        guard position < text.count else { return nil }
        var value: Int64 = 0
        while position < text.count {
            guard (48...57).contains(text[position]) else { return nil }
            let digit = Int64(text[position] - 48)
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carried) =
                isNegative
                ? product.subtractingReportingOverflow(digit) : product.addingReportingOverflow(digit)
            if overflow || carried { return nil }
            value = sum
            position += 1
        }
        return value
    }

    static func double(_ text: String) -> Double? {
        switch text {
        case "Infinity": .infinity
        case "-Infinity": -.infinity
        case "NaN": .nan
        default: Double(text)
        }
    }

    static func bool(_ text: UnsafeBufferPointer<UInt8>) -> Bool? {
        guard text.count == 1 else { return nil }
        switch text[0] {
        case UInt8(ascii: "t"): return true
        case UInt8(ascii: "f"): return false
        default: return nil
        }
    }

    /// A bytea in its hex form, `\x00ff`.
    static func bytes(_ text: UnsafeBufferPointer<UInt8>) -> [UInt8]? {
        guard text.count >= 2, text.count % 2 == 0, text[0] == UInt8(ascii: "\\"), text[1] == UInt8(ascii: "x") else {
            return nil
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count / 2 - 1)
        for position in stride(from: 2, to: text.count, by: 2) {
            guard let high = nibble(text[position]), let low = nibble(text[position + 1]) else { return nil }
            bytes.append(high << 4 | low)
        }
        return bytes
    }

    /// Every element decoded, NULL staying nil; nil as a whole if one of them is not of the form.
    static func all<T>(_ elements: [String?], _ decode: (String) -> T?) -> [T?]? {
        var decoded: [T?] = []
        decoded.reserveCapacity(elements.count)
        for element in elements {
            guard let element else {
                decoded.append(nil)
                continue
            }
            guard let value = decode(element) else { return nil }
            decoded.append(value)
        }
        return decoded
    }

    private static func nibble(_ digit: UInt8) -> UInt8? {
        switch digit {
        case 48...57: digit - 48
        case 97...102: digit - 87
        case 65...70: digit - 55
        default: nil
        }
    }
}

/// An array in the server's text form, of one dimension: `{a,"b \"c\"",NULL}`.
enum ArrayText {
    static func parse(_ text: UnsafeBufferPointer<UInt8>) -> [String?]? {
        guard text.first == UInt8(ascii: "{"), text.last == UInt8(ascii: "}"), text.count >= 2 else { return nil }
        var elements: [String?] = []
        var position = 1
        let end = text.count - 1
        if position == end { return [] }
        while true {
            guard let element = element(text, &position, end) else { return nil }
            elements.append(element.value)
            if position == end { return elements }
            guard text[position] == UInt8(ascii: ",") else { return nil }
            position += 1
        }
    }

    private static func element(
        _ text: UnsafeBufferPointer<UInt8>, _ position: inout Int, _ end: Int
    ) -> (value: String?, Void)? {
        var bytes: [UInt8] = []
        guard position < end else { return nil }
        guard text[position] == UInt8(ascii: "\"") else {
            while position < end, text[position] != UInt8(ascii: ",") {
                // Braces outside quotes belong to a second dimension.
                guard text[position] != UInt8(ascii: "{"), text[position] != UInt8(ascii: "}") else { return nil }
                bytes.append(text[position])
                position += 1
            }
            let value = String(decoding: bytes, as: UTF8.self)
            return (value == "NULL" ? nil : value, ())
        }
        position += 1
        while position < end, text[position] != UInt8(ascii: "\"") {
            if text[position] == UInt8(ascii: "\\") { position += 1 }
            guard position < end else { return nil }
            bytes.append(text[position])
            position += 1
        }
        guard position < end else { return nil }
        position += 1
        return (String(decoding: bytes, as: UTF8.self), ())
    }
}
