import Glibc
import PostgresClient
import Runtime

extension PartBench {
    /// From the loss of the leader to the next start by its successor; from the loss of a worker to the verdict on its
    /// run.
    func failover() async throws -> [Figure] {
        var killed: [Double] = []
        var frozen: [Double] = []
        var lost = 0.0
        try await withCluster(nodes: max(3, options.nodes), workers: max(2, options.workers)) { cluster in
            let stamps = try await beat(cluster)
            for _ in 0..<options.choose(5, quick: 2) {
                killed.append(try await loseLeader(cluster, stamps, by: SIGKILL))
            }
            for _ in 0..<options.choose(2, quick: 1) {
                frozen.append(try await loseLeader(cluster, stamps, by: SIGSTOP))
            }
            lost = try await loseWorker(cluster)
        }
        return [
            Figure(.failover, "leader killed: until the next start, median", Samples(killed).median, "s", .atMost(0.5)),
            Figure(.failover, "the same, the worst", Samples(killed).maximum, "s", .atMost(0.5)),
            Figure(.failover, "leader frozen: until the next start", Samples(frozen).maximum, "s", .atMost(5.5)),
            Figure(.failover, "worker killed: until its run is resolved", lost, "s", .atMost(15)),
        ]
    }

    /// Starts ten programs a second, so that a start is due soon whenever the leader is lost.
    func beat(_ cluster: Cluster) async throws -> Stamps {
        let stamps = Stamps(path: cluster.outputDirectory + "/beat")
        let begin = (Stamps.now / 1_000_000_000 + 3) * 1_000_000_000
        let program = try Cluster.neighbour("carillon-stamp")
        try await cluster.post(
            (0..<10).map { index in
                Cluster.job(
                    "beat-\(index)", schedule: "R/\(Self.iso(begin + Int64(index) * 100_000_000))/PT1S",
                    program: program, arguments: [stamps.path])
            })
        try await cluster.wait(until: "the jobs run", atMost: .seconds(20)) { try stamps.read().count > 30 }
        return stamps
    }

    /// Afterwards all nodes run again.
    private func loseLeader(_ cluster: Cluster, _ stamps: Stamps, by signal: Int32) async throws -> Double {
        let seconds = try await takeOver(cluster, stamps, by: signal)
        // A killed node is started again after three seconds; all are there before the next one is lost.
        try await cluster.wait(until: "all nodes run", atMost: .seconds(20), every: .milliseconds(100)) {
            cluster.members(.node).count == max(3, self.options.nodes)
        }
        try await loop.sleep(for: .seconds(2))
        return seconds
    }

    /// - Returns: seconds until the first start that a new leader decided.
    func takeOver(_ cluster: Cluster, _ stamps: Stamps, by signal: Int32) async throws -> Double {
        let epoch = try await cluster.integer("SELECT epoch FROM carillon.leadership")
        let leader = try await cluster.leaderProcess()
        let lost = Stamps.now
        kill(leader, signal)
        defer { if signal == SIGSTOP { kill(leader, SIGCONT) } }
        var since: Int64?
        try await cluster.wait(until: "a successor has started something", atMost: .seconds(30)) {
            if since == nil, try await cluster.integer("SELECT epoch FROM carillon.leadership") > epoch {
                since = Int64(try await self.elected(cluster))
            }
            guard let since else { return false }
            return try stamps.read().contains { $0 > since }
        }
        let first = try stamps.read().filter { $0 > since ?? .max }.min() ?? Stamps.now
        return Double(first - lost) / 1e9
    }

    /// When the present leader took office, in nanoseconds.
    private func elected(_ cluster: Cluster) async throws -> Int64 {
        try await cluster.integer("SELECT (extract(epoch FROM elected) * 1e9)::int8 FROM carillon.leadership")
    }

    private func loseWorker(_ cluster: Cluster) async throws -> Double {
        let begin = (Stamps.now / 1_000_000_000 + 2) * 1_000_000_000
        try await cluster.post([
            Cluster.job("long", schedule: "R1/\(Self.iso(begin))/PT1H", command: "exec sleep 600")
        ])
        let active = "SELECT count(*) FROM carillon.runs WHERE job_name = 'long' AND state = 'started'"
        try await cluster.wait(until: "it runs", atMost: .seconds(20)) { try await cluster.integer(active) == 1 }
        try await loop.sleep(for: .seconds(1))
        let result = try await cluster.database.query(
            Statement("SELECT worker, id FROM carillon.runs WHERE job_name = 'long'"), deadline: .seconds(10))
        guard let name = try result.rows.first?.requireString(0), let run = try result.rows.first?.requireString(1),
            let process = cluster.members(.worker)[name]
        else { throw BenchError("the run's worker was not found") }
        let lost = Stamps.now
        // Frozen and not killed: a worker that is started again would tell of it by itself.
        kill(process, SIGSTOP)
        defer { kill(process, SIGCONT) }
        try await cluster.wait(until: "its run is resolved", atMost: .seconds(60)) {
            // The job has retries: what is resolved is the try. Those of others may be lost with the worker as well.
            try await cluster.integer(
                "SELECT count(*) FROM carillon.attempts WHERE run_id = '\(run)' AND state = 'lost'") > 0
        }
        return Double(Stamps.now - lost) / 1e9
    }
}
