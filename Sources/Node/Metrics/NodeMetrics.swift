import Coordination
import Domain
import HTTP
import PostgresClient
import Runtime
import Storage
import Synchronization

/// `/metrics/prometheus` of a node: for Prometheus, without a key, from every node. No series names a job, so that
/// their number does not grow, and whoever has no key learns of none.
struct NodeMetrics: Sendable {
    static let path = "/metrics/prometheus"

    let node: NodeDescription
    let leader: Leader
    let elector: Elector
    let outbox: OutboxStore
    let pools: [(name: String, pool: PostgresPool)]
    let timekeeper: any Timekeeper
    /// Nil: this node serves HTTP.
    var tls: ClusterTLS?

    func register(on router: inout HTTPRouter) {
        let open = RouteMetadata(audience: .anyNode, needsKey: false, tag: "health")
        router.on(.get, Self.path, metadata: open) { _ in .metrics(await page()) }
    }

    private func page() async -> MetricsPage {
        var page = MetricsPage()
        page.add(
            "carillon_build_info", .gauge, "Version and name of this node.",
            [.init([("version", node.version), ("node", node.name)], 1)])
        election(&page)
        await work(&page)
        counted(&page)
        await database(&page)
        Self.certificate(tls, &page)
        page.add(ProcessFigures.now())
        return page
    }

    /// Of a node's or a worker's server; left out where it has none.
    static func certificate(_ tls: ClusterTLS?, _ page: inout MetricsPage) {
        guard let end = tls?.server?.facts.notAfterSeconds else { return }
        page.add(
            "carillon_certificate_expiry_timestamp_seconds", .gauge,
            "When the certificate ends that this server shows, in seconds since 1970.", Double(end))
    }

    private func election(_ page: inout MetricsPage) {
        let view = elector.view
        let leads = view.role == .leader && leader.status.term != nil
        page.add("carillon_leader", .gauge, "1 while this node leads.", leads ? 1 : 0)
        if let epoch = view.term?.epoch ?? view.leader?.term.epoch {
            page.add("carillon_epoch", .gauge, "Number of the latest office that this node knows of.", Double(epoch))
        }
        page.add(
            "carillon_failovers_total", .counter,
            "Times that this node took office; the sum over all nodes counts the changes of leadership.",
            Double(elector.offices))
        if let seen = view.seen {
            page.add(
                "carillon_database_silence_seconds", .gauge, "Since the database last answered the election.",
                Self.seconds(seen.duration(to: timekeeper.monotonicNow)))
        }
    }

    /// What only the leader knows.
    private func work(_ page: inout MetricsPage) async {
        let status = leader.status
        guard status.term != nil else { return }
        page.add("carillon_turns_total", .counter, "Turns of this office.", Double(status.turns))
        page.add(
            "carillon_turn_lag_seconds", .gauge, "How late the latest turn decided what was due.",
            Self.seconds(status.lag))
        let runs = await leader.runsByState()
        page.add(
            "carillon_runs", .gauge, "Runs that have not ended, by state.",
            RunState.allCases.filter { !$0.isTerminal }.map {
                .init([("state", $0.rawValue)], Double(runs[$0] ?? 0))
            })
        page.add(
            "carillon_queue_depth", .gauge, "Runs that no worker has been given, those between two tries included.",
            Double((runs[.queued] ?? 0) + (runs[.waiting] ?? 0)))
        page.add("carillon_live_workers", .gauge, "Workers that are heard from.", Double(status.liveWorkers))
        var states = ["up": 0.0, "draining": 0, "silent": 0]
        for worker in await leader.workers() { states[worker.stateWord, default: 0] += 1 }
        page.add(
            "carillon_workers", .gauge, "Known workers, by state.",
            states.sorted { $0.key < $1.key }.map { .init([("state", $0.key)], $0.value) })
        // A database that is away must not keep the rest from being told.
        if let depth = try? await outbox.depth() {
            page.add(
                "carillon_outbox_messages", .gauge,
                "Mails and web hooks that wait to be sent, and those that were given up.",
                [
                    .init([("state", "waiting")], Double(depth.waiting)),
                    .init([("state", "buried")], Double(depth.buried)),
                ])
        }
    }

    private func counted(_ page: inout MetricsPage) {
        let figures = leader.figures
        page.add(
            "carillon_start_lateness_seconds", "From the due instant of scheduled runs to their claim.",
            figures.lateness)
        page.add(
            "carillon_dispatch_seconds", "From the offer of a due run to its claim by a worker.", figures.dispatch)
        page.add("carillon_run_duration_seconds", "From the start of a try to its end.", figures.duration)
        page.add("carillon_commit_seconds", "Transactions of the leader's turns.", figures.commit)
        page.add(
            "carillon_verdicts_total", .counter, "Due occurrences that were decided, by verdict.",
            Verdict.allCases.map { .init([("verdict", $0.rawValue)], Double(figures.verdicts[$0] ?? 0)) })
        let ends = RunState.allCases.filter(\.isTerminal)
        page.add(
            "carillon_runs_finished_total", .counter, "Runs that have ended, by state.",
            ends.map { .init([("state", $0.rawValue)], Double(figures.finished[$0] ?? 0)) })
        page.add(
            "carillon_attempts_finished_total", .counter, "Tries that have ended, by state.",
            ends.map { .init([("state", $0.rawValue)], Double(figures.attempts[$0] ?? 0)) })
    }

    private func database(_ page: inout MetricsPage) async {
        var connections: [MetricsPage.Sample] = []
        var requests: [MetricsPage.Sample] = []
        for (name, pool) in pools {
            let figures = await pool.figures
            connections.append(.init([("pool", name), ("state", "open")], Double(figures.open)))
            connections.append(.init([("pool", name), ("state", "wanted")], Double(figures.size)))
            requests.append(.init([("pool", name), ("state", "in_flight")], Double(figures.inFlight)))
            requests.append(.init([("pool", name), ("state", "waiting")], Double(figures.waiting)))
        }
        page.add(
            "carillon_database_connections", .gauge, "Connections of the pools: open, and as many as there should be.",
            connections)
        page.add("carillon_database_requests", .gauge, "Requests without an answer yet, by pool.", requests)
    }

    static func seconds(_ duration: Duration) -> Double {
        Double(duration.components.seconds) + Double(duration.components.attoseconds) / 1e18
    }
}

extension HTTPResponse {
    static func metrics(_ page: MetricsPage) -> HTTPResponse {
        HTTPResponse(
            status: 200, headers: ["Content-Type": MetricsPage.contentType, "Cache-Control": "no-store"],
            body: .bytes(Array(page.text.utf8)))
    }
}

extension WorkerOverview {
    /// As the management routes and the metrics call it.
    var stateWord: String { isLive ? (worker.isDrained ? "draining" : "up") : "silent" }
}
