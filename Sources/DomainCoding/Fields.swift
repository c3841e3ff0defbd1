public import Domain
public import JSON

/// The members of a stored JSON object, read with defaults and with errors that name the key.
public struct Fields {
    private let object: JSONObject
    private let what: String

    init(_ value: JSONValue, of what: String) throws(StoreError) {
        guard let object = value.objectValue else { throw StoreError(.data, "\(what) in the database is no object") }
        self.object = object
        self.what = what
    }

    /// Nil for a missing member and for null.
    subscript(key: String) -> JSONValue? {
        guard let value = object[key], !value.isNull else { return nil }
        return value
    }

    public func string(_ key: String, else missing: String) throws(StoreError) -> String {
        try read(key, else: missing, \.stringValue)
    }

    public func bool(_ key: String, else missing: Bool) throws(StoreError) -> Bool {
        try read(key, else: missing, \.boolValue)
    }

    public func integer(_ key: String, else missing: Int64) throws(StoreError) -> Int64 {
        try read(key, else: missing, \.int64Value)
    }

    public func double(_ key: String, else missing: Double) throws(StoreError) -> Double {
        try read(key, else: missing, \.doubleValue)
    }

    public func duration(_ key: String) throws(StoreError) -> Duration? {
        guard self[key] != nil else { return nil }
        return .microseconds(try integer(key, else: 0))
    }

    public func word<Word: RawRepresentable>(_ key: String, else missing: Word) throws(StoreError) -> Word
    where Word.RawValue == String {
        let text = try string(key, else: missing.rawValue)
        guard let word = Word(rawValue: text) else {
            throw StoreError(.data, "\(what) in the database has an unknown \(key) '\(text)': use a newer carillon")
        }
        return word
    }

    public func strings(_ key: String, else missing: [String]) throws(StoreError) -> [String] {
        guard self[key] != nil else { return missing }
        return try list(key) { value throws(StoreError) in
            guard let text = value.stringValue else { throw wrongType(key) }
            return text
        }
    }

    /// Empty for a missing member.
    public func list<Value>(
        _ key: String, _ element: (JSONValue) throws(StoreError) -> Value
    ) throws(StoreError) -> [Value] {
        guard let value = self[key] else { return [] }
        guard let values = value.arrayValue else { throw wrongType(key) }
        var result: [Value] = []
        result.reserveCapacity(values.count)
        for value in values { result.append(try element(value)) }
        return result
    }

    private func read<Value>(
        _ key: String, else missing: Value, _ get: (JSONValue) -> Value?
    ) throws(StoreError) -> Value {
        guard let value = self[key] else { return missing }
        guard let result = get(value) else { throw wrongType(key) }
        return result
    }

    private func wrongType(_ key: String) -> StoreError {
        StoreError(.data, "\(what) in the database has a \(key) of the wrong type")
    }
}
