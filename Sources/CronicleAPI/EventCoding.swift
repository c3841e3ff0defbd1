import Domain
import JSON
import Operations
import Timetable

/// Events as jobs. What a client sends becomes the job's typed fields, which decide everything; beside them the sent
/// values are kept, so that they are returned as they came.
enum EventCoding {
    /// Below this key the sent values stand in a job's `dialectFields`.
    static let namespace = "cronicle"

    /// A new event's job before anything is applied: what Cronicle does where nothing is said.
    static func blank(named name: String) -> JobDefinition {
        var job = JobDefinition(name: name)
        job.resources = .zero
        job.retries = 0
        job.retryDelay = .zero
        job.retriesAfterLimit = false
        job.overlap = .allow
        job.queueLimit = 0
        job.catchUp = .none
        job.algorithm = .random
        return job
    }

    // MARK: Applying

    /// Gives the job what the values say. Each was checked before.
    static func apply(_ values: JSONObject, to job: inout JobDefinition, now: Instant) {
        applyTexts(values, to: &job)
        applyLimits(values, to: &job)
        applyConcurrency(values, to: &job)
        applyTrigger(values, to: &job, now: now)
        if let target = values["target"]?.stringValue { job.target = .named(target) }
        if let name = values["algo"]?.stringValue { job.algorithm = PlacementAlgorithm(rawValue: name) ?? .random }
        if let value = values["multiplex"] { job.isMultiplexed = value.isTruthy }
        if let seconds = seconds(values["stagger"]) { job.stagger = seconds }
        if let value = values["detached"] { job.isDetached = value.isTruthy }
        if let value = values["catch_up"] { job.catchUp = value.isTruthy ? .all : .none }
        if let number = values["retries"]?.wholeNumber {
            job.retries = Int(clamping: min(number, Int64(Limits.retries)))
        }
        if let delay = seconds(values["retry_delay"]) { job.retryDelay = delay }
        if let timeout = seconds(values["timeout"]) { job.timeout = timeout > .zero ? timeout : nil }
        if let params = values["params"] {
            job.pluginParameters = params.scriptType == "object" && !params.isNull ? params.text : "{}"
        }
    }

    private static func applyTexts(_ values: JSONObject, to job: inout JobDefinition) {
        if let title = values["title"]?.stringValue { job.title = title }
        if let category = values["category"]?.stringValue { job.category = category }
        if let plugin = values["plugin"]?.stringValue { job.plugin = plugin }
        if let notes = values["notes"]?.stringValue { job.description = notes }
        if let chain = values["chain"]?.stringValue { job.onSuccess = chain }
        if let chain = values["chain_error"]?.stringValue { job.onFailure = chain }
        if let list = values["notify_success"]?.stringValue { job.notifications.mailOnSuccess = list }
        if let list = values["notify_fail"]?.stringValue { job.notifications.mailOnFailure = list }
        if let url = values["web_hook"]?.stringValue { job.notifications.webHook = url }
    }

    private static func applyLimits(_ values: JSONObject, to job: inout JobDefinition) {
        if let limit = values["cpu_limit"]?.doubleValue { job.limits.cpuPercent = limit }
        if let seconds = seconds(values["cpu_sustain"]) { job.limits.cpuSustain = seconds }
        if let limit = values["memory_limit"]?.wholeNumber { job.limits.memoryBytes = limit }
        if let seconds = seconds(values["memory_sustain"]) { job.limits.memorySustain = seconds }
        if let limit = values["log_max_size"]?.wholeNumber { job.limits.logBytes = limit }
    }

    /// A queue takes what cannot be launched; without a bound of its own a job may still have `Limits.activePerJob`.
    private static func applyConcurrency(_ values: JSONObject, to job: inout JobDefinition) {
        if let limit = values["queue_max"]?.wholeNumber { job.queueLimit = Int(clamping: limit) }
        let children = values["max_children"]?.wholeNumber.map { Int(clamping: $0) } ?? self.children(of: job)
        let queues = values["queue"]?.isTruthy ?? (job.overlap == .queue)
        guard values["max_children"] != nil || values["queue"] != nil else { return }
        if queues {
            job.overlap = .queue
            job.maximumActive = children > 0 ? children : Limits.activePerJob
        } else {
            job.overlap = children > 0 ? .skip : .allow
            job.maximumActive = max(1, children)
        }
    }

    /// Cronicle's `max_children`: 0 is no bound.
    static func children(of job: JobDefinition) -> Int {
        switch job.overlap {
        case .allow: 0
        case .queue where job.maximumActive >= Limits.activePerJob: 0
        case .skip, .queue: job.maximumActive
        }
    }

    private static func applyTrigger(_ values: JSONObject, to job: inout JobDefinition, now: Instant) {
        let zone = values["timezone"]?.stringValue
        guard let timing = values["timing"] else {
            if let zone, case .schedule(var text) = job.trigger, text.notation == .minutes {
                text.zone = zone.isEmpty ? "UTC" : zone
                job.trigger = .schedule(text)
            }
            return
        }
        guard timing.isTruthy, timing.scriptType == "object" else {
            job.trigger = .manual
            return
        }
        var current = "UTC"
        if case .schedule(let text) = job.trigger, !text.zone.isEmpty { current = text.zone }
        let wanted = zone.map { $0.isEmpty ? "UTC" : $0 } ?? current
        job.trigger = .schedule(
            ScheduleText(notation: .minutes, text: matrix(timing).description, zone: wanted, anchor: now))
    }

    /// The lists of a timing object. A value that no clock ever shows (a fraction, a year beyond the calendar) matches
    /// nothing, but does not make its list an empty one, which would match everything.
    static func matrix(_ timing: JSONValue) -> MinuteMatrix {
        func list(_ key: String) -> [Int] {
            guard let elements = timing[key]?.arrayValue, !elements.isEmpty else { return [] }
            return elements.compactMap { $0.wholeNumber.flatMap { Int(exactly: $0) } }
        }
        let keys = ["years", "months", "days", "weekdays", "hours", "minutes"]
        let isImpossible = keys.contains { key in
            let sent = timing[key]?.arrayValue ?? []
            return !sent.isEmpty && list(key).allSatisfy { key == "years" && $0 > 9_999 }
        }
        let never = [1]  // the year 1
        let years = isImpossible ? never : list("years").filter { $0 <= 9_999 }
        let matrix = try? MinuteMatrix(  // all ranges were checked when the timing was
            years: years, months: list("months"), days: list("days"), weekdays: list("weekdays"),
            hours: list("hours"), minutes: list("minutes"))
        return matrix ?? MinuteMatrix.never
    }

    private static func seconds(_ value: JSONValue?) -> Duration? {
        guard let number = value?.wholeNumber else { return nil }
        return .seconds(min(number, Limits.runSeconds))
    }
}

extension JSONValue {
    /// A number without a fraction, however it was written.
    var wholeNumber: Int64? {
        switch self {
        case .integer(let number): number
        case .number(let number): Int64(exactly: number)
        default: nil
        }
    }
}

extension MinuteMatrix {
    /// The year 1, which no schedule searches.
    fileprivate static let never: MinuteMatrix = {
        do { return try MinuteMatrix(years: [1]) } catch { preconditionFailure("the year 1 is a year") }
    }()
}
