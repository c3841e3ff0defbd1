/// A parameter. The server finds its type from the statement, as it does for a quoted literal: cast where the statement
/// leaves it open (`$1::bigint[]`).
public enum PostgresValue: Sendable, Equatable {
    case null
    case text(String)
    case int(Int64)
    case double(Double)
    case bool(Bool)
    case bytes([UInt8])
    /// Microseconds since 1970; what lies outside the server's range becomes its infinity.
    case timestamp(microseconds: Int64)
    /// The text of a JSON document.
    case json(String)
    case textArray([String?])
    case intArray([Int64?])
    case doubleArray([Double?])
    case boolArray([Bool?])
    case timestampArray([Int64?])
    case bytesArray([[UInt8]?])

    /// A value, or NULL where there is none.
    public static func text(_ value: String?) -> PostgresValue { value.map { .text($0) } ?? .null }
    public static func int(_ value: Int64?) -> PostgresValue { value.map { .int($0) } ?? .null }
    public static func double(_ value: Double?) -> PostgresValue { value.map { .double($0) } ?? .null }
    public static func bool(_ value: Bool?) -> PostgresValue { value.map { .bool($0) } ?? .null }
    public static func bytes(_ value: [UInt8]?) -> PostgresValue { value.map { .bytes($0) } ?? .null }
    public static func json(_ value: String?) -> PostgresValue { value.map { .json($0) } ?? .null }
    public static func timestamp(microseconds: Int64?) -> PostgresValue {
        microseconds.map { .timestamp(microseconds: $0) } ?? .null
    }
}

extension PostgresValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByNilLiteral,
    ExpressibleByBooleanLiteral
{
    public init(stringLiteral value: String) { self = .text(value) }
    public init(integerLiteral value: Int64) { self = .int(value) }
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    public init(nilLiteral: ()) { self = .null }
}

/// One statement and its parameters `$1`, `$2`, …
///
/// The text is the key of the connection's cache of prepared statements: build it from constants, never from data.
public struct Statement: Sendable {
    public let sql: String
    public let parameters: [PostgresValue]

    public init(_ sql: String, _ parameters: PostgresValue?...) {
        self.init(sql, parameters: parameters.map { $0 ?? .null })
    }

    public init(_ sql: String, parameters: [PostgresValue]) {
        self.sql = sql
        self.parameters = parameters
    }
}
