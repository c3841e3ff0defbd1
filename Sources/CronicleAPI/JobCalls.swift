import Domain
import HTTP
import JSON
import Operations
import Timetable

/// Jobs: what runs and what has run (cronicle.md §1.10).
struct JobCalls: Sendable {
    let dependencies: CronicleDependencies

    init(_ dependencies: CronicleDependencies) { self.dependencies = dependencies }

    var all: [Call] {
        [
            Call("get_job_status", in: .bodyThenQuery) { try await status($0) },
            Call("get_job_details", in: .bodyThenQuery) { try await details($0) },
            Call("get_active_jobs") { try await active($0) },
            Call("update_job") { try await update($0) },
            Call("update_jobs") { try await updateMany($0) },
            Call("abort_job") { try await abort($0) },
            Call("abort_jobs") { try await abortMany($0) },
            Call("delete_job", in: .bodyThenQuery) { try await delete($0) },
        ]
    }

    static func unknown(_ id: String) -> CronicleFailure {
        CronicleFailure(
            "job", "Failed to fetch job details: Error: Failed to fetch key: jobs/\(id): File not found")
    }

    private func access(_ principal: Principal) async throws -> EventAccess {
        EventAccess(principal, try await dependencies.events.catalogue())
    }

    // MARK: Reading

    private func status(_ context: CallContext) async throws -> JSONObject {
        try Validation.require(context.values, [("id", Validation.isWord)])
        let principal = try await context.authenticate()
        let id = context.values["id"]?.scriptText ?? ""
        guard let record = try await dependencies.runs.record(RunID(id)) else { throw Self.unknown(id) }
        try await access(principal).require(record.definition)
        let shapes = try await JobShapes(dependencies)
        return ["job": .object(shapes.object(record, withElapsed: true))]
    }

    private func details(_ context: CallContext) async throws -> JSONObject {
        try Validation.require(context.values, [("id", Validation.isWord)])
        let principal = try await context.authenticate()
        let id = context.values["id"]?.scriptText ?? ""
        let record = try await dependencies.runs.record(RunID(id)).flatMap { $0.run.state.isTerminal ? $0 : nil }
        // The log is looked for first, and named where there is neither.
        if context.isTrue("need_log") {
            var hasLog = false
            if let record { hasLog = try await dependencies.logs.status(of: record.run.id)?.isComplete == true }
            guard hasLog else {
                throw CronicleFailure(
                    "job",
                    "Failed to fetch job details: Error: Failed to head key: jobs/\(id)/log.txt.gz: File not found")
            }
        }
        guard let record else { throw Self.unknown(id) }
        try await access(principal).require(record.definition)
        let shapes = try await JobShapes(dependencies)
        return [
            "job": .object(shapes.object(record)),
            "token": .string(dependencies.tokens.token(for: id, now: dependencies.clock.now())),
        ]
    }

    /// Jobs of hidden categories and groups are left out.
    private func active(_ context: CallContext) async throws -> JSONObject {
        let principal = try await context.authenticate()
        let access = try await access(principal)
        let shapes = try await JobShapes(dependencies)
        var jobs = JSONObject()
        for record in try await dependencies.runs.active() where access.maySee(record.definition) {
            jobs[record.run.id.rawValue] = .object(shapes.object(record))
        }
        return ["jobs": .object(jobs)]
    }

    // MARK: Updating

    /// The documented properties. Any other is ignored.
    private static let mutable: Set<String> = [
        "timeout", "retries", "retry_delay", "chain", "chain_error", "notify_success", "notify_fail", "web_hook",
        "cpu_limit", "cpu_sustain", "memory_limit", "memory_sustain", "log_max_size",
    ]

    private static func updates(_ values: JSONObject) throws(CronicleFailure) -> JSONObject {
        let updates = JSONObject(values.filter { mutable.contains($0.key) }.map { ($0.key, $0.value) })
        try Validation.permit(updates, EventRules.rules)
        return updates
    }

    private func update(_ context: CallContext) async throws -> JSONObject {
        try Validation.require(context.values, [("id", Validation.isWord)])
        let updates = try Self.updates(context.values)
        let principal = try await context.require(.editEvents)
        let id = context.values["id"]?.scriptText ?? ""
        let record = try await running(id)
        try await access(principal).require(record.definition)
        try await apply(updates, to: record, principal)
        return [:]
    }

    private func running(_ id: String) async throws -> RunRecords.Record {
        guard let record = try await dependencies.runs.record(RunID(id)), !record.run.state.isTerminal else {
            throw CronicleFailure("job", "Failed to locate job: \(id)")
        }
        return record
    }

    private func apply(_ updates: JSONObject, to record: RunRecords.Record, _ principal: Principal) async throws {
        guard !updates.isEmpty else { return }
        var updates = updates
        // Meant are those that are left; the definition counts all of them.
        if let left = updates["retries"]?.wholeNumber {
            updates["retries"] = .integer(min(left, Int64(Limits.retries)) + Int64(record.run.attempt))
        }
        var definition = record.definition
        EventCoding.apply(updates, to: &definition, now: dependencies.clock.now())
        var kept = EventShape.kept(definition)
        for (key, value) in updates { kept[key] = value }
        definition.dialectFields = EventShape.keeping(kept, in: definition)
        try await dependencies.runs.update(principal, record.run.id, definition)
    }

    private func updateMany(_ context: CallContext) async throws -> JSONObject {
        let principal = try await context.require(.editEvents)
        let updates = try Self.updates(context.values["updates"]?.objectValue ?? JSONObject())
        let records = try await matching(context, but: ["updates"])
        let access = try await access(principal)
        for record in records { try access.require(record.definition) }
        for record in records { try await apply(updates, to: record, principal) }
        return ["count": .integer(Int64(records.count))]
    }

    // MARK: Aborting

    /// The key's identifier, not the key, is told.
    private static func reason(_ principal: Principal) -> String {
        switch principal.identity {
        case .user, .anonymous: "Manually aborted by user: \(principal.name)"
        case .key(let id): "Manually aborted by API Key: \(id) (\(principal.name))"
        }
    }

    private func abort(_ context: CallContext) async throws -> JSONObject {
        try Validation.require(context.values, [("id", Validation.isWord)])
        let principal = try await context.require(.abortEvents)
        let record = try await running(context.values["id"]?.scriptText ?? "")
        try await access(principal).require(record.definition)
        _ = try await dependencies.runs.abort(
            principal, [record.run.id], reason: Self.reason(principal), rewinds: false)
        return [:]
    }

    private func abortMany(_ context: CallContext) async throws -> JSONObject {
        let principal = try await context.require(.abortEvents)
        let records = try await matching(context, but: ["no_rewind"]).filter { !$0.definition.isDetached }
        let access = try await access(principal)
        for record in records { try access.require(record.definition) }
        _ = try await dependencies.runs.abort(
            principal, records.map(\.run.id), reason: Self.reason(principal), rewinds: !context.isTrue("no_rewind"))
        return ["count": .integer(Int64(records.count))]
    }

    /// Jobs that have not ended and whose properties are those that were sent; without any, all of them. Texts and
    /// numbers that are written alike are equal. What waits in a queue is no job yet: `flush_event_queue` is for it.
    private func matching(_ context: CallContext, but dropped: Set<String>) async throws -> [RunRecords.Record] {
        let criteria = context.values.filter { criterion in
            !dropped.contains(criterion.key) && !EventRules.credentials.contains(criterion.key)
        }
        let records = try await dependencies.runs.active().filter { !$0.waitsInQueue }
        guard !criteria.isEmpty else { return records }
        let shapes = try await JobShapes(dependencies)
        return records.filter { record in
            let object = shapes.object(record)
            return criteria.allSatisfy { key, value in object[key].map { $0.scriptText == value.scriptText } ?? false }
        }
    }

    // MARK: Deleting

    private func delete(_ context: CallContext) async throws -> JSONObject {
        try Validation.require(context.values, [("id", Validation.isWord)])
        let principal = try await context.requireAdministrator()
        let id = context.values["id"]?.scriptText ?? ""
        guard let record = try await dependencies.runs.record(RunID(id)), record.run.state.isTerminal else {
            throw Self.unknown(id)
        }
        try await dependencies.runs.deleteRecord(principal, record.run.id)
        let shapes = try await JobShapes(dependencies)
        await dependencies.activity.record(
            "job_delete", by: principal, from: context.request.remoteAddress,
            ["job": .object(shapes.row(record)), "id": .string(id), "event": .string(record.run.job.job.rawValue)])
        return [:]
    }
}
