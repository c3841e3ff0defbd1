import Coordination
import Domain
import HTTP
import JSON
import Operations
import Runtime
import Storage
import Timetable

/// Reading and applying configuration (shapes: CommandLineTool/Client/ManagementShapes.swift).
struct ConfigurationRoutes: Sendable {
    let leader: Leader
    let stores: Stores
    let zones: any ZoneDatabase
    let clock: any WallClock
    let log: Log

    static let path = ManagementRoutes.prefix + "/configuration"
    /// Bytes of a request: more than others may have.
    static let bodyLimit = 16 << 20
    static let page = 1_000
    /// Changes that one transaction takes.
    static let changesLimit = 10_000

    func register(on router: inout HTTPRouter) {
        let atLeader = RouteMetadata(audience: .leader, tag: "management")
        let anywhere = RouteMetadata(audience: .anyNode, tag: "management")
        let answers = ManagementAnswers(log: log)
        router.on(.get, Self.path + "/catalogue", metadata: anywhere) { _ in
            await answers.json { try await catalogue() }
        }
        router.on(.get, Self.path + "/jobs", metadata: anywhere) { request in
            await answers.json {
                let jobs = try await stores.jobs.page(after: request.queryItem("after"), limit: Self.page)
                return ["jobs": .array(jobs.map { .object(ConfigurationDocument.encode($0)) })]
            }
        }
        router.on(.get, Self.path + "/jobs/{name}", metadata: anywhere) { request in
            await answers.json {
                .object(ConfigurationDocument.encode(try await stores.job(request.pathParameters["name"] ?? "")))
            }
        }
        router.on(.post, Self.path, metadata: atLeader) { request in
            await answers.json { try await apply(request) }
        }
    }

    private func catalogue() async throws -> JSONValue {
        let items = try await stores.catalogue.catalogue().all
        func shapes(_ kind: CatalogueItem.Kind) -> JSONValue {
            .array(items.filter { $0.kind == kind }.map { .object(ConfigurationDocument.encode($0)) })
        }
        return ["categories": shapes(.category), "groups": shapes(.group), "plugins": shapes(.plugin)]
    }

    // MARK: Applying

    private func apply(_ request: HTTPRequest) async throws -> JSONValue {
        let principal = try ManagementAnswers.principal()
        try principal.require(.admin)
        let (wanted, plansOnly) = try Self.wanted(request.body)
        let plan = try ConfigurationPlan(
            from: try await present(for: wanted), to: wanted, principal: principal, now: clock.now(), zones: zones)
        guard plan.changes.count <= Self.changesLimit else {
            throw DomainError.invalid(
                "\(plan.changes.count) changes are more than the \(Self.changesLimit) that one transaction takes")
        }
        if !plansOnly, !plan.commands.isEmpty {
            // Each command names the version that the plan was made from: if it has changed since, nothing is done.
            do { _ = try await leader.submit(.all(plan.commands)) } catch {
                guard error.code == .conflict else { throw error }
                throw DomainError(.conflict, "nothing was changed: \(error.message). Look at the plan again")
            }
            log.notice("'\(principal.name)' applied a configuration: \(plan.changes.count) changes")
        }
        return Self.shape(plan, isApplied: !plansOnly)
    }

    /// Page by page: a cluster may have more jobs than fit into memory, and files speak of few of them.
    private func present(for wanted: WantedConfiguration) async throws -> PresentConfiguration {
        var present = PresentConfiguration()
        present.catalogue = try await stores.catalogue.catalogue()
        let names = Set(wanted.jobs.map(\.definition.name))
        let ids = Set(wanted.jobs.compactMap(\.id))
        var last: String?
        while true {
            let page = try await stores.jobs.page(after: last, limit: Self.page)
            for job in page {
                let isMeant = names.contains(job.definition.name) || ids.contains(job.id)
                if isMeant || wanted.prunes { present.jobs.append(job) }
                if !isMeant { present.otherJobs += 1 }
            }
            guard present.jobs.count <= wanted.jobs.count * 2 + Self.changesLimit else {
                throw DomainError.invalid("more than \(Self.changesLimit) jobs would be removed: that is refused")
            }
            guard page.count == Self.page else { return present }
            last = page.last?.definition.name
        }
    }

    private static func wanted(_ body: [UInt8]) throws(DomainError) -> (WantedConfiguration, plansOnly: Bool) {
        let value: JSONValue
        do {
            value = try JSONValue(parsing: body, limits: JSONLimits(depth: 64, bytes: bodyLimit, values: 4_000_000))
        } catch {
            throw .invalid("the body is not JSON: \(error.message)")
        }
        var wanted = WantedConfiguration()
        for value in value["jobs"]?.arrayValue ?? [] { wanted.jobs.append(try ConfigurationDocument.job(value)) }
        for (key, kind) in [("categories", CatalogueItem.Kind.category), ("groups", .group), ("plugins", .plugin)] {
            for value in value[key]?.arrayValue ?? [] {
                wanted.items.append(try ConfigurationDocument.item(kind, value))
            }
        }
        wanted.prunes = value["delete"]?.boolValue ?? false
        return (wanted, value["plan"]?.boolValue ?? false)
    }

    private static func shape(_ plan: ConfigurationPlan, isApplied: Bool) -> JSONValue {
        let changes = plan.changes.map { change -> JSONValue in
            [
                "action": .string(change.action.rawValue), "kind": .string(change.kind), "name": .string(change.name),
                "members": .array(change.members.map { .string($0) }),
                "due_before": .array(change.before.map { .string($0.iso8601) }),
                "due_after": .array(change.after.map { .string($0.iso8601) }),
            ]
        }
        return [
            "applied": .bool(isApplied), "changes": .array(changes), "unchanged": .integer(Int64(plan.unchanged)),
            "others": .integer(Int64(plan.others)),
        ]
    }
}

/// What management routes have in common.
struct ManagementAnswers: Sendable {
    let log: Log

    func json(_ body: () async throws -> JSONValue) async -> HTTPResponse {
        do {
            return .json(try await body())
        } catch let error as DomainError {
            return RequestPipeline.errorResponse(error, path: ManagementRoutes.prefix)
        } catch let error as StoreError {
            return RequestPipeline.errorResponse(DomainError(store: error), path: ManagementRoutes.prefix)
        } catch {
            log.error("a management request failed: \(error)")
            return ErrorBody.response(status: 500, message: "the node could not answer; its log says why")
        }
    }

    static func principal() throws(DomainError) -> Principal {
        guard let principal = RequestContext.principal else {
            throw DomainError(.unauthenticated, "this request needs an API key")
        }
        return principal
    }
}

extension Stores {
    /// The job of that name, or else with that identifier.
    func job(_ name: String) async throws -> Job {
        guard !name.utf8.contains(0), name.utf8.count <= Limits.jobName else {
            throw DomainError.notFound("job '\(name.prefix(40))' not found")
        }
        if let job = try await jobs.job(named: name) { return job }
        guard let job = try await jobs.job(JobID(name)) else { throw DomainError.notFound("job '\(name)' not found") }
        return job
    }
}
