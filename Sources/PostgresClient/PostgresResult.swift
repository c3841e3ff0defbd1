import CLibPQ

/// What a statement gave: its rows, or how many rows it changed.
public struct PostgresResult: Sendable {
    /// Rows that were inserted, updated, deleted or selected.
    public let affected: Int
    public let rows: [PostgresRow]

    init(_ cells: ResultCells) {
        let text = String(cString: PQcmdTuples(cells.pointer))
        // Empty for statements that do not count, such as CREATE TABLE.
        affected = Int(text) ?? 0
        rows = (0..<cells.rowCount).map { PostgresRow(cells: cells, row: $0) }
    }
}

/// One row. Values are decoded when they are asked for; a column that the statement does not have is an error in the
/// program and stops it, but for the `require` forms, which throw.
///
/// The plain forms give nil for NULL, and for text that is not of the wanted form.
public struct PostgresRow: Sendable {
    let cells: ResultCells
    let row: Int

    public var columnCount: Int { cells.columns.count }

    public func isNull(_ column: Int) -> Bool { cells.value(row, column) == nil }
    public func isNull(_ column: String) -> Bool { isNull(index(column)) }

    public func string(_ column: Int) -> String? {
        cells.value(row, column).map { String(decoding: $0, as: UTF8.self) }
    }

    public func int64(_ column: Int) -> Int64? { cells.value(row, column).flatMap(CellDecoder.int64) }

    public func double(_ column: Int) -> Double? { string(column).flatMap(CellDecoder.double) }

    public func bool(_ column: Int) -> Bool? { cells.value(row, column).flatMap(CellDecoder.bool) }

    public func bytes(_ column: Int) -> [UInt8]? { cells.value(row, column).flatMap(CellDecoder.bytes) }

    /// A timestamptz in microseconds since 1970; the server's infinities are `Int64.min` and `Int64.max`.
    public func microseconds(_ column: Int) -> Int64? { cells.value(row, column).flatMap { TimestampText.parse($0) } }

    public func textArray(_ column: Int) -> [String?]? { cells.value(row, column).flatMap { ArrayText.parse($0) } }

    public func int64Array(_ column: Int) -> [Int64?]? {
        textArray(column).flatMap { CellDecoder.all($0) { Int64($0) } }
    }

    public func doubleArray(_ column: Int) -> [Double?]? {
        textArray(column).flatMap { CellDecoder.all($0, CellDecoder.double) }
    }

    public func string(_ column: String) -> String? { string(index(column)) }
    public func int64(_ column: String) -> Int64? { int64(index(column)) }
    public func double(_ column: String) -> Double? { double(index(column)) }
    public func bool(_ column: String) -> Bool? { bool(index(column)) }
    public func bytes(_ column: String) -> [UInt8]? { bytes(index(column)) }
    public func microseconds(_ column: String) -> Int64? { microseconds(index(column)) }
    public func textArray(_ column: String) -> [String?]? { textArray(index(column)) }
    public func int64Array(_ column: String) -> [Int64?]? { int64Array(index(column)) }
    public func doubleArray(_ column: String) -> [Double?]? { doubleArray(index(column)) }

    // The forms that throw `PostgresError.decoding` for NULL and for text that is not of the wanted form.

    public func requireString(_ column: Int) throws -> String { try require(column, "text", string) }
    public func requireInt64(_ column: Int) throws -> Int64 { try require(column, "an integer", int64) }
    public func requireDouble(_ column: Int) throws -> Double { try require(column, "a number", double) }
    public func requireBool(_ column: Int) throws -> Bool { try require(column, "a boolean", bool) }
    public func requireBytes(_ column: Int) throws -> [UInt8] { try require(column, "bytes", bytes) }
    public func requireMicroseconds(_ column: Int) throws -> Int64 {
        try require(column, "a timestamp with time zone", microseconds)
    }
    public func requireTextArray(_ column: Int) throws -> [String?] { try require(column, "an array", textArray) }
    public func requireInt64Array(_ column: Int) throws -> [Int64?] {
        try require(column, "an array of integers", int64Array)
    }

    public func requireString(_ column: String) throws -> String { try requireString(find(column)) }
    public func requireInt64(_ column: String) throws -> Int64 { try requireInt64(find(column)) }
    public func requireDouble(_ column: String) throws -> Double { try requireDouble(find(column)) }
    public func requireBool(_ column: String) throws -> Bool { try requireBool(find(column)) }
    public func requireBytes(_ column: String) throws -> [UInt8] { try requireBytes(find(column)) }
    public func requireMicroseconds(_ column: String) throws -> Int64 { try requireMicroseconds(find(column)) }
    public func requireTextArray(_ column: String) throws -> [String?] { try requireTextArray(find(column)) }
    public func requireInt64Array(_ column: String) throws -> [Int64?] { try requireInt64Array(find(column)) }

    private func require<T>(_ column: Int, _ kind: String, _ decode: (Int) -> T?) throws -> T {
        guard cells.columns.indices.contains(column) else {
            throw PostgresError(.decoding, "the result has no column \(column), only \(cells.columns.count)")
        }
        if let value = decode(column) { return value }
        let found = isNull(column) ? "NULL" : "something else"
        throw PostgresError(.decoding, "column \(cells.columns[column]) should be \(kind) and is \(found)")
    }

    private func find(_ column: String) throws -> Int {
        guard let index = cells.columns.firstIndex(of: column) else {
            let columns = cells.columns.joined(separator: ", ")
            throw PostgresError(.decoding, "the result has no column \(column), only \(columns)")
        }
        return index
    }

    private func index(_ column: String) -> Int {
        guard let index = cells.columns.firstIndex(of: column) else {
            preconditionFailure("the result has no column \(column), only \(cells.columns)")
        }
        return index
    }
}

/// Owns one result of libpq.
///
/// `@unchecked Sendable`: libpq never changes a result once it has handed it out, and it is cleared with the last
/// reference.
final class ResultCells: @unchecked Sendable {
    enum Kind { case rows, failure, skipped, sync, unsupported }

    let pointer: OpaquePointer
    let columns: [String]
    let rowCount: Int

    init(taking pointer: OpaquePointer) {
        self.pointer = pointer
        // The columns of a COPY have no names.
        columns = (0..<PQnfields(pointer)).map { PQfname(pointer, $0).map { String(cString: $0) } ?? "" }
        rowCount = Int(PQntuples(pointer))
    }

    deinit { PQclear(pointer) }

    var kind: Kind {
        switch PQresultStatus(pointer) {
        case PGRES_TUPLES_OK, PGRES_COMMAND_OK, PGRES_EMPTY_QUERY: .rows
        case PGRES_PIPELINE_SYNC: .sync
        case PGRES_PIPELINE_ABORTED: .skipped
        case PGRES_FATAL_ERROR, PGRES_BAD_RESPONSE, PGRES_NONFATAL_ERROR: .failure
        default: .unsupported
        }
    }

    /// nil for NULL. Valid as long as this object; used up before it is let go.
    func value(_ row: Int, _ column: Int) -> UnsafeBufferPointer<UInt8>? {
        precondition(columns.indices.contains(column), "the result has no column \(column), only \(columns)")
        guard PQgetisnull(pointer, Int32(row), Int32(column)) == 0,
            let start = PQgetvalue(pointer, Int32(row), Int32(column))
        else { return nil }
        let count = Int(PQgetlength(pointer, Int32(row), Int32(column)))
        return UnsafeBufferPointer(
            start: UnsafeRawPointer(start).assumingMemoryBound(to: UInt8.self), count: count)
    }
}
