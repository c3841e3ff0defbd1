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
    /// `/bin/sh -c 'exit 0'`, started and reaped a second, likewise.
    var shells = 0.0
    /// Milliseconds from the decision to start a program to its first instruction, one after the other.
    var starts = Samples([])
    /// Milliseconds from an instant that a C loop sleeps for to the first instruction of the program it starts then.
    var wakes = Samples([])

    var figures: [Figure] {
        [
            Figure(.limits, "processes started and reaped, C loop, 8 alive", spawns, "a second"),
            Figure(.limits, "the same 50 commands, C loop, last start", burst50 * 1000, "ms"),
            Figure(.limits, "the same 1,000 commands, C loop, last start", burst1000, "s"),
            Figure(.limits, "shells started and reaped, C loop, 8 alive", shells, "a second"),
            Figure(.limits, "one program started, C loop, p50", starts.median, "ms"),
            Figure(.limits, "the same, p99", starts.quantile(0.99), "ms"),
            Figure(.limits, "an instant slept for and one program started, C loop, p50", wakes.median, "ms"),
            Figure(.limits, "the same, p99", wakes.quantile(0.99), "ms"),
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
        let shells = options.choose(2_000, quick: 800)
        limits.shells = Double(shells) / (try spawn(["/bin/sh", "-c", "exit 0"], count: shells))
        let times = options.choose(200, quick: 60)
        limits.starts = try delays(times) { Stamps.now }
        limits.wakes = try delays(times) {
            let instant = Stamps.now + Self.sleep
            var time = timespec(tv_sec: Int(instant / 1_000_000_000), tv_nsec: Int(instant % 1_000_000_000))
            while clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &time, nil) == EINTR {}
            return instant
        }
        return limits
    }

    /// Nanoseconds; long enough for the processors to fall asleep.
    private static let sleep: Int64 = 30_000_000

    /// Milliseconds from the instant that `begin` returns to the first instruction of a program started then.
    private static func delays(_ times: Int, from begin: () -> Int64) throws -> Samples {
        let file = Stamps(path: "/tmp/carillon-bench-limit-\(getpid())")
        defer { file.remove() }
        let program = try Cluster.neighbour("carillon-stamp")
        let begun = try (0..<times).map { _ in
            let instant = begin()
            _ = try spawn([program, file.path], count: 1)
            return instant
        }
        let stamps = try file.read()
        guard stamps.count == times else {
            throw BenchError("only \(stamps.count) of \(times) programs of the C loop have written")
        }
        return Samples(zip(begun, stamps).map { Double($1 - $0) / 1e6 })
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
