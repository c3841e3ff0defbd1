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
