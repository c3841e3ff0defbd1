import Runtime

extension PartBench {
    /// Runs ordered over the API, one after the other: from the request to the first instruction of the process.
    func runNow() async throws -> [Figure] {
        let count = options.choose(200, quick: 40)
        return try await withCluster { cluster in
            let stamps = Stamps(path: cluster.outputDirectory + "/now")
            try await cluster.post([
                Cluster.job(
                    "now", schedule: "R1/2100-01-01T00:00:00Z/PT1H", program: try Cluster.neighbour("carillon-stamp"),
                    arguments: [stamps.path])
            ])
            let port = try await cluster.leaderPort()
            var late: [Double] = []
            for index in 0..<count + 5 {
                let asked = Stamps.now
                try await cluster.send(.put, "/v1/scheduler/job/now", port: port)
                try await cluster.wait(until: "it runs", atMost: .seconds(10), every: .milliseconds(2)) {
                    try stamps.read().count > index
                }
                guard let started = try stamps.read().last else { continue }
                late.append(Double(started - asked) / 1e6)
                try await loop.sleep(for: .milliseconds(15))
            }
            let samples = Samples(Array(late.dropFirst(5)))
            return [
                Figure(.runNow, "run now, request to process start, p50", samples.median, "ms", .atMost(5)),
                Figure(.runNow, "the same, p99", samples.quantile(0.99), "ms", .atMost(15)),
            ]
        }
    }
}
