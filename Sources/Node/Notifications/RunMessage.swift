import Domain
import JSON
import Storage
import Timetable

/// What a job's mail addresses and web hooks are told of a run, in the shapes of Cronicle (cronicle.md §2.10).
struct RunMessage {
    private let notice: Notice
    private let baseURL: String

    init(_ waiting: OutboxStore.Waiting, baseURL: String) {
        notice = waiting.message.notice
        self.baseURL = baseURL
    }

    private var definition: JobDefinition { notice.definition }
    private var title: String { definition.title.isEmpty ? definition.name : definition.title }
    private var isSuccess: Bool { notice.run?.state == .succeeded }
    private var runID: String { notice.run?.id.rawValue ?? "" }

    /// Of the run; empty without a base.
    private var detailsURL: String { baseURL.isEmpty ? "" : "\(baseURL)/#JobDetails?id=\(runID)" }
    private var editURL: String {
        baseURL.isEmpty ? "" : "\(baseURL)/#Schedule?sub=edit_event&id=\(notice.job.rawValue)"
    }

    /// As the task reported it, else its exit status, else 0 or 1.
    private var code: JSONValue {
        if isSuccess { return 0 }
        if let text = notice.record?.details?.result?.code, let value = try? JSONValue(parsing: Array(text.utf8)) {
            // What cannot be read is no code; the exit status tells as much.
            return value
        }
        if let status = notice.record?.exitCode { return .integer(Int64(status)) }
        return 1
    }

    private var describedCode: String { code.stringValue ?? code.text }

    private var description: String {
        if let text = notice.record?.details?.result?.description, !text.isEmpty { return text }
        return notice.reason
    }

    private var elapsed: Double {
        guard let started = notice.run?.startedAt else { return 0 }
        return max(0, Double((notice.run?.finishedAt ?? notice.at).microseconds - started.microseconds) / 1e6)
    }

    // MARK: Mail

    private var isRefusal: Bool { notice.kind == .launchRefused || notice.kind == .chainRefused }

    var subject: String {
        if isRefusal { return "\u{26A0}\u{FE0F} Carillon Event Error: \(title)" }
        return isSuccess
            ? "\u{2705} Carillon Job Completed Successfully: \(title)"
            : "\u{26A0}\u{FE0F} Carillon Job Failed: \(title)"
    }

    var text: String {
        if isRefusal { return refusalText }
        var lines: [(String, String)] = [
            ("Date/Time", notice.at.iso8601), ("Event Title", title),
            ("Category", definition.category.isEmpty ? "general" : definition.category),
            ("Server Target", definition.target.name.isEmpty ? "(Any)" : definition.target.name),
            ("Plugin", definition.plugin.isEmpty ? "(None)" : definition.plugin), ("Job ID", runID),
            ("Hostname", notice.run?.worker ?? ""),
            ("PID", notice.record?.details?.process.map { "\($0)" } ?? "(Unknown)"), ("Elapsed Time", "\(elapsed) s"),
        ]
        if let memory = notice.record?.details?.memory { lines.append(("Peak Memory", "\(memory.maximum) bytes")) }
        if !isSuccess { lines.append(("Error Code", describedCode)) }
        lines.append(("Description", description.isEmpty ? "(No description provided)" : description))
        if !detailsURL.isEmpty { lines += [("Job Details", detailsURL), ("Edit Event", editURL)] }
        lines.append(("Event Notes", definition.description.isEmpty ? "(None)" : definition.description))
        var text = isSuccess ? "The job has completed successfully.\n\n" : "The job has failed.\n\n"
        for (name, value) in lines { text += "\(name): \(value)\n" }
        if let tail = notice.record?.outputTail, !tail.isEmpty { text += "\nEnd of its output:\n\n\(tail)\n" }
        return text
    }

    private var refusalText: String {
        var lines: [(String, String)] = [
            ("Date/Time", notice.at.iso8601), ("Event Title", title),
            ("Category", definition.category.isEmpty ? "general" : definition.category),
            ("Server Target", definition.target.name.isEmpty ? "(Any)" : definition.target.name),
            ("Plugin", definition.plugin.isEmpty ? "(None)" : definition.plugin),
            ("Description", notice.reason.isEmpty ? "(No description provided)" : notice.reason),
        ]
        if !editURL.isEmpty { lines.append(("Edit Event", editURL)) }
        lines.append(("Event Notes", definition.description.isEmpty ? "(None)" : definition.description))
        let what = notice.kind == .chainRefused ? "What was to follow a job" : "A scheduled job"
        return lines.reduce("\(what) was not launched.\n\n") { $0 + "\($1.0): \($1.1)\n" }
    }

    // MARK: Web hook

    /// - Parameter job: as the Cronicle dialect shows it; nil: it cannot be shown now: what the notice says must do.
    func hook(_ job: JSONObject?) -> JSONValue {
        var object = job ?? facts()
        if notice.kind == .launchRefused { return refusalHook(object) }
        if job == nil, notice.kind != .runStarted { addResult(to: &object) }
        object["action"] = notice.kind == .runStarted ? "job_start" : "job_complete"
        object["base_app_url"] = .string(baseURL)
        object["job_details_url"] = .string(detailsURL)
        object["edit_event_url"] = .string(editURL)
        let line = JSONValue.string(hookLine)
        object["text"] = line
        object["content"] = line
        object["message"] = line
        return .object(object)
    }

    /// About the event, not about a job of it.
    private func refusalHook(_ event: JSONObject) -> JSONValue {
        var object = event
        object["id"] = .string(notice.job.rawValue)
        object["action"] = "job_launch_failure"
        object["code"] = 1
        object["description"] = .string(notice.reason)
        object["base_app_url"] = .string(baseURL)
        object["edit_event_url"] = .string(editURL)
        let link = editURL.isEmpty ? "" : " \(editURL)"
        for key in ["text", "content", "message"] {
            object[key] = .string("Failed to launch scheduled event: \(title): \(notice.reason)\(link)")
        }
        return .object(object)
    }

    private func facts() -> JSONObject {
        var object: JSONObject = [
            "id": .string(runID), "event": .string(notice.job.rawValue), "event_title": .string(title),
            "category": .string(definition.category.isEmpty ? "general" : definition.category),
            "plugin": .string(definition.plugin), "target": .string(definition.target.name),
            "hostname": .string(notice.run?.worker ?? ""), "notes": .string(definition.description),
        ]
        if let run = notice.run {
            object["now"] = .integer(run.due.seconds)
            object["time_start"] = .number(Double((run.startedAt ?? notice.at).microseconds) / 1e6)
            object["attempt"] = .integer(Int64(run.attempt))
            if let source = run.context?.source, !source.isEmpty { object["source"] = .string(source) }
        }
        // What is stored was checked when it was stored.
        if let parameters = try? JSONValue(parsing: Array(definition.pluginParameters.utf8)) {
            object["params"] = parameters
        }
        return object
    }

    private func addResult(to object: inout JSONObject) {
        object["complete"] = 1
        object["code"] = code
        object["description"] = .string(description)
        object["elapsed"] = .number(elapsed)
        object["time_end"] = .number(Double((notice.run?.finishedAt ?? notice.at).microseconds) / 1e6)
        if notice.run?.state == .aborted { object["abort_reason"] = .string(notice.reason) }
        guard let details = notice.record?.details else { return }
        object["log_file_size"] = .integer(details.logBytes)
        object["pid"] = details.process.map { .integer(Int64($0)) }
        object["cpu"] = details.cpu.map(Self.usage)
        object["mem"] = details.memory.map(Self.usage)
        // What a task said of itself and cannot be read is left out; it is not what the receiver waits for.
        guard let reported = try? JSONValue(parsing: Array(details.reported.utf8)) else { return }
        for key in ["perf", "table", "html", "label"] { object[key] = reported[key] }
    }

    private static func usage(_ usage: UsageStatistics) -> JSONValue {
        [
            "min": .number(usage.minimum), "max": .number(usage.maximum), "total": .number(usage.total),
            "count": .integer(usage.count), "current": .number(usage.current),
        ]
    }

    private var hookLine: String {
        let worker = notice.run?.worker ?? ""
        let link = detailsURL.isEmpty ? "" : " \(detailsURL)"
        if notice.kind == .runStarted { return "Job started on \(worker): \(title)\(link)" }
        if isSuccess { return "Job completed successfully on \(worker): \(title)\(link)" }
        return "Job failed on \(worker): \(title): Error \(describedCode): \(description)\(link)"
    }
}
