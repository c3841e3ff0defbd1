import Glibc
import Runtime

extension PartBench {
    /// A million jobs with a schedule, none of them due for a century.
    func million() async throws -> [Figure] {
        let count = options.choose(1_000_000, quick: 100_000)
        let seconds = options.choose(60, quick: 15)
        return try await withCluster(nodes: max(3, options.nodes)) { cluster in
            try await cluster.post([
                Cluster.job("idle", schedule: "R/2100-01-01T00:00:00Z/PT1H", command: "exit 0")
            ])
            try await Filling.copyJob(cluster, named: "idle", count: count)
            // A leader that has read everything anew.
            kill(try await cluster.leaderProcess(), SIGKILL)
            try await loop.sleep(for: .seconds(8))
            let before = try await cluster.cpu()
            let from = loop.monotonicNow
            try await loop.sleep(for: .seconds(seconds))
            let used = try await cluster.cpu() - before
            let elapsed = from.duration(to: loop.monotonicNow)
            let share = used.leader / (Double(elapsed.components.seconds)) * 100
            let resident = ProcessFacts.residentMegabytes(try await cluster.leaderProcess())
            let takeOver = try await takeOver(cluster)
            let jobs = Figure.shown(Double(count))
            return [
                Figure(.million, "\(jobs) jobs, none due: CPU of the leader", share, "% of a core", .atMost(1)),
                Figure(.million, "the same, resident memory of the leader", resident, "MB", .atMost(100)),
                Figure(.million, "the same, leader killed: until a job starts", takeOver, "s", .atMost(0.5)),
            ]
        }
    }

    private func takeOver(_ cluster: Cluster) async throws -> Double {
        let stamps = Stamps(path: cluster.outputDirectory + "/after")
        let begin = (Stamps.now / 1_000_000_000 + 2) * 1_000_000_000
        let program = try Cluster.neighbour("carillon-stamp")
        try await cluster.post(
            (0..<20).map { index in
                Cluster.job(
                    "beat-\(index)", schedule: "R/\(Self.iso(begin + Int64(index) * 50_000_000))/PT1S",
                    program: program, arguments: [stamps.path])
            })
        try await cluster.wait(until: "the jobs run", atMost: .seconds(20)) { try stamps.read().count > 40 }
        let epoch = try await cluster.integer("SELECT epoch FROM carillon.leadership")
        let leader = try await cluster.leaderProcess()
        let lost = Stamps.now
        kill(leader, SIGKILL)
        let query = """
            SELECT coalesce(max((extract(epoch FROM elected) * 1e9)::int8), 0) FROM carillon.leadership \
            WHERE epoch > \(epoch)
            """
        var elected: Int64 = 0
        try await cluster.wait(until: "a successor has started something", atMost: .seconds(30)) {
            if elected == 0 { elected = try await cluster.integer(query) }
            return try elected > 0 && stamps.read().contains { $0 > elected }
        }
        let first = try stamps.read().filter { $0 > elected }.min() ?? Stamps.now
        return Double(first - lost) / 1e9
    }
}
