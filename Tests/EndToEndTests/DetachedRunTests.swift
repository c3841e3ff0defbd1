import Foundation
import JSON
import Testing

extension EndToEnd {
    /// What runs while the worker's process ends, in order or by a crash, and another one takes its place.
    @Suite("A worker's process is replaced", .serialized, .cluster(nodes: 1, workers: 0))
    struct DetachedRunTests {
        private func start(_ cluster: Cluster, _ name: String, on worker: String, script: String) throws {
            _ = try cluster.cronicle(
                "create_event",
                [
                    "id": .string(name), "title": .string(name), "enabled": 0, "category": "general",
                    "target": .string(worker), "plugin": "shellplug", "detached": 1,
                    "params": ["script": .string("#!/bin/sh\n" + script)],
                ])
            _ = try cluster.cronicle("run_event", ["id": .string(name)])
        }

        private func log(_ cluster: Cluster, _ run: JSONValue) throws -> String {
            let id = try #require(run["id"]?.stringValue)
            return try cluster.leaderRequest("GET", "/carillon/v1/runs/\(id)/log").text
        }

        @Test(
            "detached runs go on, end with their own status, start once; what is not detached is told as interrupted",
            arguments: [true, false])
        func replaced(byCrash: Bool) async throws {
            try await onCluster { cluster in
                let kind = byCrash ? "crash" : "upgrade"
                // Two copies of the program, so that the second process executes another file than the first.
                let folder = "\(cluster.folder)/\(kind)-files"
                try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
                for copy in ["old", "new"] {
                    // Not by this process: what it has open for writing, a child of another test's may have too, and
                    // then nobody can execute it.
                    try #require(Executable.run("/bin/cp", [Executable.path, "\(folder)/\(copy)"]).status == 0)
                }
                try FileManager.default.createSymbolicLink(
                    atPath: "\(folder)/carillon", withDestinationPath: "\(folder)/old")
                let worker = try cluster.addWorker(
                    kind, arguments: ["--attribute", "kind=\(kind)"],
                    wrapper: ["sh", "-c", "shift; exec \(folder)/carillon \"$@\"", "worker"])
                try cluster.wait("the worker is up") { try cluster.workerStates()[kind] == "up" }

                for name in ["away", "back"] {
                    try start(
                        cluster, "\(kind)_\(name)", on: kind,
                        script: """
                            echo started >> \(folder)/\(name)
                            echo before
                            while [ ! -e \(folder)/go-\(name) ]; do sleep 0.05; done
                            echo after
                            exit \(name == "away" ? 7 : 0)
                            """)
                }
                try cluster.put(
                    "\(kind)_plain", command: "echo so far; exec sleep 1000",
                    ["retries": 0, "constraints": [["kind", "EQUALS", .string(kind)]]])
                try cluster.leaderRequest("PUT", "/v1/scheduler/job/\(kind)_plain")
                for name in ["away", "back", "plain"] {
                    let run = try cluster.waitForRun(of: "\(kind)_\(name)", "started")
                    try cluster.wait("\(name) has written") {
                        try log(cluster, run).contains(name == "plain" ? "so far\n" : "before\n")
                    }
                }

                if byCrash { try worker.kill() } else { try worker.stop() }
                try FileManager.default.removeItem(atPath: "\(folder)/carillon")
                try FileManager.default.removeItem(atPath: "\(folder)/old")
                try FileManager.default.createSymbolicLink(
                    atPath: "\(folder)/carillon", withDestinationPath: "\(folder)/new")
                // One of them ends while no worker is there to see it.
                #expect(FileManager.default.createFile(atPath: "\(folder)/go-away", contents: nil))
                try worker.startAgain()

                let away = try cluster.waitForRun(of: "\(kind)_away", "failed", "lost", "succeeded", within: 60)
                #expect(away["state"] == "failed" && away.text.contains("7"), "\(away.text)")
                let plain = try cluster.waitForRun(of: "\(kind)_plain", "lost", within: 60)
                #expect(plain.text.contains(byCrash ? "the worker restarted" : "the worker was stopped"))
                #expect(try cluster.runs(of: "\(kind)_back").first?["state"] == "started")
                #expect(FileManager.default.createFile(atPath: "\(folder)/go-back", contents: nil))
                let back = try cluster.waitForRun(of: "\(kind)_back", "succeeded", "failed", "lost", within: 60)
                #expect(back["state"] == "succeeded", "\(back.text)")
                for (run, name) in [(away, "away"), (back, "back")] {
                    #expect(run["attempts"]?.arrayValue?.count == 1)
                    #expect(try String(contentsOfFile: "\(folder)/\(name)", encoding: .utf8) == "started\n")
                    try cluster.wait("its log is whole") {
                        let text = try log(cluster, run)
                        return text.contains("before\nafter\n") && text.contains("# End of log.")
                    }
                }
                try cluster.wait("the log up to the end is kept") { try log(cluster, plain).contains("so far\n") }
                for left in ["runs", "detached"] {
                    try cluster.wait("nothing is left in \(left)") {
                        try FileManager.default.contentsOfDirectory(atPath: "\(cluster.folder)/\(kind)/\(left)").isEmpty
                    }
                }
                try worker.kill()
            }
        }
    }
}
