import Domain
import HTTP
import JSON
import Operations
import Timetable

/// `job/{name}/history` and `job/{name}/next`, which Chronos does not have: what a job did and when it is due.
struct HistoryResource: Resource {
    static let defaultPage = 50
    static let defaultOccurrences = 20

    let jobs: JobOperations
    let zones: any ZoneDatabase

    func register(on router: inout HTTPRouter, below tree: String) {
        router.on(.get, "\(tree)/job/{name}/history", metadata: leaderOnly, handler: handler(history))
        router.on(.get, "\(tree)/job/{name}/next", metadata: leaderOnly, handler: handler(next))
    }

    // MARK: Past

    private func history(_ request: HTTPRequest, _ principal: Principal) async throws(DomainError) -> HTTPResponse {
        var position: HistoryPosition?
        if let text = request.queryItem("before") {
            position = Self.position(text)
            guard position != nil else {
                throw .invalid("before must be what a page of history gave as next, not \(quoted(text))")
            }
        }
        let page = try await jobs.history(
            principal, name: request.parameter("name"), before: position,
            limit: try request.number("limit", or: Self.defaultPage))
        let isData = ChronosFields(text: page.job.definition.dialectFields).dataProcessingJobType
        return .json([
            "job": .string(page.job.definition.name), "runs": .array(page.runs.map { Self.json($0, isData) }),
            "next": page.next.map { .string(Self.text($0)) } ?? .null,
        ])
    }

    private static func text(_ position: HistoryPosition) -> String {
        "\(position.finishedAt.microseconds)-\(position.run.rawValue)"
    }

    private static func position(_ text: String) -> HistoryPosition? {
        let parts = text.split(separator: "-", maxSplits: 1)
        guard parts.count == 2, let instant = Int64(parts[0]), !parts[1].utf8.contains(0) else { return nil }
        return HistoryPosition(finishedAt: Instant(microseconds: instant), run: RunID(String(parts[1])))
    }

    /// The last try's figures are the run's; each try stands below it with its own.
    private static func json(_ view: RunView, _ isData: Bool) -> JSONValue {
        let run = view.run
        let last = run.state.isTerminal ? view.attempts.last : nil
        var object: JSONObject = [
            "run": .string(run.id.rawValue), "taskId": .string(view.taskID(attempt: run.attempt)),
            "cause": .string(word(for: run.cause)), "state": .string(run.state.rawValue),
            "attempt": .integer(Int64(run.attempt)), "worker": run.worker.isEmpty ? .null : .string(run.worker),
            "due": .string(run.due.iso8601), "started": text(run.startedAt), "finished": text(run.finishedAt),
            "exitStatus": number(last?.exitCode), "signal": number(last?.signal), "reason": .string(run.reason),
        ]
        if isData { object["numElementsProcessed"] = .integer(view.progress.values.reduce(0, saturatingSum)) }
        object["attempts"] = .array(view.attempts.map { json($0, view) })
        object["log"] = .string(logLink(of: run))
        return .object(object)
    }

    private static func json(_ record: AttemptRecord, _ view: RunView) -> JSONValue {
        [
            "number": .integer(Int64(record.attempt.number)),
            "taskId": .string(view.taskID(attempt: record.attempt.number)), "state": .string(record.state.rawValue),
            "worker": record.worker.isEmpty ? .null : .string(record.worker), "started": text(record.startedAt),
            "finished": .string(record.finishedAt.iso8601), "exitStatus": number(record.exitCode),
            "signal": number(record.signal), "reason": .string(record.reason),
        ]
    }

    /// Where the run's output is, at every node.
    private static func logLink(of run: Run) -> String { "/carillon/v1/runs/\(run.id)/log" }

    private static func word(for cause: Cause) -> String {
        switch cause {
        case .schedule: "schedule"
        case .manual: "manual"
        case .parents: "parents"
        case .chain: "chain"
        }
    }

    private static func saturatingSum(_ left: Int64, _ right: Int64) -> Int64 {
        let (sum, overflow) = left.addingReportingOverflow(right)
        return overflow ? .max : sum
    }

    private static func text(_ instant: Instant?) -> JSONValue { instant.map { .string($0.iso8601) } ?? .null }

    private static func number(_ value: Int?) -> JSONValue { value.map { .integer(Int64($0)) } ?? .null }

    // MARK: Future

    private func next(_ request: HTTPRequest, _ principal: Principal) async throws(DomainError) -> HTTPResponse {
        let (job, due) = try await jobs.next(
            principal, name: request.parameter("name"), count: try request.number("n", or: Self.defaultOccurrences))
        var zone = ""
        if case .schedule(let text) = job.definition.trigger { zone = text.zone }
        return .json([
            "job": .string(job.definition.name),
            "schedule": .string(ChronosJobCoding.shownSchedule(of: job, zones: zones)?.text ?? ""),
            "scheduleTimeZone": .string(zone), "disabled": .bool(!job.isEnabled),
            "next": .array(due.map { .string($0.iso8601) }),
        ])
    }
}
