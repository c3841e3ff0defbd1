import Domain

/// How an attempt ended, in the words of the domain.
enum AttemptEnd {
    static func describe(
        _ end: ProcessEnd, ending: Holding.Ending?, timeout: Duration?
    ) -> (AttemptOutcome, reason: String) {
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
        case .timedOut:
            let seconds = timeout.map { "\($0.components.seconds) s" } ?? "its limit"
            return (.timedOut, "took longer than its limit of \(seconds) and was ended")
        }
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
