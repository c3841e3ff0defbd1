import Domain
import Execution
import Runtime

/// `/metrics/prometheus` of a worker.
enum WorkerMetrics {
    static func page(_ figures: WorkerFigures, of worker: WorkerDescription, tls: ClusterTLS?) -> MetricsPage {
        var page = MetricsPage()
        page.add(
            "carillon_build_info", .gauge, "Version and name of this worker.",
            [.init([("version", worker.version), ("worker", worker.name)], 1)])
        page.add("carillon_epoch", .gauge, "Highest office heard of.", Double(figures.term.epoch))
        page.add(
            "carillon_worker_held_attempts", .gauge, "Tries that this worker has in its journal, by phase.",
            HeldAttempt.Phase.allCases.map { .init([("phase", $0.rawValue)], Double(figures.held[$0] ?? 0)) })
        page.add(
            "carillon_worker_unacknowledged_reports", .gauge, "Ends that no leader has acknowledged yet.",
            Double(figures.unacknowledged))
        page.add(
            "carillon_worker_survivors_total", .counter, "Processes that were still alive long after they were killed.",
            Double(figures.survivors))
        page.add(
            "carillon_worker_attempts_total", .counter, "Tries that have ended here, by result.",
            [
                .init([("result", "succeeded")], Double(figures.succeeded)),
                .init([("result", "failed")], Double(figures.failed)),
            ])
        page.add(
            "carillon_worker_start_lateness_seconds", "From when a run was due to the start of its command.",
            figures.lateness)
        page.add(
            "carillon_worker_run_duration_seconds", "From the start of a command to its end.", figures.duration)
        add("cpus", "Processors", figures.used.cpus, worker.capacity.cpus, to: &page)
        add("memory_bytes", "Memory", figures.used.memory * 1_048_576, worker.capacity.memory * 1_048_576, to: &page)
        add("disk_bytes", "Disk", figures.used.disk * 1_048_576, worker.capacity.disk * 1_048_576, to: &page)
        NodeMetrics.certificate(tls, &page)
        page.add(ProcessFigures.now())
        return page
    }

    private static func add(
        _ name: String, _ what: String, _ used: Double, _ offered: Double, to page: inout MetricsPage
    ) {
        page.add(
            "carillon_worker_\(name)", .gauge, "\(what) that this worker offers, and that its runs hold.",
            [.init([("state", "offered")], offered), .init([("state", "held")], max(0, used))])
    }
}
