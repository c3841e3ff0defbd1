import Coordination
import Domain
import HTTP
import JSON
import Operations
import Runtime
import Storage
import Timetable

/// What belongs to no dialect: workers, runs, ledger (shapes: CommandLineTool/Client/ManagementShapes.swift).
struct ManagementRoutes: Sendable {
    let leader: Leader
    let stores: Stores
    let clock: any WallClock
    let log: Log

    static let prefix = "/carillon/v1"
    static let runLimit = 1_000
    static let ledgerLimit = 10_000

    func register(on router: inout HTTPRouter) {
        let atLeader = RouteMetadata(audience: .leader, isForLimited: true, tag: "management")
        let anywhere = RouteMetadata(audience: .anyNode, isForLimited: true, tag: "management")
        router.on(.get, Self.prefix + "/workers", metadata: atLeader) { _ in
            .json(["workers": .array(await leader.workers().map { workerShape($0) })])
        }
        for (action, isDrained) in [("drain", true), ("resume", false)] {
            router.on(.post, Self.prefix + "/workers/{name}/\(action)", metadata: atLeader) { request in
                await answering { try await drain(request.pathParameters["name"] ?? "", isDrained) }
            }
        }
        router.on(.get, Self.prefix + "/runs", metadata: anywhere) { request in
            await answering { try await runs(request) }
        }
        router.on(.get, Self.prefix + "/runs/{id}", metadata: anywhere) { request in
            await answering { try await run(RunID(request.pathParameters["id"] ?? "")) }
        }
        router.on(.get, Self.prefix + "/runs/{id}/explanation", metadata: atLeader) { request in
            await answering { try await run(RunID(request.pathParameters["id"] ?? "")) }
        }
        router.on(.post, Self.prefix + "/runs/{id}/abort", metadata: atLeader) { request in
            await answering { try await abort(RunID(request.pathParameters["id"] ?? "")) }
        }
        let ofAllJobs = RouteMetadata(audience: .anyNode, tag: "management")
        router.on(.get, Self.prefix + "/ledger", metadata: ofAllJobs) { request in
            await answering { try await ledger(request) }
        }
    }

    private var access: LimitedAccess { LimitedAccess(stores: stores) }

    private func answering(_ body: () async throws -> JSONValue) async -> HTTPResponse {
        await ManagementAnswers(log: log).json(body)
    }

    // MARK: Workers

    private func drain(_ name: String, _ isDrained: Bool) async throws -> JSONValue {
        try ManagementAnswers.principal().require(.admin)
        _ = try await leader.submit(.drainWorker(name: name, isDrained: isDrained))
        guard let worker = await leader.workers().first(where: { $0.worker.description.name == name }) else {
            throw DomainError.notFound("worker '\(name)' not found")
        }
        return workerShape(worker)
    }

    private func workerShape(_ overview: WorkerOverview) -> JSONValue {
        let worker = overview.worker.description
        let attributes = worker.attributes.sorted { $0.key < $1.key }.map { ($0.key, JSONValue.string($0.value)) }
        var attributeObject = JSONObject()
        for (key, value) in attributes { attributeObject[key] = value }
        return [
            "name": .string(worker.name), "url": .string(worker.url), "state": .string(overview.stateWord),
            "cpus": .number(worker.capacity.cpus), "memory_mb": .number(worker.capacity.memory),
            "disk_mb": .number(worker.capacity.disk), "used_cpus": .number(overview.used.cpus),
            "used_memory_mb": .number(overview.used.memory), "used_disk_mb": .number(overview.used.disk),
            "running": .integer(Int64(overview.runs)), "attributes": .object(attributeObject),
            "version": .string(worker.version), "registered": .string(overview.worker.registered.iso8601),
            "last_seen": .string(clock.now().advanced(by: .zero - overview.silence).iso8601),
        ]
    }

    // MARK: Runs

    private func runs(_ request: HTTPRequest) async throws -> JSONValue {
        var limit = 50
        if let text = request.queryItem("limit") {
            guard let number = Int(text), (1...Self.runLimit).contains(number) else {
                throw DomainError.invalid("limit must be a number from 1 to \(Self.runLimit)")
            }
            limit = number
        }
        let recent = try await stores.runs.recent(jobName: request.queryItem("job"), limit: limit)
        let runs = try await access.visible(recent)
        return ["runs": .array(runs.map { .object(runShape($0)) })]
    }

    private func run(_ id: RunID) async throws -> JSONValue {
        guard let run = try await stores.runs.run(id) else { throw DomainError.notFound("run '\(id)' not found") }
        try await access.require(run)
        var object = runShape(run)
        if !run.state.isTerminal, let explanation = await leader.explanation(of: id), !explanation.isEmpty {
            object["reason"] = .string(explanation)
        }
        object["attempts"] = .array(try await stores.runs.attempts(of: id).map { attemptShape($0) })
        return .object(object)
    }

    private func abort(_ id: RunID) async throws -> JSONValue {
        let principal = try ManagementAnswers.principal()
        try principal.require(.abortEvents)
        if let run = try await stores.runs.run(id) { try await access.require(run) }
        _ = try await leader.submit(.abortRun(id, reason: "aborted by '\(principal.name)'"))
        return try await run(id)
    }

    func runShape(_ run: Run) -> JSONObject {
        let cause =
            switch run.cause {
            case .schedule: "schedule"
            case .manual: "manual"
            case .parents: "parents"
            case .chain: "chain"
            }
        return [
            "id": .string(run.id.rawValue), "job": .string(run.jobName), "state": .string(run.state.rawValue),
            "cause": .string(cause), "lane": .integer(Int64(run.lane)), "attempt": .integer(Int64(run.attempt)),
            "worker": run.worker.isEmpty ? .null : .string(run.worker), "due": .string(run.due.iso8601),
            "started": Self.instant(run.startedAt), "finished": Self.instant(run.finishedAt),
            "reason": .string(run.reason),
        ]
    }

    private func attemptShape(_ record: AttemptRecord) -> JSONValue {
        [
            "number": .integer(Int64(record.attempt.number)), "state": .string(record.state.rawValue),
            "worker": .string(record.worker), "started": Self.instant(record.startedAt),
            "finished": .string(record.finishedAt.iso8601),
            "exit_code": record.exitCode.map { .integer(Int64($0)) } ?? .null,
            "signal": record.signal.map { .integer(Int64($0)) } ?? .null, "reason": .string(record.reason),
            "output_tail": .string(record.outputTail), "cpu": Self.usage(record.details?.cpu),
            "mem": Self.usage(record.details?.memory),
            "log_bytes": .integer(record.details?.logBytes ?? 0),
            "survivors": .integer(Int64(record.details?.survivors ?? 0)),
        ]
    }

    /// As in Cronicle's jobs. Tries that were too short to be looked at have none.
    private static func usage(_ usage: UsageStatistics?) -> JSONValue {
        guard let usage else { return .null }
        return [
            "min": .number(usage.minimum), "max": .number(usage.maximum), "total": .number(usage.total),
            "count": .integer(usage.count), "current": .number(usage.current),
        ]
    }

    static func instant(_ value: Instant?) -> JSONValue { value.map { .string($0.iso8601) } ?? .null }

    // MARK: Ledger

    private func ledger(_ request: HTTPRequest) async throws -> JSONValue {
        let now = clock.now()
        let to = try Self.instant(request, "to") ?? now
        let from = try Self.instant(request, "from") ?? to.advanced(by: .seconds(-3_600))
        let entries = try await stores.ledger.entries(
            dueFrom: from, to: to, jobName: request.queryItem("job"), limit: Self.ledgerLimit)
        return [
            "from": .string(from.iso8601), "to": .string(to.iso8601),
            "entries": .array(entries.map { entryShape($0) }), "truncated": .bool(entries.count == Self.ledgerLimit),
        ]
    }

    private func entryShape(_ entry: LedgerEntry) -> JSONValue {
        [
            "job": .string(entry.jobName), "verdict": .string(entry.verdict.rawValue), "count": .integer(entry.count),
            "first_due": .string(entry.firstDue.iso8601), "last_due": .string(entry.lastDue.iso8601),
            "first_index": .integer(entry.firstIndex), "last_index": .integer(entry.lastIndex),
            "run": entry.run.map { .string($0.rawValue) } ?? .null, "reason": .string(entry.reason),
            "recorded": .string(entry.recorded.iso8601),
        ]
    }

    private static func instant(_ request: HTTPRequest, _ name: String) throws -> Instant? {
        guard let text = request.queryItem(name) else { return nil }
        guard let instant = Instant(iso8601: text) else {
            throw DomainError.invalid("\(name) must be an instant such as 2026-11-21T22:11:41Z")
        }
        return instant
    }
}
