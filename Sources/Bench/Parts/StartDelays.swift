import Runtime

extension PartBench {
    /// Orders runs one after the other: milliseconds from each order until the process, which stamps, has its first
    /// instruction. The first few warm up and do not count.
    func startDelays(_ cluster: Cluster, _ stamps: Stamps, order: () async throws -> Void) async throws -> Samples {
        let warmUp = 5
        var late: [Double] = []
        for index in 0..<options.choose(200, quick: 40) + warmUp {
            let asked = Stamps.now
            try await order()
            try await cluster.wait(until: "it runs", atMost: .seconds(10), every: .milliseconds(2)) {
                try stamps.read().count > index
            }
            guard let started = try stamps.read().last else { continue }
            late.append(Double(started - asked) / 1e6)
            try await loop.sleep(for: .milliseconds(15))
        }
        return Samples(Array(late.dropFirst(warmUp)))
    }

    /// Milliseconds that an ordered run needs at least: one commit, which keeps it from being lost or started twice,
    /// and the start of its process.
    func leastDelay(_ cluster: Cluster) async throws -> Double {
        let commits = try await CommitLimit.measure(cluster, clients: 1, seconds: options.choose(2, quick: 1))
        return 1_000 / commits + limits.starts.median
    }
}
