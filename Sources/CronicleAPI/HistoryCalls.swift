import Domain
import JSON
import Operations

/// What has ended, the latest first.
struct HistoryCalls: Sendable {
    let dependencies: CronicleDependencies

    init(_ dependencies: CronicleDependencies) { self.dependencies = dependencies }

    var all: [Call] {
        [
            Call("get_event_history", .anyNode, in: .bodyThenQuery) { try await ofEvent($0) },
            Call("get_history", .anyNode, in: .bodyThenQuery) { try await ofAll($0) },
        ]
    }

    private func ofEvent(_ context: CallContext) async throws -> JSONObject {
        try Validation.require(context.values, [("id", Validation.isWord)])
        let principal = try await context.authenticate()
        let id = context.values["id"]?.scriptText ?? ""
        guard let job = try await dependencies.events.job(id) else {
            throw CronicleFailure("event", "Failed to locate event: \(id)")
        }
        try EventAccess(principal, try await dependencies.events.catalogue()).require(job.definition)
        return try await page(context, of: job.id, defaultLimit: 100, access: nil)
    }

    /// Rows of hidden categories and groups keep their place, so that pages stay whole, but tell nothing.
    private func ofAll(_ context: CallContext) async throws -> JSONObject {
        let principal = try await context.authenticate()
        let access = EventAccess(principal, try await dependencies.events.catalogue())
        return try await page(context, of: nil, defaultLimit: 50, access: access.seesAll ? nil : access)
    }

    private func page(
        _ context: CallContext, of job: JobID?, defaultLimit: Int, access: EventAccess?
    ) async throws -> JSONObject {
        let page = Page(context, defaultLimit: defaultLimit)
        let count = try await dependencies.runs.count(of: job)
        guard let range = page.range(of: Int(clamping: count)) else { return page.listing([], count: count) }
        let shapes = try await JobShapes(dependencies)
        let rows = try await dependencies.runs.history(of: job, offset: range.lowerBound, limit: range.count)
        return page.listing(
            rows.map { record, isDeleted -> JSONValue in
                if let access, !access.maySee(record.definition) { return ["id": "", "action": "job_complete"] }
                guard !isDeleted else {
                    return [
                        "action": "job_delete", "id": .string(record.run.id.rawValue),
                        "event": .string(record.run.job.job.rawValue),
                    ]
                }
                return .object(shapes.row(record))
            }, count: count)
    }
}
