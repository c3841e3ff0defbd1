import CBench
import Glibc
import JSON
import Runtime

/// What the worker does for a run, and what its limits are worth.
extension PartBench {
    func execution() async throws -> [Figure] {
        try await withCluster(nodes: 1, workers: 1) { cluster in
            var figures = try await overhead(cluster)
            figures += try await output(cluster)
            figures += try await enforcement(cluster)
            // Last: they run until the cluster ends.
            return try await figures + sleeping(cluster)
        }
    }

    // MARK: Overhead

    /// `/bin/true`, one after the other: from the request to the durable end, and what CPU all of Carillon takes.
    private func overhead(_ cluster: Cluster) async throws -> [Figure] {
        let count = options.choose(200, quick: 50)
        try await cluster.post([ordered("overhead", "/bin/true", shell: false)])
        let port = try await cluster.leaderPort()
        func run(_ number: Int) async throws -> Double {
            let asked = Stamps.now
            try await cluster.send(.put, "/v1/scheduler/job/overhead", port: port)
            try await cluster.wait(until: "run \(number) has ended", atMost: .seconds(10), every: .milliseconds(1)) {
                try await ended("overhead", cluster) >= number
            }
            return Double(Stamps.now - asked) / 1e6
        }
        for warm in 1...5 { _ = try await run(warm) }
        // What it takes while nothing runs, and what asking the database takes, is no part of a run.
        let idle = try await cpu(cluster) { try await loop.sleep(for: .seconds(3)) }
        var times: [Double] = []
        let begun = Stamps.now
        let busy = try await cpu(cluster) {
            for number in 6..<count + 6 { times.append(try await run(number)) }
        }
        let seconds = Double(Stamps.now - begun) / 1e9
        let bare = 1_000 / limits.spawns
        return [
            Figure(
                .execution, "/bin/true, request to durable end, p50", Samples(times).median, "ms", limit: bare),
            Figure(
                .execution, "CPU of node and worker for it", (busy - idle / 3 * seconds) * 1_000 / Double(count), "ms",
                limit: bare),
        ]
    }

    /// Of the leader and the worker, in seconds.
    private func cpu(
        _ cluster: Cluster, _ body: () async throws -> Void
    ) async throws -> Double {
        let before = try await cluster.cpu()
        try await body()
        let used = try await cluster.cpu() - before
        return used.leader + used.workers
    }

    // MARK: Output

    /// 100 MB of lines from one run.
    private func output(_ cluster: Cluster) async throws -> [Figure] {
        let megabytes = 100
        let lines = "yes 'a line of output, as programs write them in great number' | head -c \(megabytes)000000"
        let file = "\(cluster.outputDirectory)/bare"
        // As a shell would keep it: a pipe, and one who writes into a file.
        let bare = CWords.with(["/bin/sh", "-c", "(\(lines)) | cat > \(file)"]) { cbench_spawn_and_reap($0, 1, 1) }
        guard bare > 0 else { throw BenchError("cannot run a shell: \(String(cString: strerror(errno)))") }
        let limit = Double(megabytes) / (Double(bare) / 1e9)
        unlink(file)

        // With the least share of a processor it would be held back by that.
        try await cluster.post([ordered("output", lines, ["cpus": 1])])
        let worker = try workerProcess(cluster)
        let before = ProcessFacts.residentMegabytes(worker)
        var most = before
        try await cluster.send(.put, "/v1/scheduler/job/output", port: try await cluster.leaderPort())
        try await cluster.wait(until: "the output has ended", atMost: .seconds(60), every: .milliseconds(5)) {
            most = max(most, ProcessFacts.residentMegabytes(worker))
            return try await ended("output", cluster) == 1
        }
        let seconds = try await milliseconds("output", cluster) / 1_000
        return [
            Figure(
                .execution, "\(megabytes) MB of output from one run", Double(megabytes) / seconds, "MB/s",
                .atLeast(100), limit: limit),
            Figure(.execution, "growth of the worker meanwhile", most - before, "MB", .atMost(10)),
        ]
    }

    // MARK: Limits

    private func enforcement(_ cluster: Cluster) async throws -> [Figure] {
        try await cluster.post([
            ordered("hungry", "exec tail /dev/zero", ["mem": 64, "cpus": 1]),
            ordered("endless", "exec sleep 1000", ["maxCompletionTime": 2]),
        ])
        let port = try await cluster.leaderPort()
        for name in ["hungry", "endless"] {
            try await cluster.send(.put, "/v1/scheduler/job/\(name)", port: port)
            try await cluster.wait(until: "\(name) was ended", atMost: .seconds(30)) {
                try await ended(name, cluster) == 1
            }
        }
        return [
            Figure(
                .execution, "a run that exceeds its memory dies after", try await milliseconds("hungry", cluster) / 1e3,
                "s", .atMost(1)),
            Figure(
                .execution, "a run that exceeds its timeout dies after",
                try await milliseconds("endless", cluster) / 1e3 - 2, "s", .atMost(1.5)),
        ]
    }

    // MARK: Many

    private func sleeping(_ cluster: Cluster) async throws -> [Figure] {
        let count = 500
        let names = (0..<count).map { "sleep-\($0)" }
        try await cluster.post(names.map { ordered($0, "/bin/sleep", ["arguments": ["1000"]], shell: false) })
        let port = try await cluster.leaderPort()
        for name in names { try await cluster.send(.put, "/v1/scheduler/job/\(name)", port: port) }
        try await cluster.wait(until: "\(count) commands run", atMost: .seconds(60)) {
            try await cluster.integer("SELECT count(*) FROM carillon.runs WHERE state = 'started'") >= Int64(count)
        }
        try await loop.sleep(for: .seconds(options.choose(10, quick: 3)))
        let worker = try workerProcess(cluster)
        return [
            Figure(
                .execution, "worker with \(count) sleeping runs, resident", ProcessFacts.residentMegabytes(worker),
                "MB", .atMost(60))
        ]
    }

    // MARK: What they share

    /// A job that only requests start.
    private func ordered(_ name: String, _ command: String, _ more: JSONObject = [:], shell: Bool = true) -> JSONValue {
        guard
            case .object(var object) = Cluster.job(name, schedule: "R1/2100-01-01T00:00:00Z/PT1H", command: command)
        else { return .null }
        object["shell"] = .bool(shell)
        // Enough for a shell and two programs.
        object["mem"] = 16
        object["retries"] = 0
        for (key, value) in more { object[key] = value }
        return .object(object)
    }

    private func ended(_ job: String, _ cluster: Cluster) async throws -> Int {
        Int(
            clamping: try await cluster.integer(
                "SELECT count(*) FROM carillon.run_history r JOIN carillon.jobs j ON j.id = r.job_id "
                    + "WHERE j.name = '\(job)'"))
    }

    /// From its start to its end, as they are recorded.
    private func milliseconds(_ job: String, _ cluster: Cluster) async throws -> Double {
        let micro = try await cluster.integer(
            """
            SELECT (extract(epoch FROM r.finished_at - r.started_at) * 1e6)::int8 FROM carillon.run_history r \
            JOIN carillon.jobs j ON j.id = r.job_id WHERE j.name = '\(job)' LIMIT 1
            """)
        return Double(micro) / 1_000
    }

    private func workerProcess(_ cluster: Cluster) throws -> pid_t {
        guard let worker = cluster.members(.worker).values.first else { throw BenchError("the worker does not run") }
        return worker
    }
}
