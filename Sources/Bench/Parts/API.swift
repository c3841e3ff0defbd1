import CBench
import Glibc
import Runtime

extension PartBench {
    /// Answers a second of the leader, over 32 kept connections.
    func api() async throws -> [Figure] {
        try await withCluster { cluster in
            try await cluster.post(
                (0..<1_000).map { index in
                    Cluster.job(
                        "listed-\(index)", schedule: "R/2100-01-01T00:00:00Z/PT1H",
                        command:
                            "echo a command of usual length; exec /usr/local/bin/report --day yesterday >> /tmp/log")
                })
            let port = try await cluster.leaderPort()
            let size = try await cluster.send(.get, "/v1/scheduler/jobs", port: port).count
            return [
                try await answers(
                    .api, "GET jobs, 1,000 jobs (\(size / 1_000) KB)", cluster, port, "/v1/scheduler/jobs",
                    connections: 8, goal: 400),
                try await answers(
                    .api, "GET job/{name}", cluster, port, "/v1/scheduler/job/listed-500", goal: 15_000),
                try await answers(.api, "GET /ping", cluster, port, "/ping", goal: 50_000),
            ]
        }
    }

    /// Answers a second to one request, beside what a plain C loop gives that answers as many bytes.
    func answers(
        _ part: Part, _ name: String, _ cluster: Cluster, _ port: Int, _ path: String, connections: Int32 = 32,
        goal: Double
    ) async throws -> Figure {
        let size = try await cluster.send(.get, path, port: port).count
        let limit = try answerLimit(size, connections)
        let rate = try rate(cluster, port, path, connections: connections)
        return Figure(part, name, rate, "a second", .atLeast(goal), limit: limit)
    }

    /// - Parameter size: bytes of the body.
    private func answerLimit(_ size: Int, _ connections: Int32) throws -> Double {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: \(size)\r\n\r\n"
        let answer = Array((head + String(repeating: "x", count: size)).utf8)
        var port: UInt16 = 0
        let server = answer.withUnsafeBytes { bytes in
            cbench_serve(bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count, &port)
        }
        guard server > 0 else { throw BenchError("the C loop does not answer: \(String(cString: strerror(errno)))") }
        defer {
            kill(server, SIGKILL)
            waitpid(server, nil, 0)
        }
        return try rate("GET / HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\n\r\n", port, connections, path: "/")
    }

    /// Answers a second, over connections that are kept.
    func rate(_ cluster: Cluster, _ port: Int, _ path: String, connections: Int32) throws -> Double {
        try rate(
            "GET \(path) HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\nX-API-Key: \(cluster.key)\r\n\r\n", UInt16(port),
            connections, path: path)
    }

    private func rate(_ request: String, _ port: UInt16, _ connections: Int32, path: String) throws -> Double {
        var rates: [Double] = []
        for _ in 0..<options.choose(5, quick: 2) {
            var load = cbench_load()
            guard cbench_load(port, request, connections, 2_000_000_000, &load) == 0 else {
                throw BenchError("cannot connect to port \(port): \(String(cString: strerror(errno)))")
            }
            guard load.failures == 0 else { throw BenchError("\(path): \(load.failures) answers were not 200") }
            rates.append(Double(load.answers) / (Double(load.nanoseconds) / 1e9))
        }
        return Samples(rates).median
    }
}
