import Foundation
import JSON
import Testing

// What must hold of the ledger after whatever fault, by Carillon's own command and, without it, by SQL and the starts
// that commands recorded.

extension Cluster {
    /// What became of the occurrences of some jobs.
    struct Account {
        /// Occurrences by verdict.
        var verdicts: [String: Int] = [:]
        /// Runs by their final state.
        var states: [String: Int] = [:]
        var starts = 0
    }

    /// One row of the ledger: a verdict on consecutive occurrences.
    private struct Row {
        var job: String
        var first: Int64
        var last: Int64
        var verdict: String
    }

    /// Makes a job that records its starts, due at the grid.
    func put(_ job: Ticking, recordingIn starts: Starts, _ members: JSONObject = [:]) throws {
        var all: JSONObject = [
            "schedule": .string(job.schedule), "epsilon": "PT60S", "concurrent": true, "retries": 0, "cpus": 0.01,
            "mem": 1, "disk": 1,
        ]
        for (key, value) in members { all[key] = value }
        try put(job.name, command: starts.command, all)
    }

    /// Waits until everything that was due up to the instant is decided and over, and requires that each occurrence has
    /// exactly one verdict, that each launched one has exactly one run, and that no task was started twice.
    @discardableResult
    func requireCompleteLedger(_ jobs: [Ticking], through end: Int64, _ starts: Starts) throws -> Account {
        try wait("every occurrence up to \(Clock.iso8601(end)) is decided and over") {
            let rows = try self.ledgerRows(jobs)
            let isDecided = jobs.allSatisfy { job in
                rows.contains { $0.job == job.name && $0.last >= job.due(job.lastIndex(at: end)) }
            }
            return try isDecided
                && self.query(
                    "SELECT 1 FROM carillon.runs WHERE due <= to_timestamp(\(Double(end) / 1_000)) LIMIT 1"
                ).isEmpty
        }
        var account = Account()
        let expected = try requireOneVerdictEach(jobs, through: end, &account)
        try requireOneRunEach(jobs, through: end, starts, &account)
        let begin = jobs.map(\.start).min() ?? end
        let report = try verify(from: begin, to: end)
        #expect(report["missing"]?.int64Value == 0)
        // Other jobs of the cluster may have been due as well.
        #expect(report["expected"]?.int64Value ?? -1 >= Int64(expected))
        return account
    }

    /// `carillon verify`: its report, if its exit status is 0.
    @discardableResult
    func verify(from: Int64, to: Int64) throws -> JSONValue {
        let text = try carillon([
            "verify", "--database-url", databaseURL, "--from", Clock.iso8601(from), "--to", Clock.iso8601(to), "--json",
        ])
        return try JSONValue(parsing: Array(text.utf8))
    }

    private func requireOneVerdictEach(_ jobs: [Ticking], through end: Int64, _ account: inout Account) throws -> Int {
        var expected = 0
        let rows = Dictionary(grouping: try ledgerRows(jobs), by: \.job)
        for job in jobs {
            var verdicts: [Int64: [String]] = [:]
            for row in rows[job.name] ?? [] {
                for due in stride(from: row.first, through: row.last, by: Int(job.interval)) where due <= end {
                    verdicts[due, default: []].append(row.verdict)
                }
            }
            let last = job.lastIndex(at: end)
            try #require(last >= 0, "\(job.name) was not due yet")
            for index in 0...last {
                let found = verdicts.removeValue(forKey: job.due(index)) ?? []
                try #require(found.count == 1, "\(job.name), due \(Clock.iso8601(job.due(index))): \(found)")
                account.verdicts[found[0], default: 0] += 1
                expected += 1
            }
            try #require(verdicts.isEmpty, "\(job.name) has verdicts on what was never due: \(verdicts)")
        }
        return expected
    }

    private func requireOneRunEach(
        _ jobs: [Ticking], through end: Int64, _ starts: Starts, _ account: inout Account
    ) throws {
        try #require(try starts.doubles() == [])
        let names = Set(jobs.map(\.name))
        let entries = try starts.entries().filter { names.contains($0.job) && $0.due <= end }
        account.starts = entries.count
        var startsOf: [String: [Starts.Entry]] = [:]
        for entry in entries { startsOf["\(entry.job) \(entry.due)", default: []].append(entry) }
        var runs: [String: String] = [:]
        for row in try query(Self.runsOfSchedules) {
            guard let job = row[0], names.contains(job), let due = row[1], let state = row[2], Int64(due) ?? 0 <= end
            else { continue }
            let former = runs.updateValue(state, forKey: "\(job) \(due)")
            try #require(former == nil, "\(job) has two runs that were due \(due)")
            account.states[state, default: 0] += 1
            let started = startsOf.removeValue(forKey: "\(job) \(due)") ?? []
            if state == "succeeded" { try #require(!started.isEmpty, "\(job), due \(due), succeeded without a start") }
            // Each try of a run is a start of its own; a job without retries has one try.
            try #require(
                Set(started.map(\.attempt)).count == started.count, "\(job), due \(due): a try was started twice")
        }
        try #require(startsOf.isEmpty, "started without a run: \(startsOf.keys.sorted())")
        #expect(runs.count == account.verdicts["launched"] ?? 0)
    }

    private static let runsOfSchedules = """
        SELECT job_name, round(extract(epoch FROM due) * 1000)::int8, state FROM
          (SELECT job_name, due, state, cause FROM carillon.runs
           UNION ALL SELECT job_name, due, state, cause FROM carillon.run_history) r
        """

    private func ledgerRows(_ jobs: [Ticking]) throws -> [Row] {
        let names = jobs.map { "'\($0.name)'" }.joined(separator: ", ")
        return try query(
            """
            SELECT job_name, round(extract(epoch FROM first_due) * 1000)::int8,
                   round(extract(epoch FROM last_due) * 1000)::int8, verdict
              FROM carillon.ledger WHERE job_name IN (\(names))
            """
        ).map { row in
            guard let job = row[0], let first = row[1].flatMap({ Int64($0) }), let last = row[2].flatMap({ Int64($0) }),
                let verdict = row[3]
            else { throw Failure(description: "the ledger has a row that cannot be read: \(row)") }
            return Row(job: job, first: first, last: last, verdict: verdict)
        }
    }
}
