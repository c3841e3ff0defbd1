import Coordination
import Domain
import HTTP
import JSON
import Operations
import Runtime
import Storage
import Timetable

/// What people ask and do about one job, whatever dialect it was made in (shapes:
/// CommandLineTool/Client/ManagementShapes.swift).
struct JobRoutes: Sendable {
    let leader: Leader
    let stores: Stores
    let operations: JobOperations
    let zones: any ZoneDatabase
    let clock: any WallClock
    let log: Log

    static let path = ManagementRoutes.prefix + "/jobs/{name}"
    static let duesLimit = 1_000
    /// Verdicts that an explanation looks back at.
    static let latestVerdicts = 5
    /// Runs that an explanation names.
    static let explainedRuns = 20

    func register(on router: inout HTTPRouter) {
        let atLeader = RouteMetadata(audience: .leader, isForLimited: true, tag: "management")
        let anywhere = RouteMetadata(audience: .anyNode, isForLimited: true, tag: "management")
        let answers = ManagementAnswers(log: log)
        router.on(.get, Self.path + "/next", metadata: anywhere) { request in
            await answers.json { try await next(try await visible(Self.name(request)), request) }
        }
        router.on(.get, Self.path + "/explanation", metadata: atLeader) { request in
            await answers.json { try await explanation(try await visible(Self.name(request))) }
        }
        for (action, isEnabled) in [("enable", true), ("disable", false)] {
            router.on(.post, Self.path + "/\(action)", metadata: atLeader) { request in
                await answers.json { try await setEnabled(Self.name(request), isEnabled) }
            }
        }
        router.on(.post, Self.path + "/run", metadata: atLeader) { request in
            await answers.json { try await run(request) }
        }
    }

    /// - Throws: `.forbidden` for a job that the caller may not see.
    private func visible(_ name: String) async throws -> Job {
        let job = try await stores.job(name)
        try await LimitedAccess(stores: stores).require(job)
        return job
    }

    private static func name(_ request: HTTPRequest) -> String { request.pathParameters["name"] ?? "" }

    // MARK: Looking ahead

    private func next(_ job: Job, _ request: HTTPRequest) async throws -> JSONValue {
        var count = 5
        if let text = request.queryItem("count") {
            guard let number = Int(text), (1...Self.duesLimit).contains(number) else {
                throw DomainError.invalid("count must be a number from 1 to \(Self.duesLimit)")
            }
            count = number
        }
        return try shape(job, dues: count)
    }

    private func shape(_ job: Job, dues count: Int) throws -> JSONValue {
        var object: JSONObject = [
            "job": .string(job.definition.name), "id": .string(job.id.rawValue), "enabled": .bool(job.isEnabled),
            "reason": .string(job.disabledReason),
        ]
        var dues: [Instant] = []
        switch job.definition.trigger {
        case .schedule(let text):
            object["schedule"] = .string(text.text)
            object["zone"] = .string(text.zone)
            let schedule: Schedule
            do { schedule = try text.schedule(zones: zones) } catch { throw DomainError.invalid(error.message) }
            dues = schedule.dues(after: clock.now(), count: count)
        case .parents(let names): object["parents"] = .array(names.sorted().map { .string($0) })
        case .manual: break
        }
        object["due"] = .array(dues.map { .string($0.iso8601) })
        return .object(object)
    }

    // MARK: Explaining

    /// Why it runs when it runs, and what keeps it from it, in sentences.
    private func explanation(_ job: Job) async throws -> JSONValue {
        var lines: [String] = []
        let now = clock.now()
        let catalogue = try await stores.catalogue.catalogue()
        if !job.isEnabled {
            let why = job.disabledReason.isEmpty ? "by request" : "by Carillon: \(job.disabledReason)"
            lines.append("It is disabled, \(why). Its schedule launches nothing until it is enabled.")
        }
        if !catalogue.isSchedulingEnabled {
            lines.append("The scheduler is switched off: no job is launched by its schedule.")
        }
        lines += Self.obstacles(job.definition, catalogue)
        lines += try await trigger(job, now: now)
        // Those that have not ended come first.
        let recent = try await stores.runs.recent(jobName: job.definition.name, limit: Self.explainedRuns)
        let active = recent.filter { !$0.state.isTerminal }
        for run in active {
            let why = await leader.explanation(of: run.id) ?? ""
            let place = run.worker.isEmpty ? "" : " on worker \(run.worker)"
            lines.append("Run \(run.id) is \(run.state.rawValue)\(place)\(why.isEmpty ? "." : ": \(why).")")
        }
        if active.isEmpty { lines.append("No run of it is active.") }
        let ledger = try await stores.ledger.entries(
            dueFrom: now.advanced(by: .seconds(-86_400)), to: now, jobName: job.definition.name,
            limit: ManagementRoutes.ledgerLimit)
        for entry in ledger.suffix(Self.latestVerdicts) where entry.verdict != .launched {
            let count = entry.count == 1 ? "The occurrence" : "\(entry.count) occurrences, the last one"
            let why = entry.reason.isEmpty ? "" : ": \(entry.reason)"
            lines.append("\(count) due at \(entry.lastDue.iso8601), \(entry.verdict.rawValue)\(why).")
        }
        if let last = recent.first(where: { $0.state.isTerminal }) {
            let why = last.reason.isEmpty ? "" : ": \(last.reason)"
            let end = last.finishedAt.map { " at \($0.iso8601)" } ?? ""
            lines.append("Its latest run \(last.id) \(last.state.sentence)\(end)\(why).")
        }
        guard case .object(var object) = try shape(job, dues: 1) else { return .null }
        object["lines"] = .array(lines.map { .string($0) })
        return .object(object)
    }

    private static func obstacles(_ definition: JobDefinition, _ catalogue: Catalogue) -> [String] {
        var lines: [String] = []
        let category = definition.category.isEmpty ? "general" : definition.category
        if let found = catalogue.categories[category] {
            if !found.isEnabled { lines.append("Its category '\(category)' is disabled.") }
        } else if !definition.category.isEmpty {
            lines.append("Its category '\(category)' does not exist: it can never run.")
        }
        if !definition.plugin.isEmpty {
            if let plugin = catalogue.plugins[definition.plugin] {
                if !plugin.isEnabled { lines.append("Its plugin '\(definition.plugin)' is disabled.") }
            } else {
                lines.append("Its plugin '\(definition.plugin)' does not exist: it can never run.")
            }
        }
        return lines
    }

    private func trigger(_ job: Job, now: Instant) async throws -> [String] {
        switch job.definition.trigger {
        case .manual: return ["It has no schedule: it runs when somebody asks for it."]
        case .schedule:
            guard job.isEnabled else { return [] }
            guard let next = job.next else { return ["Its schedule is exhausted: it has no further occurrence."] }
            return ["It is due next at \(next.due.iso8601)."]
        case .parents(let names):
            let edges = try await stores.jobs.edges().filter { $0.child == job.id }
            var waiting: [String] = []
            for edge in edges where !edge.isSatisfied {
                waiting.append(try await stores.jobs.job(edge.parent)?.definition.name ?? edge.parent.rawValue)
            }
            let all = names.sorted().joined(separator: ", ")
            guard !waiting.isEmpty else { return ["It runs after \(all), all of which have succeeded."] }
            return [
                "It runs when each of \(all) has succeeded since it last started; it waits for "
                    + waiting.sorted().joined(separator: ", ") + "."
            ]
        }
    }

    // MARK: Doing

    private func setEnabled(_ name: String, _ isEnabled: Bool) async throws -> JSONValue {
        let principal = try ManagementAnswers.principal()
        let name = try await visible(name).definition.name
        let limits = try await LimitedAccess(stores: stores).limits()
        let job = try await operations.put(principal, name: name, where: .exists) { existing throws(DomainError) in
            guard let existing else { throw .notFound("job '\(name)' not found") }
            // Somebody may have changed it meanwhile.
            try limits?.require(existing.definition)
            var draft = JobDraft(definition: existing.definition, isEnabled: isEnabled)
            draft.keepsCounters = true
            return draft
        }
        return try shape(job, dues: 1)
    }

    private func run(_ request: HTTPRequest) async throws -> JSONValue {
        let principal = try ManagementAnswers.principal()
        let job = try await visible(Self.name(request))
        var arguments = ""
        if !request.body.isEmpty {
            let body: JSONValue
            do { body = try JSONValue(parsing: request.body) } catch {
                throw DomainError.invalid("the body is not JSON: \(error.message)")
            }
            guard body["arguments"] == nil || body["arguments"]?.stringValue != nil else {
                throw DomainError.invalid("\"arguments\" must be a text")
            }
            arguments = body["arguments"]?.stringValue ?? ""
        }
        let run = try await operations.run(principal, name: job.definition.name, arguments: arguments)
        return ["job": .string(job.definition.name), "run": run.map { .string($0.rawValue) } ?? .null]
    }
}

extension RunState {
    /// As the end of a sentence about a run.
    fileprivate var sentence: String {
        switch self {
        case .queued, .offered, .waiting: "waits"
        case .started: "runs"
        case .succeeded: "succeeded"
        case .failed: "failed"
        case .aborted: "was aborted"
        case .lost: "was lost"
        case .missed: "was missed"
        }
    }
}
