import CBench
import Glibc
import PostgresClient
import Runtime

/// What this machine can do without Carillon.
struct PhysicalLimits: Sendable {
    /// `/bin/true`, started and reaped a second by a C loop with 8 alive.
    var spawns = 0.0
    /// Seconds until the last of 50, or 1,000, of the burst's command has started, from a C loop with 8 alive.
    var burst50 = 0.0
    var burst1000 = 0.0

    var figures: [Figure] {
        [
            Figure(.limits, "processes started and reaped, C loop, 8 alive", spawns, "a second"),
            Figure(.limits, "the same 50 commands, C loop, last start", burst50 * 1000, "ms"),
            Figure(.limits, "the same 1,000 commands, C loop, last start", burst1000, "s"),
        ]
    }

    static func measure(_ options: BenchOptions) async throws -> PhysicalLimits {
        var limits = PhysicalLimits()
        let count = options.choose(4_000, quick: 1_500)
        _ = try spawn(["/bin/true"], count: 200)  // warms the caches
        let rates = try (0..<3).map { _ in Double(count) / (try spawn(["/bin/true"], count: count)) }
        limits.spawns = Samples(rates).median
        limits.burst50 = Samples(try (0..<5).map { _ in try lastStart(50) }).median
        limits.burst1000 = Samples(try (0..<options.choose(3, quick: 1)).map { _ in try lastStart(1_000) }).median
        return limits
    }

    /// - Returns: seconds.
    private static func spawn(_ words: [String], count: Int) throws -> Double {
        let nanoseconds = CWords.with(words) { cbench_spawn_and_reap($0, Int32(count), 8) }
        guard nanoseconds >= 0 else {
            throw BenchError("cannot start \(words[0]): \(String(cString: strerror(errno)))")
        }
        return Double(nanoseconds) / 1e9
    }

    private static func lastStart(_ count: Int) throws -> Double {
        let file = Stamps(path: "/tmp/carillon-bench-limit-\(getpid())")
        defer { file.remove() }
        let start = Stamps.now
        _ = try spawn(["/bin/sh", "-c", file.dateCommand], count: count)
        let stamps = try file.read()
        guard stamps.count == count, let last = stamps.max() else {
            throw BenchError("only \(stamps.count) of \(count) commands of the C loop have written")
        }
        return Double(last - start) / 1e9
    }
}

/// Durable commits of one row each, by clients that wait for the answer before they send the next one.
enum CommitLimit {
    static func measure(_ cluster: Cluster, clients: Int, seconds: Double) async throws -> Double {
        let loop = cluster.loop
        let configuration = PostgresConfiguration(url: cluster.databaseURL, applicationName: "carillon-bench")
        let first = try await PostgresConnection.connect(configuration, loop: loop)
        _ = try await first.query(
            Statement("CREATE TABLE IF NOT EXISTS public.bench_commit (id int8, value text)"), deadline: .seconds(10))
        await first.close()
        let end = loop.monotonicNow.advanced(by: .milliseconds(Int64(seconds * 1000)))
        let commits = try await withThrowingTaskGroup(of: Int.self) { group in
            for client in 0..<clients {
                group.addTask(executorPreference: loop) {
                    let connection = try await PostgresConnection.connect(configuration, loop: loop)
                    var count = 0
                    while loop.monotonicNow < end {
                        _ = try await connection.query(
                            Statement(
                                "INSERT INTO public.bench_commit VALUES ($1::int8, $2::text)", .int(Int64(client)),
                                .text(
                                    "a row of about the usual length, a hundred bytes of text"
                                )),
                            deadline: .seconds(10))
                        count += 1
                    }
                    await connection.close()
                    return count
                }
            }
            return try await group.reduce(0, +)
        }
        return Double(commits) / seconds
    }
}
