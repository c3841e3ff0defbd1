public import Domain
public import JSON
import Operations

extension CronicleAPI {
    /// The job that a notice is about as this dialect shows it, for the bodies of web hooks (cronicle.md §2.10); nil
    /// for a notice that is about no job of Cronicle's sense.
    /// - Throws: `DomainError` when the store does not answer.
    public func job(of notice: Notice) async throws -> JSONObject? {
        if notice.kind == .launchRefused { return try await event(of: notice) }
        guard let record = try await record(of: notice) else { return nil }
        var object = try await JobShapes(dependencies).object(record)
        object["pending"] = nil
        return object
    }

    /// Enters a failure in the list of activity, as Cronicle has it.
    public func enter(_ notice: Notice) async throws {
        if notice.kind == .launchRefused || notice.kind == .chainRefused {
            let what =
                notice.kind == .chainRefused
                ? "Failed to launch chain reaction: "
                : "Failed to launch scheduled event: \(notice.definition.displayTitle): "
            await dependencies.activity.record(
                "warning", by: nil, from: "",
                [
                    "description": .string(what + notice.reason),
                    "event": .string(notice.job.rawValue), "event_title": .string(notice.definition.displayTitle),
                ])
        } else if let record = try await record(of: notice) {
            await dependencies.activity.record(
                "job_complete", by: nil, from: "", try await JobShapes(dependencies).row(record))
        }
    }

    private func event(of notice: Notice) async throws -> JSONObject {
        var job =
            try await dependencies.events.job(notice.job.rawValue)
            ?? Job(
                id: notice.job, version: 0, definition: notice.definition, isEnabled: true, created: notice.at,
                modified: notice.at)
        job.definition = notice.definition
        var object = EventShape(job).object
        object["event"] = .string(notice.job.rawValue)
        object["event_title"] = .string(notice.definition.displayTitle)
        return object
    }

    private func record(of notice: Notice) async throws -> RunRecords.Record? {
        guard let run = notice.run else { return nil }
        var record = RunRecords.Record(
            run: run, definition: notice.definition, details: notice.record?.details, attempt: notice.record,
            firstStart: run.startedAt)
        // Its time counts from its first try.
        if run.attempt > 0, let stored = try await dependencies.runs.record(run.id) {
            record.firstStart = stored.firstStart ?? run.startedAt
        }
        return record
    }
}
