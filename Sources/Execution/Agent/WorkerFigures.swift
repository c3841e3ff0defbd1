public import Domain
public import Runtime

/// What a worker has counted since it began, and what it holds now: for metrics.
public struct WorkerFigures: Sendable {
    /// From the due instant (of a manual run: when it was asked for) to the start of the command, first tries only.
    public var lateness = Histogram(Histogram.latencies)
    /// Of tries that have ended here.
    public var duration = Histogram(Histogram.durations)
    public var succeeded: Int64 = 0
    /// Ended in any other way.
    public var failed: Int64 = 0
    /// What the journal holds.
    public var held: [HeldAttempt.Phase: Int] = [:]
    /// Ends that no leader has acknowledged yet.
    public var unacknowledged = 0
    /// Processes that were still alive long after they were killed.
    public var survivors = 0
    public var used = Resources.zero
    public var term = Term.none
}

extension WorkerAgent {
    public var figures: WorkerFigures {
        var figures = counted
        for holding in holdings.values { figures.held[holding.phase, default: 0] += 1 }
        figures.unacknowledged = spool.count
        figures.survivors = survivors
        figures.used = used
        figures.term = highestTerm
        return figures
    }

    /// With run, try and job on each line.
    func log(of attempt: AttemptID) -> Log {
        let log = log.with("run", attempt.run).with("attempt", attempt.number)
        return holdings[attempt]?.offer.map { log.with("job", $0.jobName) } ?? log
    }

    func count(_ report: AttemptReport) {
        if let started = report.startedAt { counted.duration.observe(started.duration(to: report.finishedAt)) }
        switch report.outcome {
        case .exited(code: 0), .reported(isSuccess: true): counted.succeeded += 1
        default: counted.failed += 1
        }
    }
}
