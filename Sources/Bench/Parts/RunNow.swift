import Runtime

extension PartBench {
    /// Runs ordered over the API, one after the other: from the request to the first instruction of the process.
    func runNow() async throws -> [Figure] {
        try await withCluster { cluster in
            let stamps = Stamps(path: cluster.outputDirectory + "/now")
            try await cluster.post([
                Cluster.job(
                    "now", schedule: "R1/2100-01-01T00:00:00Z/PT1H", program: try Cluster.neighbour("carillon-stamp"),
                    arguments: [stamps.path])
            ])
            let port = try await cluster.leaderPort()
            let samples = try await startDelays(cluster, stamps) {
                try await cluster.send(.put, "/v1/scheduler/job/now", port: port)
            }
            let least = try await leastDelay(cluster)
            return [
                Figure(
                    .runNow, "run now, request to process start, p50", samples.median, "ms", .atMost(5), limit: least),
                Figure(.runNow, "the same, p99", samples.quantile(0.99), "ms", .atMost(15)),
            ]
        }
    }
}
