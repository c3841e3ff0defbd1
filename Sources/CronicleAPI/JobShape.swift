import Domain
import JSON
import Operations
import Timetable

/// Jobs (our runs) as clients read them (cronicle.md §2.4): a copy of the event with what was changed for the job, and
/// what became of it.
struct JobShapes: Sendable {
    private let catalogue: Catalogue
    private let hosts: [String: String]
    private let now: Instant

    init(_ dependencies: CronicleDependencies) async throws {
        catalogue = try await dependencies.events.catalogue()
        hosts = try await dependencies.events.hosts()
        now = dependencies.clock.now()
    }

    /// Properties of the event that a job does not have.
    private static let ofEventOnly = [
        "id", "title", "timing", "enabled", "max_children", "username", "api_key", "modified", "created", "schedule",
        "parents",
    ]

    func object(_ record: RunRecords.Record, withElapsed: Bool = false) -> JSONObject {
        let run = record.run
        var object = event(record)
        let definition = record.definition
        object["id"] = .string(run.id.rawValue)
        object["event"] = .string(run.job.job.rawValue)
        object["time_start"] = start(of: record).epoch
        object["hostname"] = .string(host(of: record))
        object["now"] = run.due.epochSeconds
        object["event_title"] = .string(definition.displayTitle)
        object["category_title"] = .string(
            catalogue.categories[definition.shownCategory]?.displayTitle ?? definition.shownCategory)
        object["nice_target"] = .string(
            catalogue.groups[definition.shownTarget]?.displayTitle ?? definition.shownTarget)
        if let plugin = plugin(of: definition) {
            object["plugin_title"] = .string(plugin.displayTitle)
            object["command"] = .string(plugin.command)
            for (key, text) in [("cwd", plugin.workingDirectory), ("uid", plugin.user), ("gid", plugin.group)]
            where !text.isEmpty { object[key] = .string(text) }
            object["params"] = params(of: record, plugin)
        }
        if let source = source(of: run) { object["source"] = .string(source) }
        addChain(run, to: &object)
        addProgress(record, to: &object)
        if run.state.isTerminal {
            addEnd(record, to: &object)
        } else {
            addPending(record, to: &object)
            if withElapsed {
                object["elapsed"] = .number(max(0, Self.seconds(start(of: record).duration(to: now))))
            }
        }
        return object
    }

    /// The copy of the event.
    private func event(_ record: RunRecords.Record) -> JSONObject {
        let job = Job(
            id: record.run.job.job, version: record.run.job.version, definition: record.definition, isEnabled: true,
            created: now, modified: now)
        var object = EventShape(job).object
        for key in Self.ofEventOnly { object[key] = nil }
        // Retries are counted down; who is ended has none left.
        if let retries = object["retries"]?.wholeNumber, retries > 0 {
            object["retries"] = .integer(max(0, retries - Int64(record.run.attempt)))
        }
        let settings = catalogue.categories[record.definition.shownCategory]
        for (key, own, general) in [
            (
                "notify_success", record.definition.notifications.mailOnSuccess,
                settings?.notifications.mailOnSuccess ?? ""
            ),
            ("notify_fail", record.definition.notifications.mailOnFailure, settings?.notifications.mailOnFailure ?? ""),
            ("web_hook", record.definition.notifications.webHook, settings?.notifications.webHook ?? ""),
        ] where own.isEmpty && !general.isEmpty {
            object[key] = .string(general)
        }
        if let limits = settings?.limits {
            inherit(&object, record.definition.limits.cpuPercent == 0 && limits.cpuPercent > 0) {
                $0["cpu_limit"] = .number(limits.cpuPercent)
                $0["cpu_sustain"] = .integer(limits.cpuSustain.components.seconds)
            }
            inherit(&object, record.definition.limits.memoryBytes == 0 && limits.memoryBytes > 0) {
                $0["memory_limit"] = .integer(limits.memoryBytes)
                $0["memory_sustain"] = .integer(limits.memorySustain.components.seconds)
            }
        }
        return object
    }

    private func inherit(_ object: inout JSONObject, _ applies: Bool, _ change: (inout JSONObject) -> Void) {
        if applies { change(&object) }
    }

    private func plugin(of definition: JobDefinition) -> Plugin? {
        catalogue.plugins[definition.plugin.isEmpty ? EventShape.shell : definition.plugin]
    }

    /// The plugin's parameters, each as the job has it, else as the plugin has it; hidden ones are the plugin's own.
    /// What a request has added for this job stays.
    private func params(of record: RunRecords.Record, _ plugin: Plugin) -> JSONValue {
        guard !record.definition.plugin.isEmpty else {
            return ["script": .string(EventShape.script(of: record.definition)), "annotate": 0, "json": 0]
        }
        let own = JSONValue.read(record.definition.pluginParameters)?.objectValue ?? JSONObject()
        var params = JSONObject()
        for parameter in plugin.parameterDefinitions {
            guard let id = parameter["id"]?.stringValue else { continue }
            let isHidden = parameter["type"]?.stringValue == "hidden"
            params[id] = (isHidden ? nil : own[id]) ?? parameter["value"] ?? ""
        }
        if record.run.context?.definition != nil {
            for (key, value) in own where params[key] == nil { params[key] = value }
        }
        return .object(params)
    }

    private func host(of record: RunRecords.Record) -> String {
        let names = [record.run.worker, record.attempt?.worker ?? "", record.run.context?.worker ?? ""]
        let worker = names.first { !$0.isEmpty } ?? ""
        return hosts[worker] ?? worker
    }

    private func source(of run: Run) -> String? {
        if let source = run.context?.source, !source.isEmpty { return source }
        switch run.cause {
        case .schedule: return nil
        case .manual: return "Manual"
        case .parents: return "Parents"
        case .chain: return run.context?.chain.map { "Chain Reaction (\($0.jobTitle))" } ?? "Chain Reaction"
        }
    }

    private func addChain(_ run: Run, to object: inout JSONObject) {
        if let data = run.context?.postData, !data.isEmpty { object["post_data"] = JSONValue.read(data) }
        guard let chain = run.context?.chain else { return }
        object["source_event"] = .string(chain.job.rawValue)
        // Where no job could be launched, its event is what it follows.
        object["source_job"] = .string(chain.run.rawValue.isEmpty ? chain.job.rawValue : chain.run.rawValue)
        object["chain_data"] = JSONValue.read(chain.data) ?? [:]
        object["chain_code"] = JSONValue.read(chain.code) ?? 0
        object["chain_description"] = .string(chain.description)
    }

    // MARK: What the job has told

    private func addProgress(_ record: RunRecords.Record, to object: inout JSONObject) {
        let details = record.details
        if record.run.startedAt != nil || record.attempt != nil {
            object["log_file"] = .string("logs/jobs/\(record.run.id.rawValue).log")
            object["pid"] = .integer(Int64(details?.process ?? 0))
        }
        if let usage = details?.cpu { object["cpu"] = Self.usage(usage) }
        if let usage = details?.memory { object["mem"] = Self.usage(usage) }
        if let bytes = details?.logBytes, bytes > 0 || record.run.state.isTerminal {
            object["log_file_size"] = .integer(bytes)
        }
        let reported = details.flatMap { JSONValue.read($0.reported)?.objectValue } ?? JSONObject()
        for key in ["progress", "perf", "table", "html", "label", "chain_data", "chain_params", "update_event"] {
            if let value = reported[key] { object[key] = value }
        }
        for key in ["chain", "chain_error", "notify_success", "notify_fail"] {
            if let value = reported[key] { object[key] = value }
        }
        if record.run.isAbortRequested, !record.run.state.isTerminal, !record.run.reason.isEmpty {
            object["abort_reason"] = .string(record.run.reason)
        }
    }

    static func usage(_ usage: UsageStatistics) -> JSONValue {
        [
            "min": number(usage.minimum), "max": number(usage.maximum), "total": number(usage.total),
            "count": .integer(usage.count), "current": number(usage.current),
        ]
    }

    private static func number(_ value: Double) -> JSONValue {
        Int64(exactly: value).map { .integer($0) } ?? .number(value)
    }

    private func addPending(_ record: RunRecords.Record, to object: inout JSONObject) {
        guard record.run.state != .started else { return }
        object["pending"] = 1
        if let notBefore = record.run.notBefore {
            object["when"] = notBefore.epoch
            object["action"] = "launchLocalJob"
        }
        if !record.run.reason.isEmpty { object["pending_reason"] = .string(record.run.reason) }
    }

    private func addEnd(_ record: RunRecords.Record, to object: inout JSONObject) {
        let end = JobEnd(record, host: host(of: record))
        let finished = record.run.finishedAt ?? now
        object["complete"] = 1
        object["code"] = end.code
        object["description"] = .string(end.description)
        if let reason = end.abortReason {
            object["abort_reason"] = .string(reason)
            object["retries"] = 0
        }
        if end.isUnknown { object["unknown"] = 1 }
        object["pid"] = object["pid"] ?? 0
        object["log_file"] = object["log_file"] ?? .string("logs/jobs/\(record.run.id.rawValue).log")
        object["log_file_size"] = object["log_file_size"] ?? 0
        object["time_end"] = finished.epoch
        object["elapsed"] = .number(max(0, Self.seconds(start(of: record).duration(to: finished))))
        object["type"] = "cronicle_job"
    }

    private func start(of record: RunRecords.Record) -> Instant {
        // A copy that is to start later than the first one tells when that is.
        let planned = record.run.attempt == 0 ? record.run.notBefore : nil
        return record.firstStart ?? record.run.startedAt ?? planned ?? min(record.run.finishedAt ?? now, now)
    }

    static func seconds(_ duration: Duration) -> Double { Double(duration.wholeMilliseconds) / 1_000 }

    // MARK: Rows of histories

    func row(_ record: RunRecords.Record) -> JSONObject {
        let definition = record.definition
        let end = JobEnd(record, host: host(of: record))
        let finished = record.run.finishedAt ?? now
        let reported = record.details.flatMap { JSONValue.read($0.reported)?.objectValue } ?? JSONObject()
        var row: JSONObject = [
            "id": .string(record.run.id.rawValue), "code": end.code, "event": .string(record.run.job.job.rawValue),
            "category": .string(definition.shownCategory),
            "plugin": .string(definition.plugin.isEmpty ? EventShape.shell : definition.plugin),
            "hostname": .string(host(of: record)), "time_start": start(of: record).epoch,
            "elapsed": .number(max(0, Self.seconds(start(of: record).duration(to: finished)))),
            "perf": reported["perf"] ?? "", "cpu": record.details?.cpu.map(Self.usage) ?? [:],
            "mem": record.details?.memory.map(Self.usage) ?? [:],
            "log_file_size": .integer(record.details?.logBytes ?? 0), "action": "job_complete",
            "epoch": finished.epochSeconds, "event_title": .string(definition.displayTitle),
            "category_title": .string(
                catalogue.categories[definition.shownCategory]?.displayTitle ?? definition.shownCategory),
            "plugin_title": .string(plugin(of: definition)?.displayTitle ?? definition.plugin),
        ]
        if end.isFailure { row["description"] = .string(end.description) }
        if let label = reported["label"] { row["label"] = label }
        return row
    }
}

/// How a job ended, in Cronicle's words.
struct JobEnd {
    var code: JSONValue = 0
    var description = ""
    var abortReason: String?
    var isUnknown = false
    var isFailure: Bool { code != 0 }

    static let noCompletion = "Process exited without reporting job completion."

    init(_ record: RunRecords.Record, host: String) {
        let run = record.run
        let reason = run.reason.isEmpty ? record.attempt?.reason ?? "" : run.reason
        let result = record.details?.result
        switch run.state {
        case .succeeded:
            description = result?.description ?? ""
        case .aborted:
            abort(reason)
        case .lost:
            code = 1
            description = "Aborted Job: Server '\(host)' shut down unexpectedly."
        default:
            if reason.hasPrefix("Exceeded") {
                // What became of a chain stands behind it in the run's own.
                let own = record.attempt?.reason ?? ""
                abort(own.hasPrefix("Exceeded") ? own : reason)
                return
            }
            code = result?.code.flatMap(JSONValue.read) ?? exit(record.attempt)
            if code == 0 { code = 1 }
            description = result?.description ?? reason
            if description.isEmpty { description = "Unknown Error (no description provided)" }
            isUnknown = description == Self.noCompletion
        }
    }

    private mutating func abort(_ reason: String) {
        code = 1
        abortReason = reason
        description = "Job Aborted: \(reason)"
    }

    private func exit(_ attempt: AttemptRecord?) -> JSONValue {
        attempt?.exitCode.map { .integer(Int64($0)) } ?? 1
    }
}
