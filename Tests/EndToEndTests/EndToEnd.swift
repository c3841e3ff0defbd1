import Testing

// EndToEndTests: what a user meets, with real processes, a real PostgreSQL, curl and Python's requests.
//
// All suites are members of one serialised suite, so that no two clusters share the machine, and suites share a cluster
// where they can (`OnCluster`). Nothing sleeps for a fixed time: conditions are awaited with generous deadlines, and
// what is asserted is about order, identity and counts. The few bounds in time say on what they rest.

/// The parent of all suites with a cluster of their own: one at a time.
@Suite("A cluster of real processes", .serialized) enum EndToEnd {
    /// Suites that share one cluster of three nodes and two workers, with no faults.
    @Suite("on three nodes and two workers", .serialized, .cluster(shared))
    enum Shared {}
}

@Sendable private func shared() -> Cluster.Options {
    var options = Cluster.Options()
    options.nodes = 3
    options.workers = 2
    options.nodeArguments = ["--retry-delay", "1"]
    options.workerArguments = ["--kill-grace", "2"]
    return options
}
