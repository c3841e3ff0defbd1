import Domain

/// How an attempt ended, in the words of the domain.
enum AttemptEnd {
    static func describe(
        _ end: ProcessEnd, ending: Holding.Ending?, offer: Offer
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
        guard end.wasEnded, let ending else { return (outcome(end.status), reason(end.status)) }
        switch ending {
        case .aborted: return (.aborted, "ended on request")
        case .stopped: return (.interrupted, "the worker was stopped")
        case .timedOut: return (.timedOut, timeoutReason(offer.timeout))
        case .exceeded(let limit, let reason): return (.exceeded(limit), reason)
        }
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
