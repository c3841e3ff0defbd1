import Foundation
import JSON
import Testing

extension EndToEnd.Shared {
    /// The logs of runs, at nodes that neither lead nor run anything.
    @Suite("Logs", .serialized)
    struct LogTests {
        /// What a script needs to ask for the log of a run at a follower.
        private static func variables(
            _ cluster: Cluster, _ run: String, _ folder: String = ""
        ) throws -> [String: String] {
            [
                "LOG": try cluster.follower().url + "/carillon/v1/runs/\(run)/log", "KEY": cluster.key,
                "DIR": folder,
            ]
        }

        private static let curl = "curl -sSfN --noproxy '*' -m 60 -H \"X-API-Key: $KEY\""

        @Test("a log is followed at a follower while the run goes on, as text and as events, and is gone on with")
        func live() async throws {
            try await onCluster { cluster in
                let folder = "/tmp/carillon-log-\(UUID().uuidString.lowercased())"
                try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
                // A leftover in a folder for leftovers.
                defer { try? FileManager.default.removeItem(atPath: folder) }
                let command = "echo one; while [ ! -e \(folder)/go ]; do sleep 0.1; done; echo; printf two"
                try cluster.put("log-live", command: command, ["retries": 0])
                try cluster.leaderRequest("PUT", "/v1/scheduler/job/log-live")
                let run = try #require(try cluster.waitForRun(of: "log-live", "started")["id"]?.stringValue)
                let script = """
                    \(Self.curl) "$LOG?follow=1" >"$DIR/plain" &
                    plain=$!
                    \(Self.curl) -H 'Accept: text/event-stream' "$LOG" >"$DIR/events" &
                    events=$!
                    tries=0
                    until grep -q one "$DIR/plain" && grep -q one "$DIR/events"; do
                        tries=$((tries + 1)); test $tries -lt 300; sleep 0.1
                    done
                    ! grep -q two "$DIR/plain"
                    touch "$DIR/go"
                    wait $plain
                    wait $events
                    """
                let result = try Executable.shell(
                    script, environment: try Self.variables(cluster, run, folder), timeout: 120)
                #expect(result.status == 0, "\(result.errors)")
                let plain = try String(contentsOfFile: folder + "/plain", encoding: .utf8)
                let events = try String(contentsOfFile: folder + "/events", encoding: .utf8)
                #expect(plain.hasPrefix("# Job ID: \(run)\n"), "\(plain)")
                #expect(plain.contains("\none\n\ntwo\n# Job completed successfully at "), "\(plain)")
                #expect(plain.hasSuffix("# End of log.\n"))
                #expect(events.contains("data: one\n") && events.contains("data: \ndata: two\n"), "\(events)")
                #expect(events.hasSuffix("event: end\ndata: succeeded\n\n"), "\(events)")
                // As a browser goes on after its connection broke.
                let id = try #require(events.split(separator: "\n").first { $0.hasPrefix("id: ") }).dropFirst(4)
                let bytes = try #require(Int(id.split(separator: ":").last ?? ""))
                let rest = try cluster.request(
                    "GET", try Self.variables(cluster, run)["LOG", default: ""] + "?format=text",
                    headers: ["Last-Event-ID": String(id)])
                #expect(bytes > 0 && rest.text == String(decoding: plain.utf8.dropFirst(bytes), as: UTF8.self))
                try cluster.wait("the log is stored") {
                    let url = try Self.variables(cluster, run)["LOG", default: ""]
                    return try cluster.request("GET", url).header("X-Carillon-Log-Complete") == "true"
                }
                // Packed by now, and asked for from the same place.
                let packed = try Executable.shell(
                    "\(Self.curl) --compressed \"$LOG?from=\(id)\"", environment: try Self.variables(cluster, run))
                #expect(packed.output == rest.text)
                let packedFile = try Executable.shell(
                    "\(Self.curl) \"$LOG?format=gzip&from=\(id)\" | gzip -dc",
                    environment: try Self.variables(cluster, run))
                #expect(packedFile.output == rest.text)
                let file = try Executable.shell(
                    "\(Self.curl) \"$LOG?format=gzip\" | gzip -dc", environment: try Self.variables(cluster, run))
                #expect(file.output == plain)
                let queries = [("?from=x", 400), ("?attempt=-1", 400), ("?format=html", 400), ("?attempt=0", 200)]
                for (query, status) in queries {
                    let url = try Self.variables(cluster, run)["LOG", default: ""] + query
                    #expect(try cluster.request("GET", url).status == status, "\(query)")
                }
                let unknown = try cluster.follower().url + "/carillon/v1/runs/r0/log"
                #expect(try cluster.request("GET", unknown).status == 404)
            }
        }

        @Test("a log of several tries reaches a client that expands it, and one that does not")
        func tries() async throws {
            try await onCluster { cluster in
                _ = try cluster.cronicle(
                    "create_event",
                    [
                        "id": "logtries", "title": "logtries", "enabled": 0, "category": "general", "target": "allgrp",
                        "plugin": "shellplug", "params": ["script": "#!/bin/sh\necho some words\nexit 3\n"],
                        "retries": 1, "retry_delay": 0,
                    ])
                _ = try cluster.cronicle("run_event", ["id": "logtries"])
                let run = try #require(try cluster.waitForRun(of: "logtries", "failed")["id"]?.stringValue)
                let environment = try Self.variables(cluster, run)
                try cluster.wait("the log is stored") {
                    let answer = try cluster.request("GET", environment["LOG", default: ""])
                    return answer.header("X-Carillon-Log-Complete") == "true"
                }
                let plain = try cluster.request("GET", environment["LOG", default: ""]).text
                #expect(plain.components(separatedBy: "some words\n").count == 3, "\(plain)")
                for script in [
                    "\(Self.curl) --compressed \"$LOG\"", "\(Self.curl) \"$LOG?format=gzip\" | gzip -dc",
                    "for i in 0 1; do \(Self.curl) --compressed \"$LOG?attempt=$i\"; test $i = 1 || echo; done",
                ] {
                    let result = try Executable.shell(script, environment: environment)
                    #expect(result.output == plain, "\(script): \(result.errors)")
                }
            }
        }

        @Test("of an output that is too long the middle is left out, and the log says how much")
        func cut() async throws {
            try await onCluster { cluster in
                let command = "echo THE BEGINNING; yes 0123456789 | head -c 24000000; echo; echo THE END"
                try cluster.put("log-cut", command: command, ["retries": 0, "cpus": 1])
                try cluster.leaderRequest("PUT", "/v1/scheduler/job/log-cut")
                let run = try #require(try cluster.waitForRun(of: "log-cut", "succeeded")["id"]?.stringValue)
                let script = """
                    \(Self.curl) --compressed "$LOG" >"$DIR"
                    wc -c <"$DIR"
                    grep -av '^[0-9]*$' "$DIR"
                    """
                let path = "/tmp/carillon-log-\(UUID().uuidString.lowercased())"
                // A leftover in a folder for leftovers.
                defer { try? FileManager.default.removeItem(atPath: path) }
                let result = try Executable.shell(
                    script, environment: try Self.variables(cluster, run, path), timeout: 120)
                let lines = result.output.split(separator: "\n").map(String.init)
                let size = try #require(Int(lines.first ?? ""), "\(result.errors)")
                #expect((12_000_000..<17_500_000).contains(size))
                let mark = try #require(lines.first { $0.hasPrefix("[carillon: ") && $0.contains("left out here]") })
                let missing = try #require(Int(mark.dropFirst(11).prefix { $0.isNumber }))
                // Header and footer are some hundred bytes; the mark stands for itself.
                #expect(abs(size + missing - 24_000_000) < 1_000, "\(size) and \(missing)")
                #expect(lines.contains("THE BEGINNING") && lines.contains("THE END") && lines.last == "# End of log.")
            }
        }
    }
}
