/// The members of a JSON object, in the order in which they were added.
///
/// Equality ignores the order. Small objects, nearly all there are, are searched in line; larger ones keep an index, so
/// that an object of a hundred thousand keys from outside costs linear time.
public struct JSONObject: Sendable {
    public typealias Element = (key: String, value: JSONValue)

    private struct Member: Sendable {
        let key: String
        var value: JSONValue
    }

    /// From this many members on, an index is cheaper than looking at each.
    private static let indexFrom = 32

    private var members: [Member] = []
    /// Positions by key; empty while there are fewer than `indexFrom` members.
    private var index: [String: Int] = [:]

    public init() {}

    /// Of duplicate keys the last wins.
    public init(_ elements: some Sequence<(String, JSONValue)>) {
        for (key, value) in elements { self[key] = value }
    }

    public var count: Int { members.count }
    public var isEmpty: Bool { members.isEmpty }
    public var keys: [String] { members.map(\.key) }

    /// The member of that name. Setting replaces in place or appends; setting nil removes.
    public subscript(key: String) -> JSONValue? {
        get {
            position(of: key).map { members[$0].value }
        }
        set {
            switch (position(of: key), newValue) {
            case (let position?, let value?): members[position].value = value
            case (nil, let value?): append(key, value)
            case (let position?, nil): remove(at: position)
            case (nil, nil): break
            }
        }
    }

    /// Room for that many members.
    public mutating func reserveCapacity(_ count: Int) { members.reserveCapacity(count) }

    private func position(of key: String) -> Int? {
        if index.isEmpty { return members.firstIndex { $0.key == key } }
        return index[key]
    }

    private mutating func append(_ key: String, _ value: JSONValue) {
        members.append(Member(key: key, value: value))
        if !index.isEmpty {
            index[key] = members.count - 1
        } else if members.count >= Self.indexFrom {
            rebuildIndex()
        }
    }

    private mutating func remove(at position: Int) {
        members.remove(at: position)
        index.removeAll()
        if members.count >= Self.indexFrom { rebuildIndex() }
    }

    private mutating func rebuildIndex() {
        index.reserveCapacity(members.count * 2)
        for (position, member) in members.enumerated() { index[member.key] = position }
    }
}

extension JSONObject: Sequence {
    public struct Iterator: IteratorProtocol {
        private let members: [Member]
        private var offset = 0

        fileprivate init(_ object: JSONObject) { members = object.members }

        public mutating func next() -> JSONObject.Element? {
            guard offset < members.count else { return nil }
            defer { offset += 1 }
            return (members[offset].key, members[offset].value)
        }
    }

    public func makeIterator() -> Iterator { Iterator(self) }
    public var underestimatedCount: Int { members.count }
}

extension JSONObject: Equatable {
    public static func == (left: JSONObject, right: JSONObject) -> Bool {
        left.count == right.count && left.members.allSatisfy { right[$0.key] == $0.value }
    }
}

extension JSONObject: ExpressibleByDictionaryLiteral {
    public init(dictionaryLiteral elements: (String, JSONValue)...) { self.init(elements) }
}
