import Foundation
import Testing

/// One due occurrence, by all that is known of it in the end.
struct ProofOccurrence {
    let due: Int64
    /// As the ledger has it: none is one too few, two are one too many.
    var verdicts: [(verdict: String, reason: String)] = []
    /// Final states of its runs, with their reasons.
    var runs: [(state: String, reason: String)] = []
    /// When its command was started, as the command wrote it.
    var starts: [Int64] = []

    var isDoubled: Bool { starts.count > 1 || runs.count > 1 || verdicts.count > 1 }

    /// Nothing says what became of it, or what is said did not happen.
    var isLost: Bool {
        guard let verdict = verdicts.first?.verdict else { return true }
        guard verdict == "launched" else { return !starts.isEmpty }
        guard let state = runs.first?.state else { return true }
        return state == "succeeded" && starts.isEmpty
    }

    /// Why it was not started; nil where it was.
    var whyNot: String? {
        guard starts.isEmpty, let verdict = verdicts.first else { return nil }
        if verdict.verdict != "launched" { return "\(verdict.verdict): \(verdict.reason)" }
        return runs.first.map { "\($0.state): \($0.reason)" }
    }

    /// Its command was started and its end is not known: the worker was gone.
    var isEndUnknown: Bool { !starts.isEmpty && runs.first?.state == "lost" }
}

/// What became of everything that was due, from the database.
struct ProofAccount {
    let cluster: Cluster
    let jobs: [Ticking]
    let end: Int64

    private static let dueMilliseconds = "round(extract(epoch FROM due) * 1000)::int8"

    /// A run on a worker that is gone is lost only after its silence.
    func waitUntilDecided() throws {
        try cluster.wait("everything that was due has ended", within: 60) {
            let ends = Double(end) / 1_000
            let running = try cluster.query(
                "SELECT 1 FROM carillon.runs WHERE due <= to_timestamp(\(ends)) LIMIT 1")
            let undecided = try cluster.query(
                "SELECT 1 FROM carillon.jobs WHERE enabled AND next_due <= to_timestamp(\(ends)) LIMIT 1")
            return running.isEmpty && undecided.isEmpty
        }
    }

    /// In the order of their due instants.
    func occurrences(_ starts: Starts) throws -> [ProofOccurrence] {
        var all: [String: ProofOccurrence] = [:]
        for job in jobs {
            for index in 0...job.lastIndex(at: end) {
                all["\(job.name) \(job.due(index))"] = ProofOccurrence(due: job.due(index))
            }
        }
        for entry in try starts.entries() { all["\(entry.job) \(entry.due)"]?.starts.append(entry.started) }
        let rows = try cluster.query(
            """
            SELECT job_name, \(Self.dueMilliseconds), state, reason FROM
              (SELECT job_name, due, state, reason FROM carillon.runs
               UNION ALL SELECT job_name, due, state, reason FROM carillon.run_history) r
            """)
        for row in rows { all["\(row[0] ?? "") \(row[1] ?? "")"]?.runs.append((row[2] ?? "", row[3] ?? "")) }
        let verdicts = try cluster.query(
            """
            SELECT job_name, round(extract(epoch FROM first_due) * 1000)::int8,
                   round(extract(epoch FROM last_due) * 1000)::int8, verdict, reason FROM carillon.ledger
            """)
        for row in verdicts {
            guard let job = jobs.first(where: { $0.name == row[0] }), let first = row[1].flatMap({ Int64($0) }),
                let last = row[2].flatMap({ Int64($0) })
            else { continue }
            for due in stride(from: first, through: last, by: Int(job.interval)) {
                all["\(job.name) \(due)"]?.verdicts.append((row[3] ?? "", row[4] ?? ""))
            }
        }
        return all.values.sorted { $0.due < $1.due }
    }
}

/// What came of each kind of fault.
struct ProofTable {
    private struct Row {
        var number = 0
        /// Milliseconds from the fault to the first start of what became due after it.
        var next: [Int64] = []
        var due = 0
        var worstLateness: Int64 = 0
        var endsUnknown = 0
        var missed: [String: Int] = [:]
        var doubled = 0
        var lost = 0
    }

    private let seed: UInt64
    private let begin: Int64
    private var end: Int64 = 0
    private var rows: [ProofFault: Row] = [:]
    private var faults: [(fault: ProofFault, begin: Int64)] = []
    private var all = Row()

    init(seed: UInt64, begin: Int64) {
        self.seed = seed
        self.begin = begin
    }

    var doubled: Int { all.doubled }
    var lost: Int { all.lost }

    mutating func add(_ fault: ProofFault, begin: Int64) {
        faults.append((fault, begin))
    }

    /// Puts each occurrence to the fault that came before it.
    mutating func close(_ account: ProofAccount, _ starts: Starts, end: Int64) throws {
        self.end = end
        let occurrences = try account.occurrences(starts)
        let entries = try starts.entries()
        for (position, (fault, begin)) in faults.enumerated() {
            let until = position + 1 < faults.count ? faults[position + 1].begin : end
            var row = rows[fault] ?? Row()
            row.number += 1
            if let first = entries.filter({ $0.due >= begin && $0.due < until }).map(\.started).min() {
                row.next.append(first - begin)
            }
            for occurrence in occurrences where occurrence.due >= begin && occurrence.due < until {
                Self.count(occurrence, &row)
            }
            rows[fault] = row
        }
        all.number = faults.count
        for occurrence in occurrences where occurrence.due >= begin { Self.count(occurrence, &all) }
    }

    private static func count(_ occurrence: ProofOccurrence, _ row: inout Row) {
        row.due += 1
        if let started = occurrence.starts.first {
            row.worstLateness = max(row.worstLateness, started - occurrence.due)
        }
        if occurrence.isEndUnknown { row.endsUnknown += 1 }
        if let reason = occurrence.whyNot { row.missed[reason, default: 0] += 1 }
        if occurrence.isDoubled { row.doubled += 1 }
        if occurrence.isLost { row.lost += 1 }
    }

    /// As a table of README.md.
    var text: String {
        var lines = [
            "| fault | times | next due run after it, median / worst | due | worst lateness | started, end unknown "
                + "| not started, with reason | doubled | lost |",
            "|---|---|---|---|---|---|---|---|---|",
        ]
        for fault in ProofFault.allCases {
            guard let row = rows[fault] else { continue }
            let next = row.next.sorted()
            let times =
                next.isEmpty ? "–" : "\(Self.seconds(next[next.count / 2])) / \(Self.seconds(next[next.count - 1]))"
            lines.append(Self.line(fault.rawValue, row, times))
        }
        lines.append(Self.line("**all**", all, ""))
        lines.append("")
        lines.append(
            "Seed \(seed), \(faults.count) faults in \((end - begin) / 60_000) min \((end - begin) / 1_000 % 60) s.")
        return lines.joined(separator: "\n")
    }

    private static func line(_ name: String, _ row: Row, _ times: String) -> String {
        let missed = row.missed.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
            .map { "\($0.value) × \($0.key.replacingOccurrences(of: "|", with: "/"))" }.joined(separator: "; ")
        return "| \(name) | \(row.number) | \(times) | \(row.due) | \(seconds(row.worstLateness)) | \(row.endsUnknown) "
            + "| \(missed.isEmpty ? "0" : missed) | \(row.doubled) | \(row.lost) |"
    }

    private static func seconds(_ milliseconds: Int64) -> String {
        String(format: "%.2f s", Double(milliseconds) / 1_000)
    }
}
