// Reads that cross topics or go by time, for the management routes and for pages of the dialects.

public import Domain
import PostgresClient
public import Timetable

extension JobStore {
    /// Jobs after a name, by code points of their names; nil: from the beginning.
    public func page(after name: String?, limit: Int) async throws(StoreError) -> [Job] {
        try await access.query(
            Statement(Self.jobPage, .text(name ?? ""), Stores.page(limit)), deadline: Stores.deadline
        )
        .decode(JobRow.read)
    }

    private static let jobPage = """
        SELECT \(JobRow.columns) FROM carillon.jobs j WHERE j.name COLLATE "C" > $1::text
         ORDER BY j.name COLLATE "C" LIMIT $2::int8
        """
}

extension RunStore {
    /// Runs of all jobs, or of one, newest first: those that have not ended, then those that ended last.
    public func recent(jobName: String?, limit: Int) async throws(StoreError) -> [Run] {
        let name: PostgresValue = .text(jobName ?? "")
        let active = try await access.query(
            Statement(Self.recentActive, name, Stores.page(limit)), deadline: Stores.deadline
        ).decode(RunRow.read)
        guard active.count < limit else { return active }
        return active
            + (try await access.query(
                Statement(Self.recentEnded, name, Stores.page(limit - active.count)), deadline: Stores.longDeadline
            ).decode(RunRow.read))
    }

    private static let recentActive = """
        SELECT \(RunRow.columns) FROM carillon.runs r WHERE $1::text = '' OR r.job_name = $1::text
         ORDER BY r.id DESC LIMIT $2::int8
        """

    private static let recentEnded = """
        SELECT \(RunRow.columns) FROM carillon.run_history r WHERE $1::text = '' OR r.job_name = $1::text
         ORDER BY r.finished_at DESC, r.id DESC LIMIT $2::int8
        """
}

extension LedgerStore {
    /// Entries with occurrences due in `from..<to`, by the due instant of their first one.
    public func entries(
        dueFrom from: Instant, to: Instant, jobName: String?, limit: Int
    ) async throws(StoreError) -> [LedgerEntry] {
        try await access.query(
            Statement(
                Self.entriesByTime, .timestamp(microseconds: from.microseconds),
                .timestamp(microseconds: to.microseconds), .text(jobName ?? ""), Stores.page(limit)),
            deadline: Stores.longDeadline
        ).decode(LedgerRow.read)
    }

    /// A verdict is recorded after its occurrences were due, so that the partitions before `from` are not read.
    private static let entriesByTime = """
        SELECT \(LedgerRow.columns) FROM carillon.ledger g
         WHERE g.recorded >= $1::timestamptz AND g.last_due >= $1::timestamptz AND g.first_due < $2::timestamptz
           AND ($3::text = '' OR g.job_name = $3::text)
         ORDER BY g.first_due, g.job_id, g.first_index LIMIT $4::int8
        """
}
