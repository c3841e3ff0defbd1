import Foundation
import JSON
import TestSupport
import Testing

extension EndToEnd {
    /// Which of several workers a run goes to, with real ones.
    @Suite("Placement", .serialized, .cluster(nodes: 1, workers: 0))
    struct PlacementTests {
        /// Two hosts of one name, and another.
        private func addWorkers(_ cluster: Cluster) throws {
            guard cluster.workers.isEmpty else { return }
            for (worker, host) in [("w1", "pair-1"), ("w2", "pair-2"), ("w3", "single")] {
                try cluster.addWorker(worker, arguments: ["--attribute", "hostname=\(host)", "--cpus", "2"])
            }
            try cluster.wait("all are up") {
                try cluster.workerStates().filter { $0.value == "up" }.count == 3
            }
        }

        private func create(_ cluster: Cluster, _ name: String, target: String, _ values: JSONObject) throws {
            var event: JSONObject = [
                "id": .string(name), "title": .string(name), "enabled": 0, "category": "general",
                "target": .string(target), "plugin": "shellplug", "params": ["script": "#!/bin/sh\ntrue"],
                "max_children": 0,
            ]
            for (key, value) in values { event[key] = value }
            _ = try cluster.cronicle("create_event", event)
        }

        /// Orders so many runs, one after the other. Oldest first.
        private func workers(_ cluster: Cluster, of event: String, runs: Int) throws -> [String] {
            for count in 1...runs {
                _ = try cluster.cronicle("run_event", ["id": .string(event)])
                try cluster.waitForRun(of: event, "succeeded", count: count)
            }
            return try cluster.runs(of: event).reversed().map { try #require($0["worker"]?.stringValue) }
        }

        @Test("a multiplexed run has a copy on each worker of its group, one after the other")
        func multiplex() async throws {
            try await onCluster { cluster in
                try addWorkers(cluster)
                let group = try cluster.cronicle("create_server_group", ["title": "Pair", "regexp": "^pair-"])
                let id = try #require(group["id"]?.stringValue)
                try create(cluster, "all_of_pair", target: id, ["multiplex": 1, "stagger": 1, "algo": "prefer_first"])
                _ = try cluster.cronicle("run_event", ["id": "all_of_pair"])
                try cluster.wait("both copies have ended") {
                    try cluster.runs(of: "all_of_pair").filter { $0["state"] == "succeeded" }.count == 2
                }
                let copies = try cluster.runs(of: "all_of_pair").sorted {
                    ($0["lane"]?.int64Value ?? 0) < ($1["lane"]?.int64Value ?? 0)
                }
                #expect(copies.map { $0["worker"]?.stringValue } == ["w1", "w2"])
                let starts = try copies.map { try Self.start(of: $0) }
                #expect(starts[1].timeIntervalSince(starts[0]) >= 0.9)
                // One that is drained gets no copy.
                _ = try cluster.leaderRequest("POST", "/carillon/v1/workers/w1/drain")
                _ = try cluster.cronicle("run_event", ["id": "all_of_pair"])
                try cluster.wait("the copy of the other has ended") {
                    try cluster.runs(of: "all_of_pair").filter { $0["state"] == "succeeded" }.count >= 3
                }
                #expect(try cluster.runs(of: "all_of_pair").count == 3)
                #expect(try cluster.runs(of: "all_of_pair").first?["worker"] == "w2")
                _ = try cluster.leaderRequest("POST", "/carillon/v1/workers/w1/resume")
            }
        }

        private static func start(of run: JSONValue) throws -> Date {
            let format = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
            return try format.parse(try #require(run["started"]?.stringValue))
        }

        @Test("one worker after the other, the last one, any one")
        func algorithms() async throws {
            try await onCluster { cluster in
                try addWorkers(cluster)
                try create(cluster, "in_turn", target: "allgrp", ["algo": "round_robin"])
                let turns = try workers(cluster, of: "in_turn", runs: 6)
                #expect(Set(turns.prefix(3)) == ["w1", "w2", "w3"])
                #expect(Array(turns.suffix(3)) == Array(turns.prefix(3)))
                try create(cluster, "to_last", target: "allgrp", ["algo": "prefer_last"])
                #expect(try workers(cluster, of: "to_last", runs: 2) == ["w3", "w3"])
                try create(cluster, "by_name", target: "w2", [:])
                #expect(try workers(cluster, of: "by_name", runs: 2) == ["w2", "w2"])
                try create(cluster, "by_host", target: "single", [:])
                #expect(try workers(cluster, of: "by_host", runs: 1) == ["w3"])
            }
        }

        @Test("what fits nowhere waits and says why, and holds up nobody; what is used is not given twice")
        func room() async throws {
            try await onCluster { cluster in
                try addWorkers(cluster)
                let onPair: JSONValue = [["hostname", "LIKE", "pair-.*"]]
                try cluster.put("too-large", ["cpus": 3, "constraints": onPair])
                for name in ["large-1", "large-2", "large-3"] {
                    try cluster.put(name, command: "exec sleep 1000", ["cpus": 1.5, "constraints": onPair])
                }
                for name in ["too-large", "large-1", "large-2", "large-3"] {
                    try cluster.leaderRequest("PUT", "/v1/scheduler/job/\(name)")
                }
                let running = try ["large-1", "large-2"].map { try cluster.waitForRun(of: $0, "started") }
                #expect(Set(running.compactMap { $0["worker"]?.stringValue }) == ["w1", "w2"])
                for (name, reason) in [("too-large", "more than any"), ("large-3", "busy")] {
                    try cluster.wait("\(name) says why it waits") {
                        let id = try #require(try cluster.runs(of: name).first?["id"]?.stringValue)
                        let run = try cluster.leaderRequest("GET", "/carillon/v1/runs/\(id)/explanation").json
                        return run?["state"] == "queued" && run?["reason"]?.stringValue?.contains(reason) == true
                    }
                }
                try cluster.put("small", ["cpus": 0.1, "constraints": [["hostname", "UNLIKE", "single"]]])
                try cluster.leaderRequest("PUT", "/v1/scheduler/job/small")
                #expect(try cluster.waitForRun(of: "small", "succeeded")["worker"] != "w3")
                let first = try #require(running.first?["id"]?.stringValue)
                try cluster.leaderRequest("POST", "/carillon/v1/runs/\(first)/abort")
                let third = try cluster.waitForRun(of: "large-3", "started")
                #expect(third["worker"] == running.first?["worker"])
                for name in ["large-2", "large-3", "too-large"] {
                    try cluster.leaderRequest("DELETE", "/v1/scheduler/task/kill/\(name)")
                }
            }
        }
    }
}
