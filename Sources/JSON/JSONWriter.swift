/// Writes JSON text straight into a buffer.
///
/// The caller says what comes next and is trusted to balance it; commas, colons and escapes come by themselves. Only
/// what must be escaped is: the quote, the backslash and control characters; `/` and non-ASCII stand as they are.
/// ```swift
/// var writer = JSONWriter(reserving: 256)
/// writer.beginObject()
/// writer.key("name")
/// writer.string(job.name)
/// writer.endObject()
/// ```
public struct JSONWriter: Sendable {
    /// What has been written so far.
    public private(set) var bytes: [UInt8]
    private var needsComma = false
    private var depth = 0
    private let isPretty: Bool

    /// - Parameter reserving: bytes to make room for at once.
    public init(reserving: Int = 256, pretty: Bool = false) {
        bytes = []
        bytes.reserveCapacity(reserving)
        isPretty = pretty
    }

    // MARK: Structure

    public mutating func beginObject() { begin(UInt8(ascii: "{")) }
    public mutating func endObject() { end(UInt8(ascii: "}")) }
    public mutating func beginArray() { begin(UInt8(ascii: "[")) }
    public mutating func endArray() { end(UInt8(ascii: "]")) }

    /// The name of the member whose value comes next.
    public mutating func key(_ name: String) {
        separate()
        appendQuoted(name)
        bytes.append(UInt8(ascii: ":"))
        if isPretty { bytes.append(UInt8(ascii: " ")) }
        needsComma = false
        isAfterKey = true
    }

    // MARK: Values

    public mutating func string(_ value: String) {
        separate()
        appendQuoted(value)
        needsComma = true
    }

    public mutating func integer(_ value: some BinaryInteger) {
        if let small = Int64(exactly: value) {
            integer(small)
        } else {
            separate()
            bytes.append(contentsOf: String(value).utf8)
            needsComma = true
        }
    }

    public mutating func integer(_ value: Int64) {
        separate()
        append(value)
        needsComma = true
    }

    /// The shortest text that reads back as the same number, without ".0" when it is integral.
    /// JSON has no infinity and no NaN; null stands for them.
    public mutating func double(_ value: Double) {
        separate()
        append(value)
        needsComma = true
    }

    /// A number as Java prints it, for clients that compare Chronos' listing as text.
    /// Null for what is not finite.
    public mutating func javaDouble(_ value: Double) {
        separate()
        needsComma = true
        // Nearly all are small whole numbers, and those need no search for the shortest digits.
        if value.magnitude < 1e7, value.sign == .plus, let whole = Int64(exactly: value) {
            append(whole)
            appendLiteral(".0")
        } else if value.isFinite {
            bytes.append(contentsOf: Self.javaDouble(value).utf8)
        } else {
            appendLiteral("null")
        }
    }

    public mutating func bool(_ value: Bool) {
        separate()
        appendLiteral(value ? "true" : "false")
        needsComma = true
    }

    public mutating func null() {
        separate()
        appendLiteral("null")
        needsComma = true
    }

    public mutating func value(_ value: JSONValue) {
        switch value {
        case .null: null()
        case .bool(let value): bool(value)
        case .integer(let value): integer(value)
        case .number(let value): double(value)
        case .string(let value): string(value)
        case .array(let elements):
            beginArray()
            for element in elements { self.value(element) }
            endArray()
        case .object(let members):
            beginObject()
            for (name, member) in members {
                key(name)
                self.value(member)
            }
            endObject()
        }
    }

    /// A value that is JSON text already; it is not looked at.
    public mutating func raw(_ text: [UInt8]) {
        separate()
        bytes.append(contentsOf: text)
        needsComma = true
    }

    // MARK: Parts

    /// A value right after its key is not on a line of its own.
    private var isAfterKey = false

    private mutating func separate() {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
        if isPretty, depth > 0, !isAfterKey { newLine() }
        isAfterKey = false
    }

    private mutating func begin(_ bracket: UInt8) {
        separate()
        bytes.append(bracket)
        depth += 1
        needsComma = false
    }

    private mutating func end(_ bracket: UInt8) {
        assert(depth > 0, "an end without its beginning")
        depth -= 1
        // Without an element before it the bracket stays beside its opening one.
        if isPretty, needsComma { newLine() }
        bytes.append(bracket)
        needsComma = true
    }

    private mutating func newLine() {
        bytes.append(0x0A)
        for _ in 0..<depth {
            bytes.append(0x20)
            bytes.append(0x20)
        }
    }

    private mutating func appendLiteral(_ literal: StaticString) {
        literal.withUTF8Buffer { bytes.append(contentsOf: $0) }
    }

    private mutating func appendQuoted(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        var text = text
        text.withUTF8 { utf8 in
            var start = 0
            for position in 0..<utf8.count where Self.mustBeEscaped(utf8[position]) {
                bytes.append(contentsOf: UnsafeBufferPointer(rebasing: utf8[start..<position]))
                appendEscape(utf8[position])
                start = position + 1
            }
            bytes.append(contentsOf: UnsafeBufferPointer(rebasing: utf8[start...]))
        }
        bytes.append(UInt8(ascii: "\""))
    }

    @inline(__always)
    private static func mustBeEscaped(_ byte: UInt8) -> Bool {
        byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\")
    }

    private mutating func appendEscape(_ byte: UInt8) {
        bytes.append(UInt8(ascii: "\\"))
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes.append(byte)
        case 0x08: bytes.append(UInt8(ascii: "b"))
        case 0x09: bytes.append(UInt8(ascii: "t"))
        case 0x0A: bytes.append(UInt8(ascii: "n"))
        case 0x0C: bytes.append(UInt8(ascii: "f"))
        case 0x0D: bytes.append(UInt8(ascii: "r"))
        default:
            let digits: StaticString = "0123456789abcdef"
            appendLiteral(byte < 0x10 ? "u000" : "u001")
            digits.withUTF8Buffer { bytes.append($0[Int(byte & 0x0F)]) }
        }
    }

    private mutating func append(_ value: Int64) {
        var magnitude = value.magnitude
        if value < 0 { bytes.append(UInt8(ascii: "-")) }
        let start = bytes.count
        repeat {
            bytes.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: magnitude % 10))
            magnitude /= 10
        } while magnitude > 0
        bytes[start...].reverse()
    }

    private mutating func append(_ value: Double) {
        guard value.isFinite else { return appendLiteral("null") }
        var text = value.description
        if text.hasSuffix(".0") { text.removeLast(2) }
        bytes.append(contentsOf: text.utf8)
    }
}
