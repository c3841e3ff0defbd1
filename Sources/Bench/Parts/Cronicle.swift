import JSON
import Runtime

extension PartBench {
    /// The Cronicle dialect: jobs by `run_event`, and what the leader answers with 1,000 and with 100,000 events. The
    /// goals are ahead of Cronicle 0.9 on the same kind of machine.
    func cronicle() async throws -> [Figure] {
        try await withCluster(nodes: 1) { cluster in
            let port = try await cluster.leaderPort()
            var figures = try await starts(cluster, port)
            figures += try await completions(cluster, port)
            for index in 0..<1_000 { try await create(cluster, port, "listed\(index)", script: "exit 0") }
            for (name, path, goal) in [
                ("get_schedule, 1,000 events, all", "get_schedule/v1?limit=0", 1_000.0),
                ("get_schedule, 1,000 events, 50 rows", "get_schedule/v1?limit=50", 12_000),
                ("get_event", "get_event/v1?id=listed500", 20_000),
            ] {
                figures.append(try await answers(.cronicle, name, cluster, port, "/api/app/" + path, goal: goal))
            }
            return figures + (try await many(cluster, port))
        }
    }

    private func create(_ cluster: Cluster, _ port: Int, _ id: String, script: String) async throws {
        try await cluster.send(
            .post, "/api/app/create_event/v1",
            body: [
                "id": .string(id), "title": .string("Event \(id)"), "enabled": 1, "category": "general",
                "target": "allgrp", "plugin": "shellplug", "params": ["script": .string("#!/bin/sh\n\(script)\n")],
                "timing": ["years": [2_199], "minutes": [10]], "timeout": 3_600, "notes": "An event of usual length",
            ], port: port)
    }

    private func runEvent(_ cluster: Cluster, _ port: Int, _ id: String) async throws {
        let bytes = try await cluster.send(.post, "/api/app/run_event/v1", body: ["id": .string(id)], port: port)
        let answer = try JSONValue(parsing: bytes)
        guard answer["code"] == 0 else { throw BenchError("run_event: \(answer.text)") }
    }

    /// One after the other, until the process that the script starts has its first instruction.
    private func starts(_ cluster: Cluster, _ port: Int) async throws -> [Figure] {
        let stamps = Stamps(path: cluster.outputDirectory + "/event")
        try await create(
            cluster, port, "stamped", script: "exec \(try Cluster.neighbour("carillon-stamp")) \(stamps.path)")
        let samples = try await startDelays(cluster, stamps) { try await runEvent(cluster, port, "stamped") }
        let least = try await leastDelay(cluster)
        return [
            Figure(
                .cronicle, "run_event to the script's process, p50", samples.median, "ms", .atMost(5), limit: least),
            Figure(.cronicle, "the same, p99", samples.quantile(0.99), "ms"),
        ]
    }

    /// Jobs of the shell plugin, ordered over 16 connections at a time, until the last end is committed.
    private func completions(_ cluster: Cluster, _ port: Int) async throws -> [Figure] {
        let count = options.choose(3_000, quick: 600)
        try await create(cluster, port, "quick", script: "exit 0")
        let begin = Stamps.now
        try await withThrowingTaskGroup(of: Void.self) { group in
            for client in 0..<16 {
                group.addTask(executorPreference: loop) {
                    for _ in stride(from: client, to: count, by: 16) { try await runEvent(cluster, port, "quick") }
                }
            }
            try await group.waitForAll()
        }
        try await cluster.wait(until: "\(count) jobs have ended", atMost: .seconds(120)) {
            try await cluster.integer(
                "SELECT count(*) FROM carillon.run_history WHERE job_id = 'quick' AND state = 'succeeded'")
                >= Int64(count)
        }
        let seconds = Double(Stamps.now - begin) / 1e9
        return [
            Figure(
                .cronicle, "jobs of the shell plugin to durable completion", Double(count) / seconds, "a second",
                .atLeast(400), limit: limits.shells)
        ]
    }

    /// No call that is not the listing of all may become slow with many events.
    private func many(_ cluster: Cluster, _ port: Int) async throws -> [Figure] {
        try await Filling.copyJob(cluster, named: "Event listed1", count: 100_000)
        var worst: (name: String, value: Double) = ("", 0)
        let calls: [(String, JSONValue)] = [
            ("get_schedule", ["limit": 50]), ("get_schedule", ["offset": 99_000, "limit": 50]),
            ("get_event", ["id": "bench77777"]), ("get_event", ["title": "Event listed7"]),
            ("update_event", ["id": "bench77777", "notes": "changed"]), ("get_active_jobs", [:]),
            ("get_history", ["limit": 50]), ("get_event_history", ["id": "quick", "limit": 50]),
            ("get_categories", [:]), ("run_event", ["id": "quick"]),
        ]
        for (call, body) in calls {
            var times: [Double] = []
            for _ in 0..<options.choose(200, quick: 100) {
                let asked = Stamps.now
                try await cluster.send(.post, "/api/app/\(call)/v1", body: body, port: port)
                times.append(Double(Stamps.now - asked) / 1e6)
            }
            let slow = Samples(times).quantile(0.99)
            if slow > worst.value { worst = ("\(call) \(body.text)", slow) }
        }
        return [
            Figure(
                .cronicle, "slowest call at p99 with 100,000 events (\(worst.name))", worst.value, "ms", .atMost(50))
        ]
    }
}
