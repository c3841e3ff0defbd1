import Foundation
import JSON
import Testing

extension EndToEnd.Shared {
    /// Keys that are limited to categories or groups of workers: by no API do they reach what is not theirs.
    @Suite("Limited keys", .serialized)
    struct LimitedKeyTests {
        private static let key = "limitedbycategory00000000000001"

        private static func makeEvents(_ cluster: Cluster) throws {
            _ = try cluster.cronicle(
                "create_category", ["id": "mine", "title": "Mine", "enabled": 1, "max_children": 0])
            for (id, category) in [("limithidden", "general"), ("limitseen", "mine")] {
                _ = try cluster.cronicle(
                    "create_event",
                    [
                        "id": .string(id), "title": .string("Title of \(id)"), "enabled": 0,
                        "category": .string(category), "target": "allgrp", "plugin": "shellplug",
                        "params": ["script": "#!/bin/sh\necho text of $JOB_EVENT\n"],
                    ])
            }
            _ = try cluster.cronicle(
                "create_api_key",
                [
                    "title": "Limited", "key": .string(key), "active": 1,
                    "privileges": [
                        "create_events": 1, "edit_events": 1, "delete_events": 1, "run_events": 1, "abort_events": 1,
                        "cat_limit": 1, "cat_mine": 1, "job_read_only": 1,
                    ],
                ])
        }

        private static func run(_ event: String, _ cluster: Cluster) throws -> String {
            let answer = try cluster.cronicle("run_event", ["id": .string(event)])
            let id = try #require(answer["ids"]?.arrayValue?.first?.stringValue, "\(answer.text)")
            try cluster.wait("the log of \(id) is stored") {
                let log = try cluster.request("GET", try cluster.leaderNode().url + "/carillon/v1/runs/\(id)/log")
                return log.text.contains("End of log") && log.text.contains("text of \(event)")
            }
            return id
        }

        @Test("what is not theirs is neither read nor touched, at any node and by any API; what is theirs is")
        func limits() async throws {
            try await onCluster { cluster in
                try Self.makeEvents(cluster)
                let hidden = try Self.run("limithidden", cluster)
                let seen = try Self.run("limitseen", cluster)
                func status(
                    _ method: String, _ path: String, _ body: String? = nil, at url: String? = nil
                ) throws -> Int {
                    let headers = ["X-API-Key": Self.key, "Content-Type": "application/json"]
                    return try TestHTTP.request(
                        method, (try url ?? cluster.leaderNode().url) + path, headers: headers, body: body
                    ).status
                }
                for (run, job, expected) in [(hidden, "limithidden", 403), (seen, "limitseen", 200)] {
                    for path in ["/runs/\(run)", "/runs/\(run)/log", "/runs/\(run)/log?follow=1", "/jobs/\(job)/next"] {
                        for node in cluster.nodes where node.isRunning {
                            #expect(try status("GET", "/carillon/v1" + path, at: node.url) == expected, "\(path)")
                        }
                    }
                    for path in ["/runs/\(run)/explanation", "/jobs/\(job)/explanation"] {
                        #expect(try status("GET", "/carillon/v1" + path) == expected, "\(path)")
                    }
                    for action in ["disable", "enable", "run"] {
                        let path = "/carillon/v1/jobs/\(job)/\(action)"
                        #expect(try status("POST", path) == expected, "\(path)")
                    }
                }
                #expect(try status("POST", "/carillon/v1/runs/\(hidden)/abort") == 403)
                #expect(try status("POST", "/carillon/v1/jobs/limitseen/run", #"{"arguments": "x"}"#) == 403)
                let list = try TestHTTP.request(
                    "GET", try cluster.leaderNode().url + "/carillon/v1/runs?limit=1000",
                    headers: ["X-API-Key": Self.key])
                #expect(list.text.contains(seen) && !list.text.contains(hidden), "\(list.text)")
                let ofAllJobs = [
                    "/carillon/v1/ledger", "/carillon/v1/configuration/jobs", "/carillon/v1/configuration/catalogue",
                    "/v1/scheduler/jobs", "/v1/scheduler/jobs/summary", "/v1/scheduler/job/Title%20of%20limithidden",
                    "/scheduler/graph/csv",
                ]
                for path in ofAllJobs { #expect(try status("GET", path) == 403, "\(path)") }
                #expect(try status("PUT", "/v1/scheduler/job/Title%20of%20limithidden") == 403)
                #expect(try status("DELETE", "/v1/scheduler/job/Title%20of%20limithidden") == 403)
                #expect(
                    try status("POST", "/v1/scheduler/iso8601", #"{"name": "limited", "command": "id"}"#) == 403)
                for path in ["/carillon/v1/workers", "/carillon/v1/status", "/leader"] {
                    #expect(try status("GET", path) == 200, "\(path)")
                }
            }
        }
    }
}
