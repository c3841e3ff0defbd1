import Foundation
import JSON
import Testing

extension EndToEnd {
    /// `carillon verify` and the tests' own look at the ledger find what is planted. The cluster is of no use afterwards.
    @Suite("Planted holes", .serialized, .cluster(nodes: 1, workers: 1))
    struct VerifyTests {
        private static func findings(_ cluster: Cluster, _ job: Ticking, through end: Int64) throws -> (
            status: Int32, text: String
        ) {
            let result = try Executable.run([
                "verify", "--database-url", cluster.databaseURL, "--from", Clock.iso8601(job.start), "--to",
                Clock.iso8601(end),
            ])
            return (result.status, result.output)
        }

        @Test("a verdict that is gone, a second one, a run that is gone, a second run and a second start are found")
        func planted() async throws {
            try await onCluster { cluster in
                try cluster.underLoad { starts in try cluster.waitUntilAllTick(starts) }
                let job = cluster.ticking[0]
                let end = job.due(job.lastIndex(at: Clock.now - 1_500))
                #expect(try Self.findings(cluster, job, through: end).status == 0)
                let ledger = "(SELECT * FROM carillon.ledger WHERE job_name = '\(job.name)' AND verdict = 'launched' "
                func plant(_ what: String, _ sql: String, _ undo: [String]) throws {
                    try cluster.query(sql)
                    let found = try Self.findings(cluster, job, through: end)
                    #expect(found.status == 1, "\(what): \(found.text)")
                    #expect(found.text.contains(what + ": job '\(job.name)'"), "\(found.text)")
                    for statement in undo { try cluster.query(statement) }
                    let clean = try Self.findings(cluster, job, through: end)
                    #expect(clean.status == 0, "\(what), undone: \(clean.text)")
                }
                let row = ledger + "ORDER BY first_due LIMIT 1)"
                try cluster.query("CREATE TABLE public.kept AS \(row)")
                try plant(
                    "no verdict",
                    "DELETE FROM carillon.ledger WHERE run_id IN (SELECT run_id FROM public.kept)",
                    ["INSERT INTO carillon.ledger SELECT * FROM public.kept"])
                try plant(
                    "two verdicts", "INSERT INTO carillon.ledger SELECT * FROM public.kept",
                    [
                        "DELETE FROM carillon.ledger WHERE run_id IN (SELECT run_id FROM public.kept)",
                        "INSERT INTO carillon.ledger SELECT * FROM public.kept",
                    ])
                try cluster.query(
                    "CREATE TABLE public.run AS SELECT * FROM carillon.run_history WHERE id IN (SELECT run_id FROM public.kept)"
                )
                try plant(
                    "no run", "DELETE FROM carillon.run_history WHERE id IN (SELECT id FROM public.run)",
                    ["INSERT INTO carillon.run_history SELECT * FROM public.run"])
                try cluster.query("CREATE TABLE public.second AS SELECT * FROM public.run")
                try cluster.query("UPDATE public.second SET id = 'r999999999999'")
                try plant(
                    "two runs", "INSERT INTO carillon.run_history SELECT * FROM public.second",
                    ["DELETE FROM carillon.run_history WHERE id = 'r999999999999'"])
                try cluster.query(
                    "CREATE TABLE public.try AS SELECT * FROM carillon.attempts WHERE run_id IN (SELECT id FROM public.run)"
                )
                try cluster.query(
                    "UPDATE public.try SET worker = 'another', finished_at = finished_at + interval '1 second'")
                try plant(
                    "two starts", "INSERT INTO carillon.attempts SELECT * FROM public.try",
                    ["DELETE FROM carillon.attempts WHERE worker = 'another'"])
            }
        }

        @Test("what the commands themselves recorded: a start too many is found")
        func doubledStart() throws {
            let folder = NSTemporaryDirectory() + "carillon-starts-\(UUID().uuidString.prefix(8))"
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(atPath: folder) }
            let starts = Starts(in: folder)
            let lines = ["ct:1:0:a: a 1000 1003 0", "ct:2:0:a: a 2000 2003 0", "ct:1:0:a: a 1000 1500 0"]
            try (lines[..<2].joined(separator: "\n") + "\n").write(
                toFile: starts.path, atomically: false, encoding: .utf8)
            #expect(try starts.doubles() == [])
            let file = try FileHandle(forWritingTo: URL(fileURLWithPath: starts.path))
            try file.seekToEnd()
            try file.write(contentsOf: Data((lines[2] + "\n").utf8))
            try file.close()
            #expect(try starts.doubles() == ["ct:1:0:a:"])
            #expect(try starts.entries().count == 3)
        }
    }
}
