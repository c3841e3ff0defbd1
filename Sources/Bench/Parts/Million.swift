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
            let takeOver = try await takeOver(cluster, try await beat(cluster), by: SIGKILL)
            let jobs = Figure.shown(Double(count))
            return [
                Figure(.million, "\(jobs) jobs, none due: CPU of the leader", share, "% of a core", .atMost(1)),
                Figure(.million, "the same, resident memory of the leader", resident, "MB", .atMost(100)),
                Figure(.million, "the same, leader killed: until a job starts", takeOver, "s", .atMost(0.5)),
            ]
        }
    }
}
