import Domain
import HTTP
import JSON
import Operations

/// `GET /metrics`: the figures that dashboards made for Chronos read, in the shape of its metrics registry.
struct MetricsResource: Resource {
    /// Prefix of the gauges, as Chronos' own have it.
    private static let queue = "org.apache.mesos.chronos.scheduler.jobs.TaskManager"

    let jobs: JobOperations
    let statistics: RunStatistics

    /// At the root alone, with no tree before it.
    func register(on router: inout HTTPRouter, below tree: String) {
        router.on(.get, "\(tree)/metrics", metadata: leaderOnly, handler: handler(read))
    }

    private func read(_ request: HTTPRequest, _ principal: Principal) async throws(DomainError) -> HTTPResponse {
        let activity = try await jobs.activity(principal)
        let all = try await statistics.all(principal)
        let total = activity.values.reduce(into: JobActivity.idle) { sum, one in
            sum.started += one.started
            sum.waiting += one.waiting
            sum.urgent += one.urgent
        }
        let gauges: JSONObject = [
            "\(Self.queue).highQueueSize": Self.gauge(total.urgent),
            "\(Self.queue).queueSize": Self.gauge(total.waiting - total.urgent),
            "carillon.jobs": Self.gauge(all.count), "carillon.runs.started": Self.gauge(total.started),
        ]
        var counters = JSONObject()
        var histograms = JSONObject()
        for (job, durations) in all {
            if job.counters.successes > 0 {
                counters["jobs.run.success.\(job.name)"] = ["count": .integer(job.counters.successes)]
            }
            if job.counters.errors > 0 {
                counters["jobs.run.failure.\(job.name)"] = ["count": .integer(job.counters.errors)]
            }
            if durations.count > 0 { histograms["jobs.run.time.\(job.name)"] = Self.histogram(durations) }
        }
        let registry: JSONValue = [
            "version": "3.0.0", "gauges": .object(gauges), "counters": .object(counters),
            "histograms": .object(histograms), "meters": [:], "timers": [:],
        ]
        return .json(bytes: registry.serialized(pretty: request.queryItem("pretty") == "true"))
    }

    private static func gauge(_ value: Int) -> JSONValue { ["value": .integer(Int64(value))] }

    /// Milliseconds.
    private static func histogram(_ durations: RunDurations) -> JSONValue {
        [
            "count": .integer(durations.count), "max": .number(durations.maximum), "mean": .number(durations.mean),
            "min": .number(durations.minimum), "p50": .number(durations.quantile(0.5)),
            "p75": .number(durations.quantile(0.75)), "p95": .number(durations.quantile(0.95)),
            "p98": .number(durations.quantile(0.98)), "p99": .number(durations.quantile(0.99)),
            "p999": .number(durations.quantile(0.999)), "stddev": .number(durations.deviation),
        ]
    }
}
