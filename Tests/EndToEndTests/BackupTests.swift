import Foundation
import JSON
import TestSupport
import Testing

extension EndToEnd {
    /// What pg_dump has written is a cluster again, elsewhere.
    @Suite("Backup", .serialized)
    struct BackupTests {
        /// What the first cluster knew when it was backed up.
        private struct Known: Sendable {
            var dump: String
            var key: String
            var jobs: [String]
            var job: JSONValue?
            var run: JSONValue
            var begin: Int64
        }

        @Test("a backup by pg_dump restores to a cluster that knows everything and goes on")
        func restore() async throws {
            let dump = NSTemporaryDirectory() + "carillon-backup-\(UUID().uuidString.prefix(8)).dump"
            // It may not have been written.
            defer { try? FileManager.default.removeItem(atPath: dump) }
            let known = try await onLoop { _ in try Self.backedUp(to: dump) }

            var options = Cluster.Options()
            options.nodes = 2
            options.makeDatabase = { postgres in
                // Into a database of another name, as after an accident.
                let url = try postgres.freshDatabase()
                try DatabasePrograms.run(
                    "pg_restore", ["--no-owner", "--exit-on-error", "--single-transaction", "-d", url, known.dump])
                return Cluster.Database(superuserURL: url, ownerURL: url, membersURL: url)
            }
            try await Cluster.run(options) { cluster in
                #expect(try cluster.jobNames() == known.jobs)
                #expect(try cluster.job("kept") == known.job)
                #expect(try cluster.waitForRun(of: "kept", "succeeded") == known.run)
                // Keys are hashes: those that were given out go on being valid.
                let answer = try cluster.request(
                    "GET", try cluster.leaderNode().url + "/v1/scheduler/jobs", headers: ["X-API-Key": known.key])
                #expect(answer.status == 200)
                // The schedule goes on, and what was due between backup and restoration has a verdict too.
                let restored = Clock.now
                try cluster.wait("the schedule goes on") {
                    try cluster.runs(of: "ticking").contains { run in
                        run["state"] == "succeeded" && (run["due"]?.stringValue ?? "") > Clock.iso8601(restored)
                    }
                }
                let report = try cluster.verify(from: known.begin, to: restored)
                #expect(report["missing"]?.int64Value == 0)
                #expect(report["expected"]?.int64Value ?? 0 > 0)
                // Partitions are partitions still: the next upkeep finds them.
                let partitions = try cluster.query(
                    "SELECT count(*) FROM pg_inherits WHERE inhparent = 'carillon.run_history'::regclass")
                #expect(partitions.first?.first?.flatMap { Int($0) } ?? 0 >= 9)
            }
        }

        /// A cluster with a past, backed up while it works, and ended.
        private static func backedUp(to dump: String) throws -> Known {
            let cluster = try Cluster.started(Cluster.Options())
            defer { cluster.end() }
            return try cluster.showingLogs {
                let begin = Clock.now
                try cluster.put("kept", command: "echo kept", ["description": "über alles"])
                try cluster.leaderRequest("PUT", "/v1/scheduler/job/kept")
                try cluster.waitForRun(of: "kept", "succeeded")
                // Its log is stored a moment after it.
                try cluster.wait("the log is stored") {
                    try !cluster.query("SELECT 1 FROM carillon.run_logs LIMIT 1").isEmpty
                }
                try cluster.put("ticking", ["schedule": "R//PT1S", "epsilon": "PT60S"])
                try cluster.wait("the schedule ticks") { try cluster.runs(of: "ticking").count >= 3 }
                let jobs = try cluster.jobNames()
                let job = try cluster.job("kept")
                let run = try cluster.waitForRun(of: "kept", "succeeded")
                try DatabasePrograms.run(
                    "pg_dump", ["--format", "custom", "--schema", "carillon", "--file", dump, cluster.databaseURL])
                return Known(dump: dump, key: cluster.key, jobs: jobs, job: job, run: run, begin: begin)
            }
        }
    }
}
