import Domain
import HTTP
import JSON
import Operations
import Timetable

/// Logs of jobs, stored and as they grow, and the tokens that stand for a key in an address.
struct LogCalls: Sendable {
    let dependencies: CronicleDependencies

    init(_ dependencies: CronicleDependencies) { self.dependencies = dependencies }

    var all: [Call] {
        [
            Call(raw: "get_job_log", .anyNode) { try await log($0) },
            Call(raw: "get_live_job_log") { try await liveLog($0) },
            Call("get_log_watch_auth") { try await watchToken($0) },
        ]
    }

    private func log(_ context: CallContext) async throws -> Call.Answer {
        try Validation.require(context.values, [("id", Validation.isWord)])
        let id = context.values["id"]?.scriptText ?? ""
        if let token = context.values["t"]?.scriptText, !token.isEmpty {
            try check(token, id)
        } else {
            let principal = try await context.authenticate()
            guard let record = try await ended(id) else { throw JobCalls.unknown(id) }
            try EventAccess(principal, try await dependencies.events.catalogue()).require(record.definition)
        }
        guard try await ended(id) != nil else { throw JobCalls.unknown(id) }
        guard let status = try await dependencies.logs.status(of: RunID(id)),
            !status.stored.isEmpty || status.run.startedAt != nil
        else {
            return .response(
                HTTPResponse(
                    status: 404, headers: ["Content-Type": "text/html"],
                    body: .bytes(Array("(No log file found.)\n".utf8))))
        }
        return .response(stream(id, context, type: "text/plain; charset=utf-8", file: "Cronicle-Job-Log-\(id).txt"))
    }

    private func ended(_ id: String) async throws -> RunRecords.Record? {
        let record = try await dependencies.runs.record(RunID(id))
        return record.flatMap { $0.run.state.isTerminal ? $0 : nil }
    }

    private func liveLog(_ context: CallContext) async throws -> Call.Answer {
        try Validation.require(context.values, [("id", Validation.isWord), ("t", Validation.isAnything)])
        let id = context.values["id"]?.scriptText ?? ""
        try check(context.values["t"]?.scriptText ?? "", id)
        guard let record = try await dependencies.runs.record(RunID(id)), !record.run.state.isTerminal else {
            throw CronicleFailure(
                "job",
                "Failed to fetch job log: Error: ENOENT: no such file or directory, stat 'logs/jobs/\(id).log'")
        }
        return .response(stream(id, context, type: "text/plain", file: "Cronicle-Partial-Job-Log-\(id).txt"))
    }

    private func stream(_ id: String, _ context: CallContext, type: String, file: String) -> HTTPResponse {
        let logs = dependencies.logs
        var response = HTTPResponse(
            status: 200, headers: ["Content-Type": type, "X-Content-Type-Options": "nosniff"],
            body: .stream(
                HTTPBodyStream { sink in
                    try await logs.read(RunLogQuery(run: RunID(id))) { chunk in
                        if !chunk.bytes.isEmpty { try await sink.write(chunk.bytes) }
                    }
                }))
        if context.isTrue("download") { response.headers["Content-Disposition"] = "attachment; filename=\(file)" }
        return response
    }

    private func watchToken(_ context: CallContext) async throws -> JSONObject {
        try Validation.require(context.values, [("id", Validation.isWord)])
        let principal = try await context.authenticate()
        let id = context.values["id"]?.scriptText ?? ""
        guard let record = try await dependencies.runs.record(RunID(id)), !record.run.state.isTerminal else {
            throw CronicleFailure("job", "Failed to locate job for log watch auth: \(id)")
        }
        try EventAccess(principal, try await dependencies.events.catalogue()).require(record.definition)
        return ["token": .string(dependencies.tokens.token(for: id, now: dependencies.clock.now()))]
    }

    private func check(_ token: String, _ id: String) throws(CronicleFailure) {
        guard dependencies.tokens.isValid(token, for: id, now: dependencies.clock.now()) else {
            throw CronicleFailure("auth", "Authentication failed.")
        }
    }
}
