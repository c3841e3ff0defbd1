import JSON
import PostgresClient
import Runtime

/// What a load of jobs that are due each second costs.
struct LoadCost: Sendable {
    /// Milliseconds from the due instant to the grant of the claim, by the database's account.
    var lateness: Samples
    /// Of what was due: what was started. The rest has a verdict (skipped, because more of the job waited than may).
    var started: Double
    /// Seconds of CPU for each second.
    var cpu: ClusterCPU
}

extension PartBench {
    func costOfRate() async throws -> [Figure] {
        var figures: [Figure] = []
        for rate in [1, 10, 100, 1_000] {
            let cost = try await withCluster { cluster in
                try await load(cluster, perSecond: rate, seconds: options.choose(30, quick: 10))
            }
            figures += Self.figures(.costRate, "\(Figure.shown(Double(rate))) due a second", cost)
        }
        return figures
    }

    func costOfJobs() async throws -> [Figure] {
        var figures: [Figure] = []
        for count in options.choose([1_000, 100_000, 1_000_000], quick: [1_000, 100_000]) {
            let cost = try await withCluster { cluster in
                try await cluster.post([
                    Cluster.job("idle", schedule: "R/2100-01-01T00:00:00Z/PT1H", command: "exit 0")
                ])
                try await Filling.copyJob(cluster, named: "idle", count: count)
                return try await load(cluster, perSecond: 10, seconds: options.choose(30, quick: 10))
            }
            figures += Self.figures(.costJobs, "10 due a second of \(Figure.shown(Double(count))) jobs", cost)
        }
        return figures
    }

    func costOfHistory() async throws -> [Figure] {
        var figures: [Figure] = []
        for count in [0, options.choose(10_000_000, quick: 500_000)] {
            let cost = try await withCluster { cluster in
                if count > 0 { try await Filling.addHistory(cluster, count: count) }
                return try await load(cluster, perSecond: 10, seconds: options.choose(30, quick: 10))
            }
            figures += Self.figures(
                .costHistory, "10 due a second, \(Figure.shown(Double(count))) runs of history", cost)
        }
        return figures
    }

    /// The same load before, and at the end of, the time for which a transaction of somebody else stays open.
    func costOfSnapshot() async throws -> [Figure] {
        try await withCluster { cluster in
            let seconds = options.choose(600, quick: 30)
            let loop = self.loop
            let holder = try await PostgresConnection.connect(
                PostgresConfiguration(url: cluster.databaseURL, applicationName: "bench-snapshot"), loop: loop)
            try await holder.script("SELECT 1", deadline: .seconds(5))
            let before = try await load(cluster, perSecond: 100, seconds: options.choose(30, quick: 10))
            // A cursor of a transaction keeps its snapshot for as long as the transaction is open.
            _ = try await holder.query(
                Statement("BEGIN ISOLATION LEVEL REPEATABLE READ"), deadline: .seconds(5))
            _ = try await holder.query(Statement("SELECT count(*) FROM carillon.jobs"), deadline: .seconds(5))
            let after = try await load(
                cluster, perSecond: 100, seconds: seconds, countingLast: options.choose(30, quick: 10), name: "held")
            await holder.close()
            return Self.figures(.costSnapshot, "100 due a second", before)
                + Self.figures(.costSnapshot, "the same, a snapshot held for \(seconds) s", after)
        }
    }

    private static func figures(_ part: Part, _ what: String, _ cost: LoadCost) -> [Figure] {
        [
            Figure(part, "\(what): started", cost.started * 100, "%"),
            Figure(part, "\(what): lateness p50", cost.lateness.median, "ms"),
            Figure(part, "\(what): lateness p99", cost.lateness.quantile(0.99), "ms"),
            Figure(part, "\(what): CPU leader", cost.cpu.leader * 100, "% of a core"),
            Figure(part, "\(what): CPU workers", cost.cpu.workers * 100, "% of a core"),
            Figure(part, "\(what): CPU database", cost.cpu.database * 100, "% of a core"),
        ]
    }

    /// Jobs that are due each second, spread over it.
    /// - Parameter countingLast: only what is due in that many seconds at the end counts.
    private func load(
        _ cluster: Cluster, perSecond: Int, seconds: Int, countingLast: Int? = nil, name: String = "load"
    ) async throws -> LoadCost {
        let counted = countingLast ?? seconds
        let begin = (Stamps.now / 1_000_000_000 + 4 + Int64(perSecond) / 250) * 1_000_000_000
        let warm = 3
        let jobs = (0..<perSecond).map { index in
            let anchor = begin + Int64(index) * 1_000_000_000 / Int64(perSecond)
            return Cluster.job(
                "\(name)-\(index)", schedule: "R\(seconds + warm)/\(Self.iso(anchor))/PT1S", program: "/bin/true",
                arguments: [], megabytes: 1)
        }
        try await cluster.post(jobs)
        let from = begin + Int64(warm + seconds - counted) * 1_000_000_000
        let end = begin + Int64(warm + seconds) * 1_000_000_000
        try await sleep(until: from)
        let before = try await cluster.cpu()
        try await sleep(until: end)
        let cpu = try await cluster.cpu() - before
        try await settle(cluster)
        let result = try await cluster.database.query(
            Statement(
                """
                SELECT (extract(epoch FROM started_at - due) * 1000)::float8 FROM carillon.run_history
                 WHERE job_name LIKE $1::text AND due >= to_timestamp($2::float8) AND started_at IS NOT NULL
                """, .text("\(name)-%"), .double(Double(from) / 1e9)), deadline: .seconds(60))
        let lateness = Samples(try result.rows.map { try $0.requireDouble(0) })
        guard lateness.count > 0 else { throw BenchError("none of \(perSecond * counted) runs was started") }
        let share = 1 / Double(counted)
        return LoadCost(
            lateness: lateness, started: Double(lateness.count) / Double(perSecond * counted),
            cpu: ClusterCPU(
                leader: cpu.leader * share, followers: cpu.followers * share, workers: cpu.workers * share,
                database: cpu.database * share))
    }

    private func sleep(until instant: Int64) async throws {
        try await loop.sleep(for: .nanoseconds(max(0, instant - Stamps.now)))
    }
}
