import Coordination
import Domain
import HTTP
import JSON
import Runtime
import Storage
import Timetable

/// `GET /carillon/v1/status`: the whole cluster at a glance, from the leader.
struct StatusRoute: Sendable {
    let node: NodeDescription
    let leader: Leader
    let stores: Stores
    let clock: any WallClock
    let log: Log

    func register(on router: inout HTTPRouter) {
        let atLeader = RouteMetadata(audience: .leader, isForLimited: true, tag: "management")
        router.on(.get, ManagementRoutes.prefix + "/status", metadata: atLeader) { _ in
            await ManagementAnswers(log: log).json { try await status() }
        }
    }

    private func status() async throws -> JSONValue {
        let status = leader.status
        let now = clock.now()
        let states = await leader.runsByState()
        var runs = JSONObject()
        for state in RunState.allCases where !state.isTerminal {
            runs[state.rawValue] = .integer(Int64(states[state] ?? 0))
        }
        var workers: JSONObject = ["up": 0, "draining": 0, "silent": 0]
        for worker in await leader.workers() {
            workers[worker.stateWord] = .integer((workers[worker.stateWord]?.int64Value ?? 0) + 1)
        }
        let outbox = try await stores.outbox.depth()
        let nodes = try await stores.nodes.list().map { entry -> JSONValue in
            [
                "name": .string(entry.node.name), "url": .string(entry.node.url),
                "version": .string(entry.node.version), "seen": .string(entry.seen.iso8601),
                "leads": .bool(entry.node.name == node.name), "reaches_workers": .bool(entry.reachesWorkers),
            ]
        }
        return [
            "leader": .string(node.name), "leader_url": .string(node.url),
            "epoch": .integer(status.term?.epoch ?? 0),
            "elected": ManagementRoutes.instant(try await stores.leader.read().elected),
            "now": .string(now.iso8601), "lag_ms": .integer(status.lag.milliseconds),
            "scheduling": .bool(try await stores.catalogue.isSchedulingEnabled()),
            "jobs": .integer(try await stores.jobs.count()), "runs": .object(runs), "workers": .object(workers),
            "outbox": ["waiting": .integer(outbox.waiting), "buried": .integer(outbox.buried)],
            "nodes": .array(nodes),
        ]
    }
}
