// What the management routes answer, which every node serves beside the dialects. `carillon run` and `carillon worker`
// read them; the node builds its answers to this page. All of it is JSON; instants are ISO 8601 in UTC with three
// decimals; a value that is not there is null or its key absent. Keys may be added; a reader ignores what it does not
// know. The API key is sent as `X-API-Key`. Errors have a status of 400 or more and `{"message": "…"}`.
//
// GET  /carillon/v1/workers                      {"workers": [worker…]}, by name
// POST /carillon/v1/workers/{name}/drain         worker: takes nothing new, finishes what it holds (privilege admin)
// POST /carillon/v1/workers/{name}/resume        worker: takes work again (privilege admin)
//
//   worker   {"name": "worker-1", "url": "http://…", "state": "up" | "draining" | "silent",
//             "cpus": 4.0, "memory_mb": 8000.0, "disk_mb": 50000.0,                  what it offers
//             "used_cpus": 0.2, "used_memory_mb": 256.0, "used_disk_mb": 512.0,      what its runs hold
//             "running": 2, "attributes": {"hostname": "a"}, "version": "0.1.0",
//             "registered": instant, "last_seen": instant | null}
//
// GET  /carillon/v1/runs?job=NAME&limit=N        {"runs": [run…]}, newest first; job is optional, limit at most 1000
// GET  /carillon/v1/runs/{id}                    run with "attempts": [attempt…], oldest first; 404 for an unknown id
//
//   run      {"id": "…", "job": "nightly", "state": "queued" | "offered" | "started" | "waiting" | "succeeded" |
//             "failed" | "aborted" | "lost" | "missed", "cause": "schedule" | "manual" | "parents",
//             "lane": 0, "attempt": 0, "worker": "worker-1" | null, "due": instant, "started": instant | null,
//             "finished": instant | null, "reason": "…"}
//   attempt  {"number": 0, "state": "failed", "worker": "worker-1", "started": instant | null,
//             "finished": instant | null, "exit_code": 1 | null, "signal": 9 | null, "reason": "…",
//             "output_tail": "…", "cpu": usage | null, "mem": usage | null, "log_bytes": 512, "survivors": 0}
//   usage    {"min": 0.5, "max": 99.0, "total": 160.0, "count": 4, "current": 20.0}      percent of one core; bytes
//
// GET  /carillon/v1/runs/{id}/explanation         the same, from the leader, which knows why a run waits
// POST /carillon/v1/runs/{id}/abort              run; whatever it is at (privilege abort_events)
//
// GET  /carillon/v1/jobs/{name}/next?count=N     {"job": "nightly", "id": "j…", "enabled": true, "reason": "…",
//                                                "schedule": "R/…", "zone": "", "due": [instant…]}, or
//                                                "parents": [name…]. In place of a name an identifier will do.
// GET  /carillon/v1/jobs/{name}/explanation      the same with "lines": [sentence…]
// POST /carillon/v1/jobs/{name}/enable           and /disable: the same (privilege edit_events)
// POST /carillon/v1/jobs/{name}/run              {"job": "nightly", "run": "r…"}; {"arguments": "…"} may be sent
//                                                (privilege run_events)
//
// GET  /carillon/v1/status                       the cluster at a glance
//
//   status   {"leader": "node-1", "leader_url": "…", "epoch": 3, "elected": instant, "now": instant, "lag_ms": 0,
//             "scheduling": true, "jobs": 12, "runs": {"queued": 0, …},
//             "workers": {"up": 2, "draining": 0, "silent": 0}, "outbox": {"waiting": 0, "buried": 0},
//             "nodes": [node…]}
//   node     {"name": "node-1", "url": "…", "version": "0.1.0", "seen": instant, "leads": true,
//             "reaches_workers": true}
//
// GET  /carillon/v1/configuration/jobs?after=NAME      {"jobs": [file…]}, a thousand at most, by name
// GET  /carillon/v1/configuration/jobs/{name}          file, as `carillon export` writes it
// GET  /carillon/v1/configuration/catalogue            {"categories": [file…], "groups": […], "plugins": […]}
// POST /carillon/v1/configuration                      what is sent is made so in one transaction, or only compared
//                                                      with what there is (privilege admin):
//            {"jobs": [file…], "categories": […], "groups": […], "plugins": […], "plan": true, "delete": false}
//      answered by
//            {"applied": true, "changes": [change…], "unchanged": 3, "others": 0}; others: present and not sent
//   change   {"action": "create" | "update" | "delete", "kind": "job" | "category" | "group" | "plugin",
//             "name": "…", "members": ["command"], "due_before": [instant…], "due_after": [instant…]}
//
// GET  /carillon/v1/runs/{id}/log                plain text, over all tries; ?attempt=N, ?follow=1, ?from=TRY:BYTES,
//                                                ?format=text|gzip|events (server-sent events, which follow the run)
//
// GET  /carillon/v1/ledger?from=INSTANT&to=INSTANT&job=NAME    what became of the occurrences due in [from, to)
//
//   ledger   {"from": instant, "to": instant, "entries": [entry…], "truncated": false}, in order of first_due
//   entry    {"job": "nightly", "verdict": "launched" | "skipped" | "coalesced" | "missed", "count": 1,
//             "first_due": instant, "last_due": instant, "first_index": 0, "last_index": 0,
//             "run": "…" | null, "reason": "…", "recorded": instant}

import HTTP
import JSON

/// Where the management routes are.
enum ManagementRoute {
    private static let prefix = "/carillon/v1/"

    static let workers = prefix + "workers"

    static func worker(_ name: String, _ action: String) -> String {
        workers + "/" + PercentCoding.encodePathSegment(name) + "/" + action
    }

    static func runs(job: String?, limit: Int) -> String {
        let filter = job.map { "&job=" + PercentCoding.encodeQueryValue($0) } ?? ""
        return prefix + "runs?limit=\(limit)" + filter
    }

    static func run(_ id: String) -> String {
        prefix + "runs/" + PercentCoding.encodePathSegment(id)
    }

    static func log(_ id: String, attempt: Int?, follows: Bool, from position: String? = nil) -> String {
        // Events carry positions, from which another node can go on.
        var items = [follows ? "format=events" : "format=text"]
        if let attempt { items.append("attempt=\(attempt)") }
        if let position { items.append("from=" + PercentCoding.encodeQueryValue(position)) }
        return run(id) + "/log?" + items.joined(separator: "&")
    }

    static func job(_ name: String, _ what: String) -> String {
        prefix + "jobs/" + PercentCoding.encodePathSegment(name) + "/" + what
    }

    static let status = prefix + "status"
    static let configuration = prefix + "configuration"

    static func configurationJobs(after name: String?) -> String {
        configuration + "/jobs" + (name.map { "?after=" + PercentCoding.encodeQueryValue($0) } ?? "")
    }

    static func configurationJob(_ name: String) -> String {
        configuration + "/jobs/" + PercentCoding.encodePathSegment(name)
    }

    static func ledger(from: String?, to: String?, job: String?) -> String {
        let items = [("from", from), ("to", to), ("job", job)].compactMap { name, value in
            value.map { name + "=" + PercentCoding.encodeQueryValue($0) }
        }
        return prefix + "ledger" + (items.isEmpty ? "" : "?" + items.joined(separator: "&"))
    }
}

/// The columns that people see of the shapes.
enum ManagementTable {
    static func workers(_ answer: JSONValue, _ style: Style = .plain) -> Table {
        var table = Table(
            ["NAME", "STATE", "RUNNING", "CPUS", "MEMORY MB", "ENFORCES", "URL", "LAST SEEN"],
            rightAligned: [2, 3, 4], style: style)
        for worker in answer["workers"]?.arrayValue ?? [] {
            table.add([
                text(worker["name"]), text(worker["state"]), text(worker["running"]),
                share(worker["used_cpus"], worker["cpus"]), share(worker["used_memory_mb"], worker["memory_mb"]),
                text(worker["attributes"]?["enforces"]), text(worker["url"]), style.when(worker["last_seen"]),
            ])
        }
        return table
    }

    static func worker(_ worker: JSONValue, _ style: Style) -> String {
        var facts = Table([], style: style)
        for name in ["name", "state", "url", "version", "running"] { facts.add([name, text(worker[name])]) }
        facts.add(["cpus", share(worker["used_cpus"], worker["cpus"])])
        facts.add(["memory MB", share(worker["used_memory_mb"], worker["memory_mb"])])
        facts.add(["disk MB", share(worker["used_disk_mb"], worker["disk_mb"])])
        for name in ["registered", "last_seen"] { facts.add([name, style.when(worker[name])]) }
        for (key, value) in worker["attributes"]?.objectValue ?? [:] { facts.add(["attribute \(key)", text(value)]) }
        return facts.text
    }

    static func runs(_ answer: JSONValue, _ style: Style = .plain) -> Table {
        var table = Table(
            ["ID", "JOB", "STATE", "TRY", "CAUSE", "WORKER", "DUE", "STARTED", "FINISHED"], rightAligned: [3],
            style: style)
        for run in answer["runs"]?.arrayValue ?? [] {
            table.add(
                ["id", "job", "state", "attempt", "cause", "worker"].map { text(run[$0]) }
                    + ["due", "started", "finished"].map { style.when(run[$0]) })
        }
        return table
    }

    static func ledger(_ answer: JSONValue, _ style: Style = .plain) -> Table {
        var table = Table(
            ["JOB", "VERDICT", "COUNT", "FIRST DUE", "LAST DUE", "RUN", "REASON"], rightAligned: [2], style: style)
        for entry in answer["entries"]?.arrayValue ?? [] {
            table.add([
                text(entry["job"]), text(entry["verdict"]), text(entry["count"]), style.when(entry["first_due"]),
                style.when(entry["last_due"]), text(entry["run"]), text(entry["reason"]),
            ])
        }
        return table
    }

    /// One run: its facts, then its tries with the end of their output.
    static func run(_ run: JSONValue, _ style: Style = .plain) -> String {
        var facts = Table([], style: style)
        for name in ["id", "job", "state", "cause", "worker"] { facts.add([name, text(run[name])]) }
        for name in ["due", "started", "finished"] { facts.add([name, style.when(run[name])]) }
        facts.add(["reason", text(run["reason"])])
        var parts = [facts.text]
        for attempt in run["attempts"]?.arrayValue ?? [] {
            var line = "\ntry \(text(attempt["number"])): \(text(attempt["state"])) on \(text(attempt["worker"]))"
            if let code = attempt["exit_code"]?.int64Value { line += ", exit status \(code)" }
            if let signal = attempt["signal"]?.int64Value { line += ", signal \(signal)" }
            if let reason = attempt["reason"]?.stringValue, !reason.isEmpty { line += ": \(Table.safe(reason))" }
            parts.append(line)
            if let usage = usage(attempt) { parts.append("  \(usage)") }
            if var tail = attempt["output_tail"]?.stringValue, !tail.isEmpty {
                if tail.hasSuffix("\n") { tail.removeLast() }
                parts += tail.split(separator: "\n", omittingEmptySubsequences: false).map { "  | " + Table.safe($0) }
            }
        }
        return parts.joined(separator: "\n")
    }

    /// What a try has used, and how much it has written; nil where it was too short to be looked at.
    private static func usage(_ attempt: JSONValue) -> String? {
        func figures(_ usage: JSONValue?) -> (mean: Double, most: Double)? {
            guard let total = usage?["total"]?.doubleValue, let count = usage?["count"]?.doubleValue, count > 0,
                let most = usage?["max"]?.doubleValue
            else { return nil }
            return (total / count, most)
        }
        func rounded(_ number: Double) -> String { JSONValue.number((number * 10).rounded() / 10).text }
        guard let cpu = figures(attempt["cpu"]), let memory = figures(attempt["mem"]) else { return nil }
        let survivors = attempt["survivors"]?.int64Value ?? 0
        return "cpu \(rounded(cpu.mean)) %, at most \(rounded(cpu.most)) %; memory "
            + "\(rounded(memory.mean / 1_048_576)) MB, at most \(rounded(memory.most / 1_048_576)) MB; "
            + "log \(text(attempt["log_bytes"])) bytes"
            + (survivors > 0 ? "; \(survivors) processes were still alive after KILL" : "")
    }

    static func text(_ value: JSONValue?) -> String {
        switch value {
        case .string(let text)?: text.isEmpty ? "-" : text
        case nil, .null?: "-"
        // Sums of shares such as 0.1 + 0.2 are not shown to their last bit.
        case .number(let number)?: JSONValue.number((number * 100).rounded() / 100).text
        case let value?: value.text
        }
    }

    static func share(_ used: JSONValue?, _ whole: JSONValue?) -> String {
        "\(text(used))/\(text(whole))"
    }
}
