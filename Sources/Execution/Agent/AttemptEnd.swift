import Domain
import Timetable

/// How an attempt ended, in the words of the domain.
enum AttemptEnd {
    static func describe(
        _ end: ProcessEnd, ending: Holding.Ending?, abortReason: String = "", offer: Offer
    ) -> (AttemptOutcome, reason: String) {
        // Whatever became of the rest of it: a run that has lost a part of itself has not succeeded.
        if end.wasKilledForMemory {
            let verdict = LimitWatch.killedForMemory(megabytes: offer.resources.memory)
            return (.exceeded(verdict.limit), verdict.reason)
        }
        if let problem = end.outputProblem {
            // Its success cannot be shown: part of its output is lost.
            if case .exited(code: 0) = end.status { return (.interrupted, problem) }
            return (outcome(end.status), problem)
        }
        // Asked to end, but it had ended by itself: then that is what happened.
        guard end.wasEnded, let ending else {
            if let task = end.task { return (task.outcome, task.reason) }
            return (outcome(end.status), reason(end.status))
        }
        switch ending {
        case .aborted: return (.aborted, abortReason.isEmpty ? "ended on request" : abortReason)
        case .stopped: return (.interrupted, "the worker was stopped")
        case .timedOut: return (.timedOut, timeoutReason(offer.timeout))
        case .exceeded(let limit, let reason): return (.exceeded(limit), reason)
        }
    }

    /// What is told of a plugin's task: what it said itself, unless it was ended from outside.
    static func task(_ end: ProcessEnd, outcome: AttemptOutcome, reason: String) -> TaskEnd? {
        guard let task = end.task, outcome != task.outcome || reason != task.reason else { return end.task }
        return task.overruled(by: "Job Aborted: \(reason)")
    }

    /// The last lines of its log.
    static func footer(_ outcome: AttemptOutcome, reason: String, task: TaskEnd?, offer: Offer, now: Instant) -> String
    {
        let retry: LogText.Retry? =
            switch outcome {
            // Who is ended from outside is not tried again.
            case .aborted, .timedOut, .exceeded: nil
            default: LogText.Retry(offer)
            }
        let isSuccess = outcome == .exited(code: 0) || outcome == .reported(isSuccess: true)
        var code: String?
        if case .exited(let number) = outcome { code = String(number) }
        // A word stands in quotes there.
        if let said = task?.result.code { code = said.filter { $0 != "\"" } }
        return LogText.footer(
            isSuccess: isSuccess, code: code == "1" ? nil : code, description: task?.result.description ?? reason,
            retry: retry, now: now)
    }

    /// Cronicle's text (cronicle.md §2.9), which its chains by failure look at.
    private static func timeoutReason(_ timeout: Duration?) -> String {
        guard let timeout else { return "Exceeded maximum run time" }
        return "Exceeded maximum run time (\(LimitText.duration(timeout)))"
    }

    private static func outcome(_ status: ProcessEnd.Status) -> AttemptOutcome {
        switch status {
        case .exited(let code): .exited(code: code)
        case .signalled(let number): .signalled(number)
        }
    }

    private static func reason(_ status: ProcessEnd.Status) -> String {
        switch status {
        case .exited(code: 0): ""
        case .exited(let code): "the command exited with status \(code)"
        case .signalled(let number): "the command was ended by signal \(number)"
        }
    }
}
