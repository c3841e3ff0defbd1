import Coordination
import Domain
import HTTP
import JSON
import Runtime

/// `/ping`, `/health`, `/health/leader`: for probes and load balancers, without a key, from every node.
struct HealthRoutes: Sendable {
    let node: NodeDescription
    let view: @Sendable () -> LeadershipView
    let status: @Sendable () -> LeaderStatus
    let timekeeper: any Timekeeper
    let zones: String

    /// The elector looks at the database several times a second; when it has not for so long, the database is away.
    static let databaseSilence = Duration.seconds(3)

    func register(on router: inout HTTPRouter) {
        let open = RouteMetadata(audience: .anyNode, needsKey: false, tag: "health")
        router.on(.get, "/ping", metadata: open) { _ in
            var response = HTTPResponse.text("pong\n")
            response.headers["Cache-Control"] = "no-cache, no-store"
            return response
        }
        router.on(.get, "/health", metadata: open) { _ in .json(report()) }
        router.on(.get, "/health/leader", metadata: open) { _ in
            .json(report(), status: view().role == .leader && status().term != nil ? 200 : 503)
        }
    }

    private func report() -> JSONValue {
        let view = view()
        let status = status()
        let silence = view.seen.map { $0.duration(to: timekeeper.monotonicNow) }
        let reachable = silence.map { $0 < Self.databaseSilence } ?? false
        var object: JSONObject = [
            "status": "ok", "node": .string(node.name), "version": .string(node.version),
            "role": .string(view.role.rawValue), "database": reachable ? "ok" : "unreachable",
        ]
        if let silence { object["database_seen_ms"] = .integer(silence.milliseconds) }
        if let leader = view.leader {
            object["epoch"] = .integer(leader.term.epoch)
            object["leader"] = view.isHeld && !leader.resigned ? .string(leader.url) : .null
        }
        if let term = status.term {
            object["epoch"] = .integer(term.epoch)
            object["lag_ms"] = .integer(status.lag.milliseconds)
            object["active_runs"] = .integer(Int64(status.activeRuns))
            object["live_workers"] = .integer(Int64(status.liveWorkers))
            object["turns"] = .integer(Int64(clamping: status.turns))
        }
        object["tzdata"] = .string(zones)
        return .object(object)
    }
}

extension Duration {
    var milliseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds.multipliedReportingOverflow(by: 1_000).partialValue + attoseconds / 1_000_000_000_000_000
    }
}
