// Runs whose end a client reports.

extension LeaderState {
    mutating func complete(_ text: String, _ statusCode: Int, now: Moment) -> Bool {
        guard let task = TaskID(text), let job = job(.name(task.jobName)) else { return false }
        for id in runsOfJob[job.id] ?? [] {
            // Offered: it was claimed through another node, of which this leader has not heard yet. If it was not, the
            // commit is refused, since only a started run can end so.
            guard let active = runs[id], active.run.state == .started || active.run.state == .offered,
                active.definition.reportsCompletion, active.run.attempt == task.attempt,
                active.run.due.milliseconds == task.dueMilliseconds
            else { continue }
            conclude(
                id,
                record: AttemptRecord(
                    attempt: active.run.attemptID, worker: active.run.worker, startedAt: active.run.startedAt,
                    finishedAt: now.wall, state: statusCode == 0 ? .succeeded : .failed, exitCode: statusCode,
                    reason: statusCode == 0 ? "" : "it reported status \(statusCode)"),
                now: now)
            return true
        }
        return false
    }

    mutating func armCompletion(_ active: ActiveRun) {
        guard active.definition.reportsCompletion, active.run.worker.isEmpty, let timeout = active.definition.timeout,
            let started = active.run.startedAt
        else { return }
        wallTimers.insert(.completion(active.run.attemptID), at: started.advanced(by: timeout))
    }

    mutating func completionOverdue(_ attempt: AttemptID, now: Moment) {
        guard let active = runs[attempt.run], active.run.attemptID == attempt, active.run.state == .started else {
            return
        }
        conclude(
            attempt.run,
            record: AttemptRecord(
                attempt: attempt, worker: active.run.worker, startedAt: active.run.startedAt, finishedAt: now.wall,
                state: .failed, reason: "its completion was not reported within the job's timeout"),
            now: now)
    }
}

/// Chronos' task id, taken apart: `ct:<millis>:<attempt>:<name>[:<arguments>]`.
public struct TaskID: Hashable, Sendable {
    public let dueMilliseconds: Int64
    public let attempt: Int
    public let jobName: String

    public init?(_ text: String) {
        let parts = text.split(separator: ":", maxSplits: 4, omittingEmptySubsequences: false)
        guard parts.count >= 4, parts[0] == "ct", let due = Int64(parts[1]), let attempt = Int(parts[2]) else {
            return nil
        }
        dueMilliseconds = due
        self.attempt = attempt
        jobName = String(parts[3])
    }
}
