import Foundation
import JSON
import Testing

extension EndToEnd.Shared {
    /// Each example of curl in Chronos' documentation, byte for byte as it stands there, sent to a node that does not
    /// lead. `Fixtures/chronos-rest-api` has them in their order, beside the job hashes of their sections.
    @Suite("The documentation's examples of curl", .serialized)
    struct ChronosExampleTests {
        static let folder = "Tests/EndToEndTests/Fixtures/chronos-rest-api/"

        private static func fixture(_ name: String) throws -> String {
            try String(contentsOfFile: try Readme().root + "/" + folder + name, encoding: .utf8)
        }

        /// The example, with the section's job hash where it says so.
        private static func send(
            _ name: String, hash: String? = nil, _ cluster: Cluster
        ) throws -> CurlAnswer {
            var script = try fixture(name + ".sh")
            if let hash {
                let quoted = "'" + hash.replacingOccurrences(of: "'", with: #"'\''"#) + "'"
                let place = try #require(script.range(of: #"'\{[a-z]+ hash\}'"#, options: .regularExpression))
                script.replaceSubrange(place, with: quoted)
            }
            let answer = try cluster.curl(script, at: try cluster.follower())
            #expect(answer.redirects <= 1)
            return answer
        }

        @Test("no example has been forgotten")
        func complete() throws {
            let names = try FileManager.default.contentsOfDirectory(atPath: try Readme().root + "/" + Self.folder)
            #expect(names.filter { $0.hasSuffix(".sh") }.count == 14)
        }

        @Test("asking: the leader, the list, a search, the graph")
        func reading() async throws {
            try await onCluster { cluster in
                try cluster.put("request_event_counter_hourly")
                let leader = try Self.send("01-leaders", cluster)
                let url = try cluster.leaderNode().url
                #expect(leader.json?["leader"]?.stringValue.map { url.hasSuffix("//" + $0) } == true)
                let list = try Self.send("02-listing-jobs", cluster)
                #expect(list.json?.arrayValue?.contains { $0["name"] == "request_event_counter_hourly" } == true)
                let found = try Self.send("03-searching-for-a-job", cluster)
                #expect(found.json?.arrayValue?.map { $0["name"] } == ["request_event_counter_hourly"])
                let graph = try Self.send("13-describing-the-dependency-graph", cluster)
                #expect(graph.body.hasPrefix("digraph G {\n"))
                #expect(graph.body.contains("[ label=\"request_event_counter_hourly\" ];"))
                try cluster.leaderRequest("DELETE", "/v1/scheduler/job/request_event_counter_hourly")
            }
        }

        @Test("running, killing, marking and deleting a job")
        func writing() async throws {
            try await onCluster { cluster in
                let name = "request_event_counter_hourly"
                try cluster.put(name, command: "sleep 300")
                #expect(try Self.send("06-manually-starting-a-job", cluster).status == 204)
                try cluster.waitForRun(of: name, "started")
                #expect(try Self.send("05-killing-all-tasks-for-a-job", cluster).status == 204)
                try cluster.waitForRun(of: name, "aborted")
                let marked = try Self.send("08-marking-a-job-as-successful", cluster)
                #expect(marked.status == 200 && marked.body == "true")
                #expect(try cluster.count("successCount", of: name) == 1)
                #expect(try Self.send("04-deleting-a-job", cluster).status == 204)
                #expect(try cluster.job(name) == nil)

                try cluster.put("job_name", command: "/bin/echo", ["shell": false])
                #expect(try Self.send("07-manually-starting-a-job", cluster).status == 204)
                let run = try cluster.waitForRun(of: "job_name", "succeeded")
                #expect(run["attempts"]?.arrayValue?.last?["output_tail"] == "-debug\n")
                try cluster.leaderRequest("DELETE", "/v1/scheduler/job/job_name")
            }
        }

        @Test("adding a scheduled, a dependent and a docker job, each with the hash of its section")
        func adding() async throws {
            try await onCluster { cluster in
                let scheduled = try Self.send(
                    "09-adding-a-scheduled-job", hash: try Self.fixture("adding-a-scheduled-job.json"), cluster)
                #expect(scheduled.status == 204, "\(scheduled.body)")
                #expect(try cluster.job("SAMPLE_JOB1")?["command"] == "echo 'FOO' >> /tmp/JOB1_OUT")

                for parent in ["db_export-airbed_hostings", "db_export-airbed_reservation2s"] {
                    try cluster.put(parent)
                }
                let dependent = try Self.send(
                    "10-adding-a-dependent-job", hash: try Self.fixture("adding-a-dependent-job.json"), cluster)
                #expect(dependent.status == 204, "\(dependent.body)")
                #expect(try cluster.job("hostings_earnings_summary")?["successCount"] == 100)

                // As it stands it would be due at once, and no image is pulled here.
                let docker = try Self.fixture("adding-a-docker-job.json")
                    .replacingOccurrences(of: "R/2014-09-25", with: "R/2099-09-25")
                let container = try Self.send("11-adding-a-docker-job", hash: docker, cluster)
                #expect(container.status == 204, "\(container.body)")
                let job = try #require(try cluster.job("dockerjob"))
                #expect(job["container"]?["image"] == "libmesos/ubuntu")
                #expect(job["container"]?["network"] == "BRIDGE")
                #expect(job["cpus"] == 0.5 && job["mem"] == 512.0)

                let sample = try Self.fixture("sample-job.json").replacingOccurrences(of: "R/2014", with: "R/2099")
                let posted = try Self.send("09-adding-a-scheduled-job", hash: sample, cluster)
                #expect(posted.status == 204, "\(posted.body)")
                #expect(try cluster.job("camus_kafka2hdfs")?["successCount"] == 190)

                let names = [
                    "SAMPLE_JOB1", "hostings_earnings_summary", "db_export-airbed_hostings",
                    "db_export-airbed_reservation2s", "dockerjob", "camus_kafka2hdfs",
                ]
                for name in names { try cluster.leaderRequest("DELETE", "/v1/scheduler/job/" + name) }
            }
        }

        @Test("counting the progress of a data job's task, with the id of the documentation")
        func progress() async throws {
            try await onCluster { cluster in
                try cluster.put("NewJob", command: "true", ["dataProcessingJobType": true])
                try cluster.leaderRequest("PUT", "/v1/scheduler/job/NewJob")
                try cluster.waitForRun(of: "NewJob", "succeeded")
                let hash = try Self.fixture("updating-task-progress.json")
                let unknown = try Self.send("12-updating-task-progress", hash: hash, cluster)
                #expect(unknown.status == 400)
                #expect(unknown.json?["message"]?.stringValue?.contains("not found") == true)
                // That run, in April 2015.
                try cluster.query(
                    """
                    UPDATE carillon.run_history SET due = to_timestamp(1428515194.358) WHERE job_name = 'NewJob'
                    """)
                for _ in 1...2 {
                    #expect(try Self.send("12-updating-task-progress", hash: hash, cluster).status == 204)
                }
                let history = try cluster.leaderRequest("GET", "/v1/scheduler/job/NewJob/history")
                let run = try #require(history.json?["runs"]?.arrayValue?.first)
                #expect(run["taskId"] == "ct:1428515194358:0:NewJob:")
                #expect(run["numElementsProcessed"] == 10)
                let statistics = try cluster.leaderRequest("GET", "/v1/scheduler/job/stat/NewJob").json
                #expect(statistics?["taskStatHistory"]?.arrayValue?.first?["numElementsProcessed"] == 10)
                try cluster.leaderRequest("DELETE", "/v1/scheduler/job/NewJob")
            }
        }

        @Test("reporting a task: the documentation's is known to nobody, which is no error")
        func reporting() async throws {
            try await onCluster { cluster in
                let posted = try Self.send("14-asynchronous-jobs", cluster)
                #expect(posted.status == 204)
            }
        }
    }
}
