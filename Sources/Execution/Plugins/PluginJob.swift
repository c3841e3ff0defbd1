import Domain
import JSON
import Timetable

/// The job as a plugin reads it on its standard input: one object of JSON (cronicle.md §2.4).
enum PluginJob {
    static func object(
        _ plugin: PluginOffer, _ order: LaunchOrder, parameters: PluginParameters, logPath: String, now: Instant
    ) throws(LaunchError) -> JSONObject {
        let offer = order.offer
        // What the dialect keeps comes first: nothing in it replaces what Carillon itself says of the run. The other
        // dialect's fields are not the plugin's business.
        let kept = try PluginParameters.parse(plugin.dialectFields, "the fields of the job")?["cronicle"]
        var job = kept?.objectValue ?? JSONObject()
        for key in notCopied { job[key] = nil }
        job["category"] = .string(plugin.category)
        job["target"] = .string(plugin.target)
        job["plugin"] = .string(plugin.plugin.id)
        job["params"] = .object(parameters.values)
        job["timeout"] = .integer(offer.timeout?.components.seconds ?? 0)
        if !plugin.notes.isEmpty { job["notes"] = .string(plugin.notes) }
        if !plugin.source.isEmpty { job["source"] = .string(plugin.source) }
        if plugin.retriesLeft > 0 || job["retries"] != nil { job["retries"] = .integer(Int64(plugin.retriesLeft)) }
        for (key, text) in [
            ("notify_success", plugin.notifications.mailOnSuccess), ("notify_fail", plugin.notifications.mailOnFailure),
            ("web_hook", plugin.notifications.webHook), ("chain", plugin.onSuccess), ("chain_error", plugin.onFailure),
        ] where !text.isEmpty { job[key] = .string(text) }
        addLimits(offer.extras?.limits ?? .none, &job)
        job["id"] = .string(offer.attempt.run.rawValue)
        job["time_start"] = .number(Double(now.milliseconds) / 1000)
        job["hostname"] = .string(order.hostName)
        job["event"] = .string(plugin.job.rawValue)
        job["now"] = .integer(offer.due.milliseconds / 1000)
        job["event_title"] = .string(plugin.jobTitle.isEmpty ? offer.jobName : plugin.jobTitle)
        job["plugin_title"] = .string(plugin.plugin.title)
        job["category_title"] = .string(plugin.categoryTitle)
        job["nice_target"] = .string(plugin.targetTitle.isEmpty ? plugin.target : plugin.targetTitle)
        job["command"] = .string(plugin.plugin.command)
        if !plugin.plugin.workingDirectory.isEmpty { job["cwd"] = .string(plugin.plugin.workingDirectory) }
        job["log_file"] = .string(logPath)
        try addChain(plugin, &job)
        return job
    }

    /// What a job does not take from its event (cronicle.md §2.4), should the dialect keep it.
    private static let notCopied = [
        "title", "timing", "enabled", "max_children", "username", "api_key", "session_id", "modified", "created", "cwd",
        "uid", "gid", "env", "source", "chain_data", "chain_code", "chain_description", "source_event", "source_job",
        "post_data",
    ]

    private static func addLimits(_ limits: RunLimits, _ job: inout JSONObject) {
        if limits.memoryBytes > 0 {
            job["memory_limit"] = .integer(limits.memoryBytes)
            job["memory_sustain"] = .integer(limits.memorySustain.components.seconds)
        }
        if limits.cpuPercent > 0 {
            job["cpu_limit"] = .number(limits.cpuPercent)
            job["cpu_sustain"] = .integer(limits.cpuSustain.components.seconds)
        }
        if limits.logBytes > 0 { job["log_max_size"] = .integer(limits.logBytes) }
    }

    private static func addChain(_ plugin: PluginOffer, _ job: inout JSONObject) throws(LaunchError) {
        if let link = plugin.chain {
            job["source_event"] = .string(link.job.rawValue)
            job["source_job"] = .string(link.run.rawValue)
            // Of a run that said nothing of it.
            let data = link.data.isEmpty ? "{}" : link.data
            job["chain_data"] = try PluginParameters.parse(data, "the chain data") ?? [:]
            let code = link.code.isEmpty ? "0" : link.code
            // A code may have come as a bare word.
            job["chain_code"] = (try? JSONValue(parsing: Array(code.utf8))) ?? .string(code)
            job["chain_description"] = .string(link.description)
        }
        if !plugin.postData.isEmpty {
            job["post_data"] = try PluginParameters.parse(plugin.postData, "the body of the request")
        }
    }
}
