/// A worker as the leader sees it now.
public struct WorkerOverview: Hashable, Sendable {
    public var worker: Worker
    public var used: Resources
    /// Runs that it has been offered or has started.
    public var runs: Int
    public var isLive: Bool
    /// Since its last sign of life to this leader.
    public var silence: Duration
}

extension LeaderState {
    /// How many runs are in each state that is not terminal.
    public var runsByState: [RunState: Int] {
        runs.values.reduce(into: [:]) { $0[$1.run.state, default: 0] += 1 }
    }

    /// All known workers, by name.
    public func overview(at uptime: Duration) -> [WorkerOverview] {
        workers.values
            .map {
                WorkerOverview(
                    worker: $0.worker, used: $0.used,
                    runs: runsOfWorker[$0.worker.description.name]?.count ?? 0, isLive: $0.isLive,
                    silence: uptime - $0.lastHeard)
            }
            .sorted { $0.worker.description.name < $1.worker.description.name }
    }

    /// Why a run has not started, for people; nil where it is not among those that have not ended.
    public func explanation(of id: RunID) -> String? {
        runs[id].map { explain($0) }
    }
}

/// A run that has not ended, and what its worker last told of it.
public struct ActiveRunOverview: Sendable {
    public var run: Run
    /// What this run is carried out by: the job's definition, or what was changed for this run alone.
    public var definition: JobDefinition
    /// Nil where nothing has been told yet.
    public var details: AttemptDetails?
    /// Why it has not started; empty for one that has.
    public var explanation: String
}

extension LeaderState {
    /// Runs that have not ended, of one job or of all, in the order of their identifiers.
    public func activeRuns(of job: JobID? = nil, limit: Int = Limits.activeRuns) -> [ActiveRunOverview] {
        let ids = job.map { runsOfJob[$0] ?? [] } ?? Array(runs.keys)
        return ids.sorted().prefix(max(0, limit)).compactMap { activeRun($0, explained: false) }
    }

    /// Nil where it is not among those that have not ended.
    public func activeRun(_ id: RunID, explained: Bool = true) -> ActiveRunOverview? {
        guard let active = runs[id] else { return nil }
        let hasStarted = active.run.state == .started
        return ActiveRunOverview(
            run: active.run, definition: active.definition, details: active.details,
            explanation: hasStarted ? "" : explained ? explain(active) : active.run.reason)
    }

    /// Keeps what a running task has told, within a bound over all of them: beyond it the words of the task itself are
    /// left out, which reach the database at its end all the same.
    mutating func setDetails(_ details: AttemptDetails?, of id: RunID) {
        guard let active = runs[id] else { return }
        detailBytes -= active.details?.reported.utf8.count ?? 0
        var kept = details
        if let size = details?.reported.utf8.count, detailBytes + size > Limits.liveDetails {
            kept?.reported = "{}"
            kept?.result = nil
        }
        detailBytes += kept?.reported.utf8.count ?? 0
        runs[id]?.details = kept
    }
}
