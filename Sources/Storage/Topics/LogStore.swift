public import Domain
import PostgresClient
public import Timetable

/// Logs of ended tries: one row each, compressed by the worker, dropped by the day with the rest of history
/// (`Upkeep`). What is stored is never read into: it goes out as it came in.
public struct LogStore: Sendable {
    let access: Access

    /// What there is of a run, without the bytes.
    public struct Entry: Hashable, Sendable {
        public var attempt: AttemptID
        public var finishedAt: Instant
        public var extent: LogExtent
        public var compressedBytes: Int64
    }

    /// Keeps them, each once: repeated, nothing changes. All of it or nothing.
    /// - Throws: `StoreError.data` for a log that is longer than `StorageLimits.logBytes`.
    public func put(_ logs: [AttemptLog]) async throws(StoreError) {
        guard !logs.isEmpty else { return }
        for log in logs where log.gzip.count > StorageLimits.logBytes {
            throw StoreError(.data, "the log of \(log.attempt) has more than \(StorageLimits.logBytes) bytes")
        }
        _ = try await access.query(
            Statement(
                Self.putLogs, .textArray(logs.map(\.attempt.run.rawValue)),
                .intArray(logs.map { Int64($0.attempt.number) }),
                .timestampArray(logs.map(\.finishedAt.microseconds)), .intArray(logs.map(\.extent.total)),
                .intArray(logs.map(\.extent.head)), .intArray(logs.map(\.extent.tail)),
                .intArray(logs.map(\.extent.size)), .bytesArray(logs.map(\.gzip))),
            deadline: Stores.longDeadline)
    }

    /// The stored tries of a run, first one first.
    public func list(_ run: RunID) async throws(StoreError) -> [Entry] {
        try await access.query(Statement(Self.listLogs, .text(run.rawValue)), deadline: Stores.deadline)
            .decode { row in
                Entry(
                    attempt: AttemptID(run: run, number: try row.int()), finishedAt: try row.instant(),
                    extent: try Self.extent(&row), compressedBytes: try row.integer())
            }
    }

    /// Bytes of a stored log as they are, from an offset of them; fewer at their end, and none where it is no more.
    public func slice(_ entry: Entry, from offset: Int64, count: Int) async throws(StoreError) -> [UInt8] {
        try await access.query(
            Statement(
                Self.sliceLog, .text(entry.attempt.run.rawValue), .int(Int64(entry.attempt.number)),
                .timestamp(microseconds: entry.finishedAt.microseconds),
                .int(Int64(Int32(clamping: offset)) + 1), .int(Int64(min(count, StorageLimits.logBytes)))),
            deadline: Stores.longDeadline
        ).first { try $0.bytes() } ?? []
    }

    /// The log of a try; nil where none is stored, or no longer.
    public func get(_ attempt: AttemptID) async throws(StoreError) -> AttemptLog? {
        try await access.query(
            Statement(Self.getLog, .text(attempt.run.rawValue), .int(Int64(attempt.number))),
            deadline: Stores.longDeadline
        ).first { row in
            AttemptLog(
                attempt: attempt, finishedAt: try row.instant(), extent: try Self.extent(&row),
                gzip: try row.bytes())
        }
    }

    /// Deletes the logs of a run.
    /// - Returns: how many there were.
    @discardableResult
    public func delete(_ run: RunID) async throws(StoreError) -> Int {
        try await access.query(Statement(Self.deleteLogs, .text(run.rawValue)), deadline: Stores.deadline).affected
    }

    private static func extent(_ row: inout RowReader) throws -> LogExtent {
        LogExtent(
            total: try row.integer(), head: try row.integer(), tail: try row.integer(), size: try row.integer())
    }

    // MARK: SQL

    /// Should a try be sent twice with different instants (its file was touched), the first one stays.
    private static let putLogs = """
        INSERT INTO carillon.run_logs (run_id, number, finished_at, total, head, tail, size, gzip)
        SELECT n.run_id, n.number::int4, n.finished_at, n.total, n.head, n.tail, n.size, n.gzip
          FROM unnest($1::text[], $2::int8[], $3::timestamptz[], $4::int8[], $5::int8[], $6::int8[], $7::int8[],
            $8::bytea[]) AS n (run_id, number, finished_at, total, head, tail, size, gzip)
        ON CONFLICT DO NOTHING
        """

    private static let listLogs = """
        SELECT DISTINCT ON (l.number) l.number::int8, l.finished_at, l.total, l.head, l.tail, l.size,
               octet_length(l.gzip)::int8
          FROM carillon.run_logs l WHERE l.run_id = $1::text ORDER BY l.number, l.finished_at
        """

    private static let getLog = """
        SELECT l.finished_at, l.total, l.head, l.tail, l.size, l.gzip
          FROM carillon.run_logs l WHERE l.run_id = $1::text AND l.number = $2::int4 ORDER BY l.finished_at LIMIT 1
        """

    /// Not compressed by the server, so that it reads no more than the slice.
    private static let sliceLog = """
        SELECT substring(l.gzip FROM $4::int4 FOR $5::int4) FROM carillon.run_logs l
         WHERE l.run_id = $1::text AND l.number = $2::int4 AND l.finished_at = $3::timestamptz
        """

    private static let deleteLogs = "DELETE FROM carillon.run_logs WHERE run_id = $1::text"
}
