import Glibc
import JSON
import Runtime

extension PartBench {
    /// Many jobs due at the same instant: when the last of them has started.
    func bursts() async throws -> [Figure] {
        try await withCluster { cluster in
            _ = try await burst(cluster, count: 20, name: "warm")
            let few = try await burstsInARow(cluster, count: 50, times: options.choose(7, quick: 3))
            let many = try await burstsInARow(cluster, count: 1_000, times: options.choose(3, quick: 1))
            return [
                Figure(
                    .burst, "50 due at once: last start", few * 1000, "ms", .atMost(2 * limits.burst50 * 1000),
                    limit: limits.burst50 * 1000),
                Figure(
                    .burst, "1,000 due at once: last start", many, "s", .atMost(1.5 * limits.burst1000),
                    limit: limits.burst1000),
            ]
        }
    }

    private func burstsInARow(_ cluster: Cluster, count: Int, times: Int) async throws -> Double {
        var seconds: [Double] = []
        for time in 0..<times { seconds.append(try await burst(cluster, count: count, name: "burst-\(count)-\(time)")) }
        return Samples(seconds).median
    }

    /// - Returns: seconds from the due instant to the last start, by the commands' own account.
    private func burst(_ cluster: Cluster, count: Int, name: String) async throws -> Double {
        let stamps = Stamps(path: "\(cluster.outputDirectory)/\(name)")
        // Time to post them all.
        let due = (Stamps.now / 1_000_000_000 + 3 + Int64(count) / 250) * 1_000_000_000
        let jobs = (0..<count).map { index in
            Cluster.job("\(name)-\(index)", schedule: "R1/\(Self.iso(due))/PT1H", command: stamps.dateCommand)
        }
        try await cluster.post(jobs)
        guard Stamps.now < due else { throw BenchError("the jobs of a burst were not posted before they were due") }
        try await cluster.wait(until: "\(count) jobs have started", atMost: .seconds(90), every: .milliseconds(50)) {
            try stamps.read().count >= count
        }
        let all = try stamps.read()
        guard all.count == count, let last = all.max(), let first = all.min() else {
            throw BenchError("\(all.count) starts of \(count) jobs")
        }
        guard first >= due else { throw BenchError("a job has started \(Double(due - first) / 1e6) ms too early") }
        try await settle(cluster)
        return Double(last - due) / 1e9
    }

    /// Waits until no run is active any more.
    func settle(_ cluster: Cluster) async throws {
        try await cluster.wait(until: "all runs have ended", atMost: .seconds(180), every: .milliseconds(50)) {
            try await cluster.integer("SELECT count(*) FROM carillon.runs") == 0
        }
    }
}
