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
//             "finished": instant | null, "exit_code": 1 | null, "signal": 9 | null, "reason": "…", "output_tail": "…"}
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

    static func log(_ id: String, attempt: Int?, follows: Bool) -> String {
        var items = ["format=text"]
        if let attempt { items.append("attempt=\(attempt)") }
        if follows { items.append("follow=1") }
        return run(id) + "/log?" + items.joined(separator: "&")
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
    static func workers(_ answer: JSONValue) -> Table {
        var table = Table(
            ["NAME", "STATE", "RUNNING", "CPUS", "MEMORY MB", "ENFORCES", "URL", "LAST SEEN"], rightAligned: [2, 3, 4])
        for worker in answer["workers"]?.arrayValue ?? [] {
            table.add([
                text(worker["name"]), text(worker["state"]), text(worker["running"]),
                share(worker["used_cpus"], worker["cpus"]), share(worker["used_memory_mb"], worker["memory_mb"]),
                text(worker["attributes"]?["enforces"]), text(worker["url"]), text(worker["last_seen"]),
            ])
        }
        return table
    }

    static func runs(_ answer: JSONValue) -> Table {
        var table = Table(
            ["ID", "JOB", "STATE", "TRY", "CAUSE", "WORKER", "DUE", "STARTED", "FINISHED"], rightAligned: [3])
        for run in answer["runs"]?.arrayValue ?? [] {
            let columns = ["id", "job", "state", "attempt", "cause", "worker", "due", "started", "finished"]
            table.add(columns.map { text(run[$0]) })
        }
        return table
    }

    static func ledger(_ answer: JSONValue) -> Table {
        var table = Table(["JOB", "VERDICT", "COUNT", "FIRST DUE", "LAST DUE", "RUN", "REASON"], rightAligned: [2])
        for entry in answer["entries"]?.arrayValue ?? [] {
            let columns = ["job", "verdict", "count", "first_due", "last_due", "run", "reason"]
            table.add(columns.map { text(entry[$0]) })
        }
        return table
    }

    /// One run: its facts, then its tries with the end of their output.
    static func run(_ run: JSONValue) -> String {
        var facts = Table([], rightAligned: [])
        for name in ["id", "job", "state", "cause", "worker", "due", "started", "finished", "reason"] {
            facts.add([name, text(run[name])])
        }
        var parts = [facts.text]
        for attempt in run["attempts"]?.arrayValue ?? [] {
            var line = "\ntry \(text(attempt["number"])): \(text(attempt["state"])) on \(text(attempt["worker"]))"
            if let code = attempt["exit_code"]?.int64Value { line += ", exit status \(code)" }
            if let signal = attempt["signal"]?.int64Value { line += ", signal \(signal)" }
            if let reason = attempt["reason"]?.stringValue, !reason.isEmpty { line += ": \(Table.safe(reason))" }
            parts.append(line)
            if var tail = attempt["output_tail"]?.stringValue, !tail.isEmpty {
                if tail.hasSuffix("\n") { tail.removeLast() }
                parts += tail.split(separator: "\n", omittingEmptySubsequences: false).map { "  | " + Table.safe($0) }
            }
        }
        return parts.joined(separator: "\n")
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

    private static func share(_ used: JSONValue?, _ whole: JSONValue?) -> String {
        "\(text(used))/\(text(whole))"
    }
}
