import JSON
import Runtime

extension PartBench {
    /// Runs of `/bin/true`, all due at once, until the last end is committed.
    func throughput() async throws -> [Figure] {
        let count = options.choose(6_000, quick: 2_000)
        return try await withCluster { cluster in
            let one = try await CommitLimit.measure(cluster, clients: 1, seconds: options.choose(4, quick: 1))
            let eight = try await CommitLimit.measure(cluster, clients: 8, seconds: options.choose(4, quick: 1))
            let due = (Stamps.now / 1_000_000_000 + 4 + Int64(count) / 250) * 1_000_000_000
            let jobs = (0..<count).map { index in
                Cluster.job(
                    "true-\(index)", schedule: "R1/\(Self.iso(due))/PT1H", program: "/bin/true", arguments: [],
                    megabytes: 1)
            }
            try await cluster.post(jobs)
            guard Stamps.now < due else { throw BenchError("the jobs were not posted before they were due") }
            let before = try await cluster.cpu()
            try await cluster.wait(until: "\(count) runs have ended", atMost: .seconds(120)) {
                try await cluster.integer("SELECT count(*) FROM carillon.run_history WHERE state = 'succeeded'")
                    >= Int64(count)
            }
            let seconds = Double(Stamps.now - due) / 1e9
            let cpu = try await cluster.cpu() - before
            let perThousand = 1_000 / Double(count)
            return [
                Figure(.throughput, "commits of one row, 1 client", one, "a second"),
                Figure(.throughput, "commits of one row, 8 clients", eight, "a second"),
                Figure(
                    .throughput, "runs of /bin/true to durable completion", Double(count) / seconds, "a second",
                    .atLeast(max(1_000, 0.4 * limits.spawns)), limit: limits.spawns),
                Figure(.throughput, "CPU of the leader for 1,000 of them", cpu.leader * perThousand, "s"),
                Figure(.throughput, "CPU of the workers for 1,000 of them", cpu.workers * perThousand, "s"),
                Figure(.throughput, "CPU of the database for 1,000 of them", cpu.database * perThousand, "s"),
            ]
        }
    }
}
