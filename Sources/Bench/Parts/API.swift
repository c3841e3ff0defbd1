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
            let list = try rate(cluster, port, "/v1/scheduler/jobs", connections: 8)
            let one = try rate(cluster, port, "/v1/scheduler/job/listed-500", connections: 32)
            let ping = try rate(cluster, port, "/ping", connections: 32)
            return [
                Figure(.api, "GET jobs, 1,000 jobs (\(size / 1_000) KB)", list, "a second", .atLeast(400)),
                Figure(.api, "GET job/{name}", one, "a second", .atLeast(15_000)),
                Figure(.api, "GET /ping", ping, "a second", .atLeast(50_000)),
            ]
        }
    }

    /// Answers a second, over connections that are kept.
    func rate(_ cluster: Cluster, _ port: Int, _ path: String, connections: Int32) throws -> Double {
        let request = "GET \(path) HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\nX-API-Key: \(cluster.key)\r\n\r\n"
        var rates: [Double] = []
        for _ in 0..<options.choose(5, quick: 2) {
            var load = cbench_load()
            guard cbench_load(UInt16(port), request, connections, 2_000_000_000, &load) == 0 else {
                throw BenchError("cannot connect to port \(port): \(String(cString: strerror(errno)))")
            }
            guard load.failures == 0 else { throw BenchError("\(path): \(load.failures) answers were not 200") }
            rates.append(Double(load.answers) / (Double(load.nanoseconds) / 1e9))
        }
        return Samples(rates).median
    }
}
