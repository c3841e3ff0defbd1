import Domain
import HTTP
import JSON
import Operations
import Timetable

/// `job/stat/{name}` and `stats/{percentile}`: how long runs take.
///
/// A duration is that of the try that succeeded, from its start to its end. Chronos' own begins when the run was
/// queued, so that it grows with the load of the cluster instead of with the work of the job.
struct StatisticsResource: Resource {
    /// Chronos' default of `--job_history_limit`.
    static let historyLimit = 5
    /// Levels by the names that clients use. `mean` is the arithmetic one.
    static let levels: [(name: String, level: Double)] = [
        ("75thPercentile", 0.75), ("95thPercentile", 0.95), ("98thPercentile", 0.98), ("99thPercentile", 0.99),
        ("median", 0.5),
    ]

    let jobs: JobOperations
    let statistics: RunStatistics

    func register(on router: inout HTTPRouter, below tree: String) {
        router.on(.get, "\(tree)/job/stat/{name}", metadata: leaderOnly, handler: handler(job))
        router.on(.get, "\(tree)/stats/{percentile}", metadata: leaderOnly, handler: handler(all))
    }

    // MARK: One job

    private func job(_ request: HTTPRequest, _ principal: Principal) async throws(DomainError) -> HTTPResponse {
        let page = try await jobs.history(
            principal, name: request.parameter("name"), limit: Self.historyLimit)
        let durations = try await jobs.durations(principal, of: page.job)
        var histogram = JSONObject()
        for (name, level) in Self.levels { histogram[name] = .number(durations.quantile(level)) }
        histogram["mean"] = .number(durations.mean)
        histogram["count"] = .integer(durations.count)
        let isData = ChronosFields(text: page.job.definition.dialectFields).dataProcessingJobType
        let tasks = page.runs.flatMap(TaskStatistics.all(of:)).prefix(Self.historyLimit)
        return .json([
            "histogram": .object(histogram),
            "taskStatHistory": .array(tasks.map { $0.json(countsElements: isData) }),
        ])
    }

    // MARK: All jobs

    /// Longest first. Jobs that never ran are listed with 0; an unknown percentile has no figures at all.
    private func all(_ request: HTTPRequest, _ principal: Principal) async throws(DomainError) -> HTTPResponse {
        guard let figure = Self.figure(named: request.parameter("percentile")) else { return .json([]) }
        let all = try await statistics.all(principal).map { (name: $0.job.name, value: figure($0.durations)) }
        let sorted = all.sorted { $0.value != $1.value ? $0.value > $1.value : $0.name < $1.name }
        return .json(.array(sorted.map { ["jobNameLabel": .string($0.name), "time": .number($0.value)] }))
    }

    /// In seconds, but for the count.
    private static func figure(named name: String) -> (@Sendable (RunDurations) -> Double)? {
        let millisecondsPerSecond = 1_000.0
        if let level = levels.first(where: { $0.name == name })?.level {
            return { $0.quantile(level) / millisecondsPerSecond }
        }
        switch name {
        case "mean": return { $0.mean / millisecondsPerSecond }
        case "count": return { Double($0.count) }
        default: return nil
        }
    }
}

/// One try as Chronos' task history shows it.
private struct TaskStatistics {
    let taskID: String
    let jobName: String
    let worker: String
    let started: Instant?
    let finished: Instant?
    let status: String
    let elements: Int64?

    /// Newest first: the try that goes on, if one does, then those that have ended.
    static func all(of view: RunView) -> [TaskStatistics] {
        let run = view.run
        var tasks = view.attempts.reversed().map { record in
            TaskStatistics(
                view, attempt: record.attempt.number, worker: record.worker, started: record.startedAt,
                finished: record.finishedAt, status: record.state == .succeeded ? "Success" : "Fail")
        }
        if !run.state.isTerminal {
            let status = run.state == .started ? "Running" : "Idle"
            tasks.insert(
                TaskStatistics(
                    view, attempt: run.attempt, worker: run.worker, started: run.startedAt, finished: nil,
                    status: status), at: 0)
        } else if tasks.isEmpty {
            tasks = [
                TaskStatistics(
                    view, attempt: run.attempt, worker: run.worker, started: run.startedAt, finished: run.finishedAt,
                    status: "Fail")
            ]
        }
        return tasks
    }

    private init(
        _ view: RunView, attempt: Int, worker: String, started: Instant?, finished: Instant?, status: String
    ) {
        taskID = view.taskID(attempt: attempt)
        jobName = view.run.jobName
        self.worker = worker
        self.started = started
        self.finished = finished
        self.status = status
        elements = view.progress[attempt]
    }

    func json(countsElements: Bool) -> JSONValue {
        var object: JSONObject = [
            "taskId": .string(taskID), "jobName": .string(jobName), "slaveId": .string(worker),
            "startTime": .string(Self.date(started)), "endTime": .string(Self.date(finished)),
        ]
        if let started, let finished { object["duration"] = .string(Self.duration(from: started, to: finished)) }
        object["status"] = .string(status)
        if countsElements, let elements { object["numElementsProcessed"] = .integer(elements) }
        return .object(object)
    }

    /// `MM/dd/yy HH:mm:ss` in UTC.
    private static func date(_ instant: Instant?) -> String {
        guard let instant else { return "N/A" }
        let text = Array(instant.iso8601.utf8)
        // 2026-11-21T22:11:41.123Z; years beyond four digits never get here.
        func part(_ range: Range<Int>) -> String { String(decoding: text[range], as: UTF8.self) }
        guard text.count == 24 else { return "N/A" }
        return "\(part(5..<7))/\(part(8..<10))/\(part(2..<4)) \(part(11..<19))"
    }

    /// Hours are never days, whole seconds: `5s`, `1m30s`, `1h0s`.
    private static func duration(from start: Instant, to end: Instant) -> String {
        let seconds = max(0, start.duration(to: end).components.seconds)
        let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60)
        return (hours > 0 ? "\(hours)h" : "") + (minutes > 0 ? "\(minutes)m" : "") + "\(seconds % 60)s"
    }
}
