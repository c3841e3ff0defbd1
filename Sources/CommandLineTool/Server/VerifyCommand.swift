import Domain
import JSON
import Node
import Timetable

/// `carillon verify`: recomputes what was due and shows every occurrence without a verdict.
enum VerifyCommand {
    private static let from = Option<String?>.optionalText(
        "from", "INSTANT", "begin of the time to check, such as 2026-11-21T22:00:00Z (default: a day ago)")
    private static let to = Option<String?>.optionalText(
        "to", "INSTANT", "end of the time to check (default: ten seconds ago, which a leader has decided by then)")

    static let command = Command(
        path: ["verify"], summary: "Check that every due occurrence has a verdict",
        details: """
            Recomputes the due occurrences of every job from the versions of its schedule and compares them with the \
            ledger, and the ledger with the runs. Exit status 0: each has exactly one verdict, each launched one its \
            run, and each try of a run one start; 1: the listed ones have not.
            """,
        options: [
            ServerOptions.databaseURL.declaration, from.declaration, to.declaration, ClientCommands.json.declaration,
        ]
    ) { arguments in
        let url = try arguments.get(ServerOptions.databaseURL)
        let from = try instant(try arguments.get(from), option: "from")
        let to = try instant(try arguments.get(to), option: "to")
        let wantsJSON = try arguments.get(ClientCommands.json)
        let outcome = Outcome()
        _ = try ServerOptions.serve { loop, _ in
            let report = try await DatabaseTasks(url: url, loop: loop).verify(from: from, to: to)
            Console.out(wantsJSON ? json(report).text : text(report))
            outcome.isClean = report.isClean
        }
        return outcome.isClean ? 0 : 1
    }

    /// Written by the one task, read after it has ended: that is the reason for `@unchecked Sendable`.
    private final class Outcome: @unchecked Sendable { var isClean = false }

    private static func instant(_ text: String?, option: String) throws -> Instant? {
        guard let text else { return nil }
        guard let instant = Instant(iso8601: text) else {
            throw UsageError("--\(option): '\(text)' is no instant: write such as 2026-11-21T22:00:00Z")
        }
        return instant
    }

    private static func text(_ report: VerificationReport) -> String {
        var lines = report.holes.map {
            "\($0.finding): job '\($0.jobName)' version \($0.job.version), \($0.count) occurrences, "
                + "\($0.first.due.iso8601) to \($0.last.due.iso8601)"
        }
        lines += report.contradictions.map {
            "\($0.finding): job '\($0.jobName)', due \($0.due.iso8601), run \($0.run)"
        }
        lines += report.unreadable.map { "cannot be computed: \($0)" }
        let verdicts = report.verdicts.sorted { $0.key.rawValue < $1.key.rawValue }
            .map { "\($0.value) \($0.key.rawValue)" }.joined(separator: ", ")
        lines.append(
            "\(report.expected) due occurrences of \(report.eras) schedules from \(report.from.iso8601) to "
                + "\(report.to.iso8601): \(report.missing) without a verdict"
                + (verdicts.isEmpty ? "" : "; \(verdicts)"))
        return lines.joined(separator: "\n")
    }

    private static func json(_ report: VerificationReport) -> JSONValue {
        var verdicts = JSONObject()
        for (verdict, count) in report.verdicts { verdicts[verdict.rawValue] = .integer(count) }
        return [
            "from": .string(report.from.iso8601), "to": .string(report.to.iso8601),
            "expected": .integer(report.expected), "missing": .integer(report.missing), "verdicts": .object(verdicts),
            "contradictions": .array(
                report.contradictions.map {
                    [
                        "finding": .string($0.finding), "job": .string($0.jobName), "run": .string($0.run.rawValue),
                        "due": .string($0.due.iso8601),
                    ]
                }),
            "unreadable": .array(report.unreadable.map { .string($0) }),
            "holes": .array(
                report.holes.map {
                    [
                        "job": .string($0.jobName), "version": .integer($0.job.version), "count": .integer($0.count),
                        "finding": .string($0.finding), "first_due": .string($0.first.due.iso8601),
                        "last_due": .string($0.last.due.iso8601),
                    ]
                }),
        ]
    }
}
