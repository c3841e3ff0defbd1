import Foundation
import JSON
import Testing

extension EndToEnd {
    /// The cluster as a directory of files.
    @Suite("Configuration as code", .serialized, .cluster(nodes: 2, workers: 1))
    struct ConfigurationTests {
        private static func files(_ folder: String) throws -> [String: String] {
            var files: [String: String] = [:]
            for name in try FileManager.default.subpathsOfDirectory(atPath: folder) where name.hasSuffix(".json") {
                files[name] = try String(contentsOfFile: folder + "/" + name, encoding: .utf8)
            }
            return files
        }

        private static func replace(_ file: String, _ text: String, _ other: String) throws {
            let old = try String(contentsOfFile: file, encoding: .utf8)
            try #require(old.contains(text), "\(old)")
            try old.replacingOccurrences(of: text, with: other).write(toFile: file, atomically: true, encoding: .utf8)
        }

        @Test("what is exported is readable, stable, and changes nothing when it is applied")
        func roundTrip() async throws {
            try await onCluster { cluster in
                try cluster.put("parent one", ["schedule": "R/2031-01-01T00:00:00Z/PT1H", "epsilon": "PT5M"])
                try cluster.put("child", ["parents": ["parent one"], "retries": 7])
                let event = try cluster.leaderRequest(
                    "POST", "/api/app/create_event",
                    body: #"""
                        {"title": "An event", "enabled": 1, "category": "general", "plugin": "shellplug",
                         "target": "allgrp", "timing": {"hours": [4], "minutes": [30]}, "timezone": "Europe/Berlin",
                         "params": {"script": "#!/bin/sh\necho hi\n"}}
                        """#)
                #expect(event.json?["code"] == 0, "\(event.text)")
                let folder = cluster.folder + "/export"
                #expect(try cluster.said("export", folder).contains("written, 0 unchanged, 0 removed"))
                let files = try Self.files(folder)
                let child = try #require(files["jobs/child.json"])
                #expect(child.hasPrefix("{\n  \"name\": \"child\",\n  \"id\": "), "\(child)")
                #expect(child.contains("\"retries\": 7") && child.contains("\"parents\": ["), "\(child)")
                #expect(files["jobs/parent one.json"]?.contains("\"start_window_seconds\": 300") == true)
                #expect(files["plugins/shellplug.json"] != nil && files["categories/general.json"] != nil)
                let timed = try #require(files.first { $0.value.contains("Europe/Berlin") })
                #expect(timed.value.contains("\"hours\": [") && timed.value.contains("\"script\": "), "\(timed.value)")

                #expect(try cluster.said("export", folder).contains("0 files written"))
                #expect(try Self.files(folder) == files)
                #expect(try cluster.said("apply", folder).hasPrefix("nothing to change"))
                try cluster.leaderRequest("DELETE", "/v1/scheduler/job/child")
                #expect(try cluster.said("export", folder).contains("1 removed"))
                #expect(try Self.files(folder)["jobs/child.json"] == nil)
            }
        }

        @Test("a plan shows what would change with its due instants, and changes nothing; then it is applied")
        func plan() async throws {
            try await onCluster { cluster in
                try cluster.put("planned", command: "true", ["schedule": "R/2032-01-01T00:00:00Z/P1D"])
                let folder = cluster.folder + "/plan"
                try cluster.said("export", folder)
                try Self.replace(folder + "/jobs/planned.json", "2032-01-01", "2033-01-01")
                try FileManager.default.createDirectory(
                    atPath: folder + "/groups", withIntermediateDirectories: true)
                try #"{"id": "web", "title": "Web", "pattern": "^web"}"#.write(
                    toFile: folder + "/groups/web.json", atomically: true, encoding: .utf8)
                try #"{"name": "planned child", "command": "true", "parents": ["planned"], "timeout_seconds": 90}"#
                    .write(toFile: folder + "/jobs/new.json", atomically: true, encoding: .utf8)
                let plan = try cluster.said("apply", folder, "--plan")
                #expect(plan.contains("+ group web") && plan.contains("+ job planned child"), "\(plan)")
                #expect(plan.contains("~ job planned (schedule)"), "\(plan)")
                #expect(plan.contains("due before: 2032-01-01T00:00:00.000Z"), "\(plan)")
                #expect(plan.contains("due after:  2033-01-01T00:00:00.000Z"), "\(plan)")
                #expect(plan.contains("3 would change"), "\(plan)")
                #expect(try cluster.job("planned child") == nil)
                #expect(try cluster.said("apply", folder).contains("3 changed"))
                #expect(try cluster.job("planned child")?["parents"] == ["planned"])
                #expect(try cluster.said("job", "next", "planned", "--count", "1") == "2033-01-01T00:00:00.000Z\n")
                #expect(try cluster.said("apply", folder, "--plan").hasPrefix("nothing to change"))
            }
        }

        @Test("all or nothing: one file that cannot be keeps every other from being applied")
        func atomicity() async throws {
            try await onCluster { cluster in
                let folder = cluster.folder + "/atomic"
                let jobs = folder + "/jobs"
                try FileManager.default.createDirectory(atPath: jobs, withIntermediateDirectories: true)
                func write(_ name: String, _ text: String) throws {
                    try text.write(toFile: "\(jobs)/\(name).json", atomically: true, encoding: .utf8)
                }
                try write("a", #"{"name": "atomic-a", "command": "true"}"#)
                // Nothing is wrong with it by itself: the leader finds that its parent is not there.
                try write("b", #"{"name": "atomic-b", "command": "true", "parents": ["atomic-nobody"]}"#)
                let refused = try cluster.client("apply", folder)
                #expect(refused.status == 1 && refused.errors.contains("atomic-nobody"), "\(refused.errors)")
                #expect(try cluster.job("atomic-a") == nil)
                for (text, message) in [
                    (#"{"name": "atomic-b", "schedule": {"iso8601": "R/never/P1D"}}"#, "atomic-b"),
                    (#"{"name": "atomic-b", "schedule": "R//P1D"}"#, "must be an object"),
                    (#"{"name": "atomic-b", "retires": 1}"#, "retires"),
                    (#"{"name": "atomic-a", "command": "false"}"#, "twice"),
                    (#"{"name": "atomic-b", "#, "is not JSON"),
                ] {
                    try write("b", text)
                    let result = try cluster.client("apply", folder)
                    #expect(result.status != 0 && result.errors.contains(message), "\(text): \(result.errors)")
                }
                #expect(try cluster.job("atomic-a") == nil)
                try write("b", #"{"name": "atomic-b", "command": "true", "parents": ["atomic-a"]}"#)
                #expect(try cluster.said("apply", folder).contains("2 changed"))
                #expect(try cluster.job("atomic-b")?["parents"] == ["atomic-a"])
            }
        }

        @Test("what the directory lacks is left alone, unless its removal is asked for; privileges are needed")
        func removal() async throws {
            try await onCluster { cluster in
                try cluster.put("stays")
                try cluster.put("goes")
                let folder = cluster.folder + "/removal"
                try cluster.said("export", folder)
                try FileManager.default.removeItem(atPath: folder + "/jobs/goes.json")
                #expect(try cluster.said("apply", folder).contains("1 more in the cluster are left alone"))
                #expect(try cluster.job("goes") != nil)
                #expect(try cluster.said("apply", folder, "--delete", "--plan").contains("- job goes"))
                #expect(try cluster.said("apply", folder, "--delete").contains("1 changed"))
                #expect(try cluster.job("goes") == nil)
                #expect(try cluster.job("stays") != nil)

                let reader = try cluster.carillon([
                    "key", "create", "--database-url", cluster.databaseURL, "--title", "reader", "--privilege",
                    "edit_events",
                ]).trimmingCharacters(in: .whitespacesAndNewlines)
                let refused = try Executable.run(
                    ["apply", folder], environment: ["CARILLON_URL": cluster.urls, "CARILLON_API_KEY": reader])
                #expect(refused.status == 1 && refused.errors.contains("admin"), "\(refused.errors)")
                #expect(try cluster.client("apply", folder + "/none").status == 2)
            }
        }
    }
}
