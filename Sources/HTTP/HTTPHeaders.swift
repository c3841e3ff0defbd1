/// Header fields in the order in which they came; names compare without case.
public struct HTTPHeaders: Sendable {
    public typealias Element = (name: String, value: String)

    private var fields: [Element] = []

    public init() {}

    public init(_ fields: some Sequence<(String, String)>) {
        for (name, value) in fields { add(name, value) }
    }

    public var count: Int { fields.count }
    public var isEmpty: Bool { fields.isEmpty }

    /// The first field of that name. Setting replaces all of that name by one; setting nil removes them.
    public subscript(name: String) -> String? {
        get {
            fields.first { Self.areSameName($0.name, name) }?.value
        }
        set {
            guard let newValue else { return remove(name) }
            guard let first = fields.firstIndex(where: { Self.areSameName($0.name, name) }) else {
                return add(name, newValue)
            }
            fields[first].value = newValue
            // Those after the first, from the end so that positions stay valid.
            for position in fields.indices.dropFirst(first + 1).reversed()
            where Self.areSameName(fields[position].name, name) {
                fields.remove(at: position)
            }
        }
    }

    /// Values of all fields of that name, in order.
    public func all(_ name: String) -> [String] {
        fields.filter { Self.areSameName($0.name, name) }.map(\.value)
    }

    public func contains(_ name: String) -> Bool {
        fields.contains { Self.areSameName($0.name, name) }
    }

    /// Appends a field, whether or not there is one of that name.
    public mutating func add(_ name: String, _ value: String) {
        fields.append((name, value))
    }

    /// Removes all fields of that name.
    public mutating func remove(_ name: String) {
        fields.removeAll { Self.areSameName($0.name, name) }
    }

    /// Whether a comma-separated list, in any field of that name, has the token, without regard to case.
    public func hasToken(_ token: String, in name: String) -> Bool {
        fields.contains { field in
            Self.areSameName(field.name, name)
                && field.value.utf8.split(separator: UInt8(ascii: ",")).contains { item in
                    ASCII.equalIgnoringCase(ASCII.trimmed(item), token.utf8)
                }
        }
    }

    mutating func reserveCapacity(_ count: Int) { fields.reserveCapacity(count) }

    private static func areSameName(_ left: String, _ right: String) -> Bool {
        ASCII.equalIgnoringCase(left.utf8, right.utf8)
    }
}

extension HTTPHeaders: Sequence {
    public func makeIterator() -> IndexingIterator<[Element]> { fields.makeIterator() }
    public var underestimatedCount: Int { fields.count }
}

extension HTTPHeaders: Equatable {
    /// Same fields in the same order; names without case.
    public static func == (left: HTTPHeaders, right: HTTPHeaders) -> Bool {
        left.count == right.count
            && zip(left.fields, right.fields).allSatisfy {
                areSameName($0.name, $1.name) && $0.value == $1.value
            }
    }
}

extension HTTPHeaders: ExpressibleByDictionaryLiteral {
    public init(dictionaryLiteral elements: (String, String)...) { self.init(elements) }
}
