public import Domain
public import JSON
import Operations

extension CronicleAPI {
    /// The job that a notice is about as this dialect shows it, for the bodies of web hooks (cronicle.md §2.10); nil
    /// for a notice that is about no job of Cronicle's sense.
    /// - Throws: `DomainError` when the store does not answer.
    public func job(of notice: Notice) async throws -> JSONObject? {
        guard let run = notice.run else { return nil }
        var record = RunRecords.Record(
            run: run, definition: notice.definition, details: notice.record?.details, attempt: notice.record,
            firstStart: run.startedAt)
        // Its time counts from its first try.
        if run.attempt > 0, let stored = try await dependencies.runs.record(run.id) {
            record.firstStart = stored.firstStart ?? run.startedAt
        }
        var object = try await JobShapes(dependencies).object(record)
        object["pending"] = nil
        return object
    }
}
