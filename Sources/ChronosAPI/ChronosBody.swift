import Domain
import JSON
import Operations

/// A JSON object, read as leniently as Jackson's tree does for Chronos: numbers may be texts, texts may be numbers,
/// booleans may be either. Other than there, null is the same as absent, and a structure where a text belongs is an
/// error, not an empty text.
struct ChronosBody {
    private let object: JSONObject
    /// Where the object stands, for messages: empty for the body itself, else like "fetch[0]".
    private let place: String

    init(_ object: JSONObject, at place: String = "") {
        self.object = object
        self.place = place
    }

    /// The value; nil when the key is absent or null.
    func value(_ key: String) -> JSONValue? {
        guard let value = object[key], !value.isNull else { return nil }
        return value
    }

    func text(_ key: String) throws(DomainError) -> String? {
        guard let value = value(key) else { return nil }
        return try Self.text(value, at: path(key))
    }

    /// True, "true" and any number but 0 are true; everything else is false.
    func flag(_ key: String) -> Bool? {
        switch value(key) {
        case nil: nil
        case .bool(let flag)?: flag
        case .string(let text)?: text == "true"
        case .integer(let number)?: number != 0
        case .number(let number)?: number != 0
        case .null?, .array?, .object?: false
        }
    }

    /// 0 for what is no number.
    func number(_ key: String) -> Double? {
        switch value(key) {
        case nil: nil
        case .integer(let number)?: Double(number)
        case .number(let number)?: number
        case .string(let text)?: Self.number(text)
        case .bool?, .null?, .array?, .object?: 0
        }
    }

    /// 0 for what is no number; a fraction is cut off, what is beyond 64 bits becomes the nearest integer.
    func integer(_ key: String) -> Int64? {
        if case .integer(let number)? = value(key) { return number }
        if case .string(let text)? = value(key), let number = Int64(text) { return number }
        return number(key).map(Self.clamped)
    }

    /// Nil when absent; an error for what is no whole number, also as text.
    func strictInteger(_ key: String) throws(DomainError) -> Int64? {
        switch value(key) {
        case nil: return nil
        case .integer(let number)?: return number
        case .number(let number)?:
            if let whole = Int64(exactly: number) { return whole }
        case .string(let text)?:
            if let number = Int64(text) { return number }
        case .bool?, .null?, .array?, .object?: break
        }
        throw .invalid("\(path(key)) must be a whole number")
    }

    /// Empty when absent, and for an empty text, which is how forms leave a list out.
    func list(_ key: String) throws(DomainError) -> [JSONValue] {
        switch value(key) {
        case nil, .string("")?: return []
        case .array(let elements)?: return elements
        case let other?: throw .invalid("\(path(key)) must be an array, not \(other.kind)")
        }
    }

    func texts(_ key: String) throws(DomainError) -> [String] {
        var texts: [String] = []
        for (position, element) in try list(key).enumerated() {
            texts.append(try Self.text(element, at: "\(path(key))[\(position)]"))
        }
        return texts
    }

    func objects(_ key: String) throws(DomainError) -> [ChronosBody] {
        var objects: [ChronosBody] = []
        for (position, element) in try list(key).enumerated() {
            let place = "\(path(key))[\(position)]"
            guard let object = element.objectValue else {
                throw .invalid("\(place) must be an object, not \(element.kind)")
            }
            objects.append(ChronosBody(object, at: place))
        }
        return objects
    }

    /// - Throws: `.invalid` when the key is absent or not a text.
    func requiredText(_ key: String) throws(DomainError) -> String {
        guard let text = try text(key) else { throw .invalid("\(path(key)) is missing") }
        return text
    }

    /// The key with its place, for messages.
    func path(_ key: String) -> String { place.isEmpty ? key : "\(place).\(key)" }

    // MARK: Values

    static func text(_ value: JSONValue, at place: String) throws(DomainError) -> String {
        switch value {
        case .string(let text):
            guard !text.utf8.contains(0) else {
                throw .invalid("\(place) contains a NUL character, which no text of a job may have")
            }
            return text
        case .bool(let flag): return flag ? "true" : "false"
        case .integer, .number: return value.text
        case .null, .array, .object: throw .invalid("\(place) must be a text, not \(value.kind)")
        }
    }

    /// Decimal notation only: Swift's own parser would take hexadecimal numbers, infinity and NaN.
    private static func number(_ text: String) -> Double {
        let isDecimal = text.utf8.allSatisfy {
            (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || "+-.eE".utf8.contains($0)
        }
        guard isDecimal, let number = Double(text), number.isFinite else { return 0 }
        return number
    }

    private static func clamped(_ number: Double) -> Int64 {
        if let whole = Int64(exactly: number.rounded(.towardZero)) { return whole }
        return number < 0 ? .min : .max
    }
}
