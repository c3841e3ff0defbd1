public import Timetable

/// Decides what follows the end of a try.
public enum RetryPlanner {
    public enum Consequence: Hashable, Sendable {
        /// The run has ended in this state.
        case end(RunState)
        /// Another try, not before the instant.
        case retry(notBefore: Instant)
    }

    /// What the worker ended a try for.
    public enum Limit: Hashable, Sendable { case time, resource }

    public static func limit(of outcome: AttemptOutcome) -> Limit? {
        switch outcome {
        case .timedOut: .time
        case .exceeded: .resource
        default: nil
        }
    }

    /// The state that the try alone gives its run.
    public static func state(of outcome: AttemptOutcome) -> RunState {
        switch outcome {
        case .exited(code: 0): .succeeded
        case .reported(isSuccess: true): .succeeded
        case .exited, .signalled, .timedOut, .notStarted, .exceeded, .reported: .failed
        case .aborted: .aborted
        case .interrupted: .lost
        }
    }

    /// Failed and lost tries are repeated while retries are left, whatever earlier runs did; aborted ones never, and
    /// those that a limit has ended where the job says so.
    public static func consequence(
        of state: RunState, attempt: Int, definition: JobDefinition, abortRequested: Bool,
        limit: Limit? = nil, now: Instant, policy: SchedulingPolicy
    ) -> Consequence {
        if limit != nil, !definition.retriesAfterLimit { return .end(state) }
        guard state == .failed || state == .lost, attempt < definition.retries else { return .end(state) }
        if abortRequested { return .end(.aborted) }
        return .retry(notBefore: now.advanced(by: delay(before: attempt + 1, definition: definition, policy: policy)))
    }

    static func delay(before attempt: Int, definition: JobDefinition, policy: SchedulingPolicy) -> Duration {
        let base = definition.retryDelay ?? policy.retryDelay
        var delay = base
        for _ in 1..<max(1, min(attempt, 64)) where policy.retryFactor > 1 {
            delay = delay * policy.retryFactor
            if delay > policy.retryDelayMaximum { return max(base, policy.retryDelayMaximum) }
        }
        return delay
    }
}
