import Domain
import JSON

/// How a plugin's task ended, in the words of the domain.
struct TaskEnd: Hashable, Sendable {
    var outcome: AttemptOutcome
    /// Empty for a success that says nothing.
    var reason: String
    /// JSON object text: all that was reported, with `code`, `description` and `unknown` as they are now.
    var reported: String
    var result: ReportedResult

    /// The completion rules of the protocol (cronicle.md §3.3, §2.11).
    /// - Parameter process: its number, which Cronicle's text names.
    static func of(
        _ report: TaskReport, status: ProcessEnd.Status, process: Int32, isDetached: Bool
    ) -> TaskEnd {
        var values = report.values
        if report.isComplete { return said(values) }
        switch status {
        case .exited(code: 0) where isDetached:
            values["code"] = 0
            return TaskEnd(outcome: .reported(isSuccess: true), values, reason: description(values))
        case .exited(code: 0):
            return unknown(&values, .reported(isSuccess: false))
        case .exited(let code):
            let reason = isDetached ? "Plugin exited with code: \(code)" : "Child \(process) crashed with code: \(code)"
            values["code"] = .integer(Int64(code))
            values["description"] = .string(reason)
            return TaskEnd(outcome: .exited(code: code), values, reason: reason)
        case .signalled(let number):
            return unknown(&values, .signalled(number))
        }
    }

    /// The task has said how it ended; its exit status means nothing then.
    private static func said(_ values: JSONObject) -> TaskEnd {
        var values = values
        let isSuccess = values["code"].map { !$0.isTruthy } ?? true
        if isSuccess { values["code"] = 0 }
        var reason = description(values)
        if !isSuccess, reason.isEmpty {
            reason = "Unknown Error (no description provided)"
            values["description"] = .string(reason)
        }
        return TaskEnd(outcome: .reported(isSuccess: isSuccess), values, reason: reason)
    }

    private static func unknown(_ values: inout JSONObject, _ outcome: AttemptOutcome) -> TaskEnd {
        let reason = "Process exited without reporting job completion."
        values["code"] = 1
        values["description"] = .string(reason)
        values["unknown"] = 1
        return TaskEnd(outcome: outcome, values, reason: reason)
    }

    /// It was ended from outside: whatever it said about its end, this is it.
    func overruled(by reason: String) -> TaskEnd {
        // Written by ourselves just now.
        var values = (try? JSONValue(parsing: Array(reported.utf8)))?.objectValue ?? JSONObject()
        values["code"] = 1
        values["description"] = .string(reason)
        values["unknown"] = .none
        return TaskEnd(outcome: outcome, values, reason: reason)
    }

    init(outcome: AttemptOutcome, _ values: JSONObject, reason: String) {
        self.outcome = outcome
        self.reason = reason
        var values = values
        values["complete"] = .none
        reported = values.isEmpty ? "{}" : JSONValue.object(values).text
        result = ReportedResult()
        result.code = values["code"].map(\.text)
        result.description = values["description"]?.stringValue
        result.onSuccess = values["chain"]?.stringValue
        result.onFailure = values["chain_error"]?.stringValue
        result.chainData = values["chain_data"].map(\.text)
        result.chainParameters = values["chain_params"].map(\.text)
        result.mailOnSuccess = values["notify_success"]?.stringValue
        result.mailOnFailure = values["notify_fail"]?.stringValue
    }

    private static func description(_ values: JSONObject) -> String { values["description"]?.stringValue ?? "" }
}
