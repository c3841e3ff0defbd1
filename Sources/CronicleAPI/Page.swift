import JSON

/// Offset and limit of a listing, and what is told of the list besides its rows.
struct Page: Sendable {
    /// Rows of one answer, whatever is asked for.
    static let maximum = 10_000

    /// As sent; negative ones count from the end, as Cronicle has it.
    let offset: Int
    let limit: Int

    /// - Parameter defaultLimit: for a limit that is absent, 0, or no number.
    init(_ context: CallContext, defaultLimit: Int) {
        offset = context.integer("offset") ?? 0
        let asked = context.integer("limit") ?? 0
        limit = min(asked == 0 ? defaultLimit : asked, Self.maximum)
    }

    /// The rows that a store reads by offset and limit, of a list of that length; nil for none.
    func range(of length: Int) -> Range<Int>? {
        let start = offset < 0 ? max(0, length + offset) : offset
        guard start < length else { return nil }
        // A negative limit leaves that many at the end away (JavaScript's slice).
        let end = limit < 0 ? length + limit : min(length, start + min(limit, Self.maximum))
        return start < end ? start..<end : nil
    }

    func listing(_ rows: [JSONValue], count: Int64, pageSize: Int64 = 50) -> JSONObject {
        Self.listing(rows, count: count, pageSize: pageSize)
    }

    static func listing(_ rows: [JSONValue], count: Int64, pageSize: Int64 = 50) -> JSONObject {
        guard count > 0 else { return ["rows": .array(rows), "list": ["length": 0]] }
        return ["rows": .array(rows), "list": header(count: count, pageSize: pageSize)]
    }

    /// Of a list that the contract says nothing of: past its end Cronicle tells of none at all, and a negative offset
    /// counts from the end.
    /// - Parameter read: rows from an offset on, and how many there are.
    func rows(
        pageSize: Int64 = 50, _ read: (_ offset: Int) async throws -> (rows: [JSONValue], count: Int64)
    ) async throws -> JSONObject {
        var (rows, count) = try await read(max(0, offset))
        if offset < 0, count > 0 {
            (rows, count) = try await read(max(0, Int(clamping: count).addingReportingOverflow(offset).partialValue))
        }
        return Self.listing(rows, count: Int64(offset) < count ? count : 0, pageSize: pageSize)
    }

    /// Internal of Cronicle's store but for `length`.
    static func header(count: Int64, pageSize: Int64 = 50) -> JSONValue {
        [
            "page_size": .integer(pageSize), "first_page": 0,
            "last_page": .integer(max(0, count - 1) / pageSize), "length": .integer(count), "type": "list",
        ]
    }
}
