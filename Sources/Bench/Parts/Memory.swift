import Runtime

extension PartBench {
    /// What a cluster without jobs holds.
    func memory() async throws -> [Figure] {
        try await withCluster { cluster in
            try await loop.sleep(for: .seconds(options.choose(20, quick: 5)))
            let nodes = cluster.members(.node).values.map(ProcessFacts.residentMegabytes)
            let workers = cluster.members(.worker).values.map(ProcessFacts.residentMegabytes)
            return [
                Figure(.memory, "idle node, resident", Samples(nodes).maximum, "MB", .atMost(30)),
                Figure(.memory, "idle worker, resident", Samples(workers).maximum, "MB", .atMost(30)),
            ]
        }
    }
}
