public import Domain
import PostgresClient
public import Timetable

/// What tries of data jobs say that they have processed. Kept as long as history.
public struct ProgressStore: Sendable {
    let access: Access

    /// Adds to the count of a try; a sum beyond 64 bits stays at their end.
    public func add(_ count: Int64, to attempt: AttemptID, at now: Instant) async throws(StoreError) {
        _ = try await access.query(
            Statement(
                Self.add, .text(attempt.run.rawValue), .int(Int64(attempt.number)), .int(count),
                .timestamp(microseconds: now.microseconds)),
            deadline: Stores.deadline)
    }

    /// Tries that have counted nothing are absent.
    public func counts(of runs: [RunID]) async throws(StoreError) -> [AttemptID: Int64] {
        let rows = try await access.query(
            Statement(Self.counts, .textArray(runs.map(\.rawValue))), deadline: Stores.deadline
        ).decode { row in
            (AttemptID(run: RunID(try row.text()), number: try row.int()), try row.integer())
        }
        return Dictionary(rows, uniquingKeysWith: { first, _ in first })
    }

    // MARK: SQL

    private static let add = """
        INSERT INTO carillon.task_progress AS p (run_id, attempt, elements, updated)
        VALUES ($1::text, $2::int4, $3::int8, $4::timestamptz)
        ON CONFLICT (run_id, attempt) DO UPDATE
          SET elements = least(p.elements::numeric + EXCLUDED.elements, 9223372036854775807)::int8,
              updated = EXCLUDED.updated
        """

    private static let counts = """
        SELECT p.run_id, p.attempt, p.elements FROM carillon.task_progress p WHERE p.run_id = ANY ($1::text[])
        """
}
