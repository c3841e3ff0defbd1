/// Percent-encoding of paths, queries and forms. Strict: a percent sign without two hexadecimal digits, or bytes that
/// are not UTF-8 afterwards, decode to nil. `%00` decodes to a NUL character, which routes can refuse.
public enum PercentCoding {
    /// Items that a form may have.
    public static let maximumFormItems = 1000

    /// Undoes the encoding.
    /// - Parameter plusIsBlank: whether `+` stands for a blank, as in queries and forms.
    public static func decode(_ text: some StringProtocol, plusIsBlank: Bool = false) -> String? {
        decode(bytes: text.utf8, plusIsBlank: plusIsBlank)
    }

    /// Encodes all but letters, digits and `-._~`, so that the result is one segment.
    public static func encodePathSegment(_ text: String) -> String {
        encode(text)
    }

    /// Encodes all but letters, digits and `-._~`.
    public static func encodeQueryValue(_ text: String) -> String {
        encode(text)
    }

    /// The items of a query, in order. An item that does not decode is left as it stands: dropping it would turn a
    /// caller's mistake into a silently wider answer.
    public static func parseQuery(_ query: some StringProtocol) -> [(name: String, value: String)] {
        items(of: query.utf8) { bytes in
            decode(bytes: bytes, plusIsBlank: true) ?? String(decoding: bytes, as: UTF8.self)
        }
    }

    /// The items of an `application/x-www-form-urlencoded` body, in order; nil when one does not decode or there are
    /// more than `maximumFormItems`.
    public static func parseForm(_ body: [UInt8]) -> [(name: String, value: String)]? {
        guard body.count(where: { $0 == UInt8(ascii: "&") }) < maximumFormItems else { return nil }
        var isValid = true
        let items = items(of: body) { bytes in
            guard let text = decode(bytes: bytes, plusIsBlank: true) else {
                isValid = false
                return ""
            }
            return text
        }
        return isValid ? items : nil
    }

    private static func items<Bytes: Collection<UInt8>>(
        of bytes: Bytes, decoded: (Bytes.SubSequence) -> String
    ) -> [(name: String, value: String)] {
        bytes.split(separator: UInt8(ascii: "&")).map { item in
            guard let equals = item.firstIndex(of: UInt8(ascii: "=")) else { return (decoded(item[...]), "") }
            return (decoded(item[..<equals]), decoded(item[item.index(after: equals)...]))
        }
    }

    static func decode(bytes: some Collection<UInt8>, plusIsBlank: Bool) -> String? {
        var decoded: [UInt8] = []
        decoded.reserveCapacity(bytes.count)
        var rest = bytes.makeIterator()
        while let byte = rest.next() {
            switch byte {
            case UInt8(ascii: "%"):
                guard let high = rest.next().flatMap(ASCII.hexValue), let low = rest.next().flatMap(ASCII.hexValue)
                else { return nil }
                decoded.append(high << 4 | low)
            case UInt8(ascii: "+") where plusIsBlank:
                decoded.append(ASCII.blank)
            default:
                decoded.append(byte)
            }
        }
        return String(validating: decoded, as: UTF8.self)
    }

    private static func encode(_ text: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var encoded: [UInt8] = []
        encoded.reserveCapacity(text.utf8.count)
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"):
                encoded.append(byte)
            case _ where ASCII.isLetter(byte) || ASCII.isDigit(byte):
                encoded.append(byte)
            default:
                encoded.append(UInt8(ascii: "%"))
                encoded.append(digits[Int(byte >> 4)])
                encoded.append(digits[Int(byte & 0x0F)])
            }
        }
        return String(decoding: encoded, as: UTF8.self)
    }
}
