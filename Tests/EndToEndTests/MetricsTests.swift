import Foundation
import JSON
import Testing

/// A page of Prometheus' text format, read strictly.
struct Scrape {
    /// By name with labels, as written.
    var values: [String: Double] = [:]
    var kinds: [String: String] = [:]

    init(_ text: String) throws {
        var helped: Set<String> = []
        #expect(text.hasSuffix("\n"))
        for line in text.split(separator: "\n") {
            if line.hasPrefix("# HELP ") {
                let name = String(line.dropFirst(7).prefix { $0 != " " })
                try #require(helped.insert(name).inserted, "\(name) is explained twice")
            } else if line.hasPrefix("# TYPE ") {
                let words = line.dropFirst(7).split(separator: " ").map(String.init)
                try #require(words.count == 2 && ["counter", "gauge", "histogram"].contains(words[1]), "\(line)")
                kinds[words[0]] = words[1]
            } else {
                let parts = line.split(separator: " ")
                let series = parts.dropLast().joined(separator: " ")
                let value = try #require(parts.last.flatMap { Double($0) }, "\(line)")
                let name = series.prefix { $0 != "{" }
                try #require(name.wholeMatch(of: /[a-z][a-z0-9_]*/) != nil, "\(line)")
                let family = String(name.replacing(/_(bucket|sum|count)$/, with: ""))
                try #require(kinds[String(name)] ?? kinds[family] != nil, "\(line) has no type")
                try #require(values.updateValue(value, forKey: String(series)) == nil, "\(series) stands there twice")
            }
        }
        for (name, kind) in kinds where kind == "counter" { #expect(name.hasSuffix("_total"), "\(name)") }
    }

    func callAsFunction(_ series: String) -> Double? { values[series] }
}

extension Cluster {
    func scrape(_ member: ClusterProcess) throws -> Scrape {
        // Without a key, as Prometheus comes.
        let answer = try TestHTTP.request("GET", member.url + "/metrics/prometheus")
        try #require(answer.status == 200, "\(answer.text)")
        #expect(answer.header("content-type") == "text/plain; version=0.0.4; charset=utf-8")
        return try Scrape(answer.text)
    }
}

extension EndToEnd.Shared {
    @Suite("Metrics", .serialized)
    struct MetricsTests {
        @Test("nodes and workers tell Prometheus what they have done, and no name of a job")
        func pages() async throws {
            try await onCluster { cluster in
                try cluster.put("metrics-once", ["schedule": "R1//PT1H"])
                try cluster.waitForRun(of: "metrics-once", "succeeded")
                let leader = try cluster.leaderNode()
                var page = try cluster.scrape(leader)
                try cluster.wait("the end is counted") {
                    page = try cluster.scrape(leader)
                    return page("carillon_runs_finished_total{state=\"succeeded\"}") ?? 0 >= 1
                }
                #expect(page("carillon_leader") == 1)
                #expect(page("carillon_failovers_total") ?? 0 >= 1)
                #expect(page("carillon_epoch") ?? 0 >= 1)
                try cluster.wait("whoever another test has ended is no longer taken to live") {
                    page = try cluster.scrape(leader)
                    return page("carillon_live_workers") == 2
                }
                // Workers of other tests have come and gone; nobody else may be silent.
                let gone = cluster.workers.filter { !$0.isRunning }.count
                #expect((0...Double(gone)).contains(page("carillon_workers{state=\"silent\"}") ?? -1))
                #expect(page("carillon_verdicts_total{verdict=\"launched\"}") ?? 0 >= 1)
                #expect(page("carillon_start_lateness_seconds_count") ?? 0 >= 1)
                #expect(page("carillon_dispatch_seconds_count") ?? 0 >= 1)
                #expect(page("carillon_run_duration_seconds_bucket{le=\"+Inf\"}") ?? 0 >= 1)
                #expect(page("carillon_commit_seconds_count") ?? 0 >= 1)
                #expect(page("carillon_outbox_messages{state=\"buried\"}") != nil)
                #expect(page("carillon_database_connections{pool=\"work\",state=\"open\"}") ?? 0 >= 1)
                #expect(page("process_resident_memory_bytes") ?? 0 > 1e6)
                #expect(page("process_open_fds") ?? 0 > 3)
                let text = try TestHTTP.request("GET", leader.url + "/metrics/prometheus").text
                #expect(!text.contains("metrics-once"))

                let follower = try cluster.scrape(try cluster.follower())
                #expect(follower("carillon_leader") == 0)
                #expect(follower("carillon_epoch") == page("carillon_epoch"))
                #expect(follower("carillon_live_workers") == nil)

                let workers = try cluster.workers.filter(\.isRunning).map { try cluster.scrape($0) }
                let succeeded = "carillon_worker_attempts_total{result=\"succeeded\"}"
                #expect(workers.reduce(0) { $0 + ($1(succeeded) ?? 0) } >= 1)
                #expect(workers.allSatisfy { $0("carillon_worker_survivors_total") == 0 })
                #expect(workers.allSatisfy { ($0("carillon_worker_cpus{state=\"offered\"}") ?? 0) > 0 })
            }
        }

        /// The names of series that a text asks for.
        private static func series(in text: String) -> Set<String> {
            Set(text.matches(of: /\b(?:carillon|process)_[a-z_]+\b/).map { String($0.output) })
        }

        @Test("alert rules and dashboard ask for nothing that is not told")
        func names() async throws {
            try await onCluster { cluster in
                let told =
                    try cluster.nodes.map { try cluster.scrape($0) }
                    + cluster.workers.filter(\.isRunning).map { try cluster.scrape($0) }
                // Told by members that have one: TLSTests.
                var known: Set = ["carillon_certificate_expiry_timestamp_seconds"]
                for page in told {
                    for (name, kind) in page.kinds {
                        known.insert(name)
                        if kind == "histogram" { known.formUnion(["_bucket", "_sum", "_count"].map { name + $0 }) }
                    }
                }
                let folder = try Readme().root + "/deploy/prometheus/"
                for file in ["carillon-alerts.yml", "carillon-alerts-test.yml", "carillon-dashboard.json"] {
                    let text = try String(contentsOfFile: folder + file, encoding: .utf8)
                    #expect(Self.series(in: text).subtracting(known).isEmpty, "\(file)")
                }
                let dashboard = try JSONValue(
                    parsing: Array(try Data(contentsOf: URL(fileURLWithPath: folder + "carillon-dashboard.json"))))
                #expect(dashboard["panels"]?.arrayValue?.count ?? 0 > 10)
            }
        }

        private static let tool = ProcessInfo.processInfo.environment["PATH"]?.split(separator: ":")
            .map { $0 + "/promtool" }.first { FileManager.default.isExecutableFile(atPath: $0) }

        @Test(
            "promtool accepts the rules and the pages, and each alert does what it should",
            .enabled(if: tool != nil, "there is no promtool on PATH (package prometheus)"))
        func rules() async throws {
            try await onCluster { cluster in
                let promtool = try #require(Self.tool)
                let folder = try Readme().root + "/deploy/prometheus"
                let rules = try Executable.shell(
                    "cd '\(folder)'; '\(promtool)' check rules carillon-alerts.yml; '\(promtool)' check config "
                        + "prometheus.yml; '\(promtool)' test rules carillon-alerts-test.yml")
                #expect(rules.status == 0, "\(rules.output)\(rules.errors)")
                for member in [try cluster.leaderNode(), cluster.workers[0]] {
                    let page = try TestHTTP.request("GET", member.url + "/metrics/prometheus").text
                    let checked = try Executable.run(promtool, ["check", "metrics"], input: page)
                    #expect(checked.status == 0 && checked.errors.isEmpty, "\(checked.output)\(checked.errors)")
                }
            }
        }
    }
}
