import Domain
import JSON
import Timetable

/// Reads the members of an object and says where something is wrong: `offers[3].command must be …`.
struct FieldReader {
    private let object: JSONObject
    private let path: String

    init(_ value: JSONValue, path: String) throws(DomainError) {
        guard let object = value.objectValue else { throw .invalid("\(path) must be an object") }
        self.object = object
        self.path = path
    }

    /// Reads a whole body.
    static func body(_ bytes: [UInt8]) throws(DomainError) -> FieldReader {
        let value: JSONValue
        do {
            value = try JSONValue(parsing: bytes, limits: JSONLimits(bytes: WireLimits.body))
        } catch {
            throw .invalid(error.description)
        }
        return try FieldReader(value, path: "body")
    }

    private func name(_ key: String) -> String { path == "body" ? key : "\(path).\(key)" }

    func value(_ key: String) -> JSONValue? {
        guard let value = object[key], !value.isNull else { return nil }
        return value
    }

    private func required(_ key: String) throws(DomainError) -> JSONValue {
        guard let value = value(key) else { throw .invalid("\(name(key)) is missing") }
        return value
    }

    func object(_ key: String) throws(DomainError) -> FieldReader {
        try FieldReader(try required(key), path: name(key))
    }

    func text(_ key: String, limit: Int, mayBeEmpty: Bool = true) throws(DomainError) -> String {
        let value = try required(key)
        return try Self.text(value, name: name(key), limit: limit, mayBeEmpty: mayBeEmpty)
    }

    static func text(
        _ value: JSONValue, name: String, limit: Int, mayBeEmpty: Bool = true
    ) throws(DomainError) -> String {
        guard let text = value.stringValue, text.utf8.count <= limit, mayBeEmpty || !text.isEmpty else {
            throw .invalid("\(name) must be text of \(mayBeEmpty ? 0 : 1) to \(limit) bytes")
        }
        return text
    }

    func integer(_ key: String, in range: ClosedRange<Int64>) throws(DomainError) -> Int64 {
        guard let value = try required(key).int64Value, range.contains(value) else {
            throw .invalid("\(name(key)) must be an integer from \(range.lowerBound) to \(range.upperBound)")
        }
        return value
    }

    func number(_ key: String) throws(DomainError) -> Double {
        guard let value = try required(key).doubleValue, value.isFinite, value >= 0 else {
            throw .invalid("\(name(key)) must be a number that is not negative")
        }
        return value
    }

    func flag(_ key: String) throws(DomainError) -> Bool {
        guard let value = try required(key).boolValue else { throw .invalid("\(name(key)) must be true or false") }
        return value
    }

    func instant(_ key: String) throws(DomainError) -> Instant {
        Instant(microseconds: try integer(key, in: .min ... .max))
    }

    func optionalInstant(_ key: String) throws(DomainError) -> Instant? {
        value(key) == nil ? nil : try instant(key)
    }

    /// Identifiers become parts of file names: nothing but lower-case letters and digits.
    func identifier(_ key: String) throws(DomainError) -> String {
        let text = try text(key, limit: Limits.identifier)
        guard JobID.isPossible(text) else {
            throw .invalid("\(name(key)) must be 1 to \(Limits.identifier) characters of a to z, 0 to 9 and _")
        }
        return text
    }

    func array(_ key: String, limit: Int) throws(DomainError) -> [JSONValue] {
        guard let values = try required(key).arrayValue, values.count <= limit else {
            throw .invalid("\(name(key)) must be a list of at most \(limit) items")
        }
        return values
    }

    func texts(_ key: String, count: Int, limit: Int) throws(DomainError) -> [String] {
        var texts: [String] = []
        for (index, value) in try array(key, limit: count).enumerated() {
            texts.append(try Self.text(value, name: "\(name(key))[\(index)]", limit: limit))
        }
        return texts
    }

    func objects(_ key: String, limit: Int) throws(DomainError) -> [FieldReader] {
        var readers: [FieldReader] = []
        for (index, value) in try array(key, limit: limit).enumerated() {
            readers.append(try FieldReader(value, path: "\(name(key))[\(index)]"))
        }
        return readers
    }

    /// A word of a closed set.
    func word<Word: RawRepresentable & CaseIterable>(
        _ key: String, _ type: Word.Type
    ) throws(DomainError) -> Word where Word.RawValue == String {
        guard let word = Word(rawValue: try text(key, limit: Limits.text)) else {
            throw .invalid("\(name(key)) must be one of \(Word.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        return word
    }

    func mustBe(_ key: String, _ wanted: String) -> DomainError { .invalid("\(name(key)) must be \(wanted)") }
}
