import Domain
import JSON
import PostgresClient
import Timetable

/// Reads the columns of a row from left to right. What is not as the schema says is a `StoreError.data`.
struct RowReader {
    private let row: PostgresRow
    private var column = 0

    /// Wider than whatever may be written, so that no row can be stored that cannot be read.
    private static let storedJSON = JSONLimits(bytes: 256 * 1024 * 1024, values: 10_000_000)

    init(_ row: PostgresRow) {
        self.row = row
    }

    mutating func text() throws -> String { try row.requireString(next()) }
    mutating func optionalText() throws -> String? { try optional { row, column in try row.requireString(column) } }
    mutating func integer() throws -> Int64 { try row.requireInt64(next()) }
    mutating func optionalInteger() throws -> Int64? { try optional { row, column in try row.requireInt64(column) } }
    mutating func double() throws -> Double { try row.requireDouble(next()) }
    mutating func bool() throws -> Bool { try row.requireBool(next()) }
    mutating func texts() throws -> [String] { try row.requireTextArray(next()).compactMap { $0 } }
    mutating func bytes() throws -> [UInt8] { try row.requireBytes(next()) }

    mutating func instant() throws -> Instant { Instant(microseconds: try row.requireMicroseconds(next())) }
    mutating func optionalInstant() throws -> Instant? {
        try optional { row, column in Instant(microseconds: try row.requireMicroseconds(column)) }
    }

    mutating func int() throws -> Int {
        let value = try integer()
        guard let small = Int(exactly: value) else { throw StoreError(.data, "\(value) is too large") }
        return small
    }

    mutating func optionalInt() throws -> Int? {
        try optionalInteger().map { Int(clamping: $0) }
    }

    mutating func optionalJSON() throws -> JSONValue? {
        try optionalText().map(Self.parse)
    }

    mutating func json() throws -> JSONValue {
        try Self.parse(try text())
    }

    private static func parse(_ text: String) throws -> JSONValue {
        do {
            return try JSONValue(parsing: Array(text.utf8), limits: storedJSON)
        } catch {
            throw StoreError(.data, "the database holds JSON that cannot be read: \(error.message)")
        }
    }

    /// A word of a closed vocabulary. A newer release may have written one that this one does not know.
    mutating func word<Word: RawRepresentable>(of type: Word.Type) throws -> Word where Word.RawValue == String {
        let text = try text()
        guard let word = Word(rawValue: text) else {
            throw StoreError(.data, "the database holds an unknown \(type) '\(text)': use a newer carillon")
        }
        return word
    }

    private mutating func optional<Value>(_ read: (PostgresRow, Int) throws -> Value) throws -> Value? {
        let column = next()
        return row.isNull(column) ? nil : try read(row, column)
    }

    private mutating func next() -> Int {
        defer { column += 1 }
        return column
    }
}

extension PostgresResult {
    /// Every row as a value.
    func decode<Value>(_ read: (inout RowReader) throws -> Value) throws(StoreError) -> [Value] {
        do {
            return try rows.map { row in
                var reader = RowReader(row)
                return try read(&reader)
            }
        } catch {
            throw StoreError(error)
        }
    }

    /// The first row as a value; nil when there is none.
    func first<Value>(_ read: (inout RowReader) throws -> Value) throws(StoreError) -> Value? {
        guard let row = rows.first else { return nil }
        do {
            var reader = RowReader(row)
            return try read(&reader)
        } catch {
            throw StoreError(error)
        }
    }
}

extension String {
    /// PostgreSQL stores no NUL. Words of workers (output, reasons) may hold one and must not fail a report.
    var withoutNUL: String {
        guard utf8.contains(0) else { return self }
        var scalars = String.UnicodeScalarView()
        for scalar in unicodeScalars { scalars.append(scalar.value == 0 ? "\u{FFFD}" : scalar) }
        return String(scalars)
    }
}

extension Optional where Wrapped == Instant {
    var microseconds: Int64? { map(\.microseconds) }
}
