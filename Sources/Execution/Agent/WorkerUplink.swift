public import Domain

/// The nodes, as a worker sees them.
public protocol WorkerUplink: ReportSink {
    /// Somebody who was believed has said who leads. The next messages go there first.
    func leaderAnnounced(url: String, term: Term) async
}
