import Foundation
import JSON
import Testing

extension EndToEnd.Shared {
    /// The jobs of Chronos' documentation, and what a job's fields do.
    @Suite("Jobs", .serialized)
    struct SampleJobTests {
        private static func post(_ cluster: Cluster, _ path: String, _ job: String) throws -> TestHTTP.Answer {
            try cluster.leaderRequest("POST", "/v1/scheduler/" + path, body: job)
        }

        // MARK: As documented

        @Test(
            "the documented scheduled job is accepted as it stands; what it missed is recorded, and it runs on request")
        func scheduledSample() async throws {
            try await onCluster { cluster in
                let sample = """
                    {
                      "schedule": "R10/2012-10-01T05:52:00Z/PT2S",
                      "name": "SAMPLE_JOB_A",
                      "epsilon": "PT15M",
                      "command": "echo 'FOO' >> /tmp/JOB1_OUT",
                      "owner": "bob@airbnb.com",
                      "async": false
                    }
                    """.replacingOccurrences(of: "/tmp/JOB1_OUT", with: cluster.folder + "/JOB1_OUT")
                #expect(try Self.post(cluster, "iso8601", sample).status == 204)
                let job = try #require(try cluster.job("SAMPLE_JOB_A"))
                #expect(job["epsilon"] == "PT15M")
                #expect(job["owner"] == "bob@airbnb.com")
                try cluster.wait("all ten have a verdict") {
                    try cluster.query(
                        "SELECT verdict, sum(count)::int FROM carillon.ledger WHERE job_name = 'SAMPLE_JOB_A' GROUP BY 1"
                    ) == [["missed", "10"]]
                }
                try cluster.leaderRequest("PUT", "/v1/scheduler/job/SAMPLE_JOB_A")
                try cluster.waitForRun(of: "SAMPLE_JOB_A", "succeeded")
                #expect(try String(contentsOfFile: cluster.folder + "/JOB1_OUT", encoding: .utf8) == "FOO\n")
                #expect(try cluster.count("successCount", of: "SAMPLE_JOB_A") == 1)
            }
        }

        @Test("the documented dependent job is accepted once its parents exist, and runs when both have succeeded")
        func dependentSample() async throws {
            try await onCluster { cluster in
                let sample = """
                    {
                      "async": true,
                      "command": "bash -x /srv/data-infra/jobs/hive_query.bash run_hive hostings-earnings-summary",
                      "epsilon": "PT30M",
                      "errorCount": 0,
                      "lastError": "",
                      "lastSuccess": "2013-03-15T13:02:14.243Z",
                      "name": "hostings_earnings_summary",
                      "owner": "bob@airbnb.com",
                      "parents": [
                        "db_export-airbed_hostings",
                        "db_export-airbed_reservation2s"
                      ],
                      "retries": 2,
                      "successCount": 100
                    }
                    """
                #expect(try Self.post(cluster, "dependency", sample).status == 400)
                try cluster.put("db_export-airbed_hostings")
                try cluster.put("db_export-airbed_reservation2s")
                #expect(try Self.post(cluster, "dependency", sample).status == 204)
                let job = try #require(try cluster.job("hostings_earnings_summary"))
                #expect(job["successCount"] == 100)
                #expect(job["lastSuccess"] == "2013-03-15T13:02:14.243Z")
                #expect(job["schedule"] == nil)
                for parent in ["db_export-airbed_hostings", "db_export-airbed_reservation2s"] {
                    try cluster.leaderRequest("PUT", "/v1/scheduler/job/" + parent)
                    try cluster.waitForRun(of: parent, "succeeded")
                }
                // There is no such script here: bash says so with status 127.
                let run = try cluster.waitForRun(
                    of: "hostings_earnings_summary", "waiting", "queued", "failed", "started")
                #expect(run["cause"] == "parents")
                try cluster.waitForRun(of: "hostings_earnings_summary", "failed")
                #expect(try cluster.count("errorCount", of: "hostings_earnings_summary") == 1)
                #expect(try cluster.count("successCount", of: "hostings_earnings_summary") == 100)
            }
        }

        @Test("the documented docker job and the job with a download are taken, and listed as they were posted")
        func samplesOfExecution() async throws {
            try await onCluster { cluster in
                let docker = """
                    {
                      "schedule": "R/2014-09-25T17:22:00Z/PT2M", "name": "dockerjob",
                      "container": {
                        "type": "DOCKER", "image": "libmesos/ubuntu", "network": "BRIDGE",
                        "volumes": [{"containerPath": "/var/log/", "hostPath": "/logs/", "mode": "RW"}]
                      },
                      "cpus": "0.5", "mem": "512", "fetch": [], "command": "while sleep 10; do date =u %T; done"
                    }
                    """
                #expect(try Self.post(cluster, "iso8601", docker).status == 204)
                let container = try #require(try cluster.job("dockerjob"))
                #expect(
                    container["container"] == [
                        "type": "DOCKER", "image": "libmesos/ubuntu", "network": "BRIDGE", "networkInfos": [],
                        "volumes": [["containerPath": "/var/log/", "hostPath": "/logs/", "mode": "RW"]],
                        "forcePullImage": false, "parameters": [],
                    ])
                try cluster.leaderRequest("DELETE", "/v1/scheduler/job/dockerjob")

                let camus = """
                    {
                      "name": "camus_kafka2hdfs", "command": "/srv/data-infra/kafka/camus/kafka_hdfs_job.bash",
                      "arguments": ["-verbose", "-debug"], "shell": false, "epsilon": "PT30M", "executor": "",
                      "executorFlags": "", "retries": 2, "owner": "bofh@your-company.com", "async": false,
                      "successCount": 190, "errorCount": 3, "lastSuccess": "2014-03-08T16:57:17.507Z",
                      "lastError": "2014-03-01T00:10:15.957Z", "cpus": 1.0, "disk": 10240, "mem": 1024,
                      "disabled": false,
                      "fetch": [{"uri": "https://url-to-file", "cache": false, "extract": false, "executable": false}],
                      "schedule": "R/2014-03-08T20:00:00.000Z/PT2H",
                      "environmentVariables": [
                        {"name": "JVMOPTS", "value": "-Xmx1000m"},
                        {"name": "JAVA_LIBRARY_PATH", "value": "/usr/local/lib"}
                      ]
                    }
                    """
                #expect(try Self.post(cluster, "iso8601", camus).status == 204)
                let job = try #require(try cluster.job("camus_kafka2hdfs"))
                #expect(job["arguments"] == ["-verbose", "-debug"])
                #expect(
                    job["fetch"] == [
                        ["uri": "https://url-to-file", "executable": false, "cache": false, "extract": false]
                    ])
                #expect(job["successCount"] == 190)
                #expect(job["lastError"] == "2014-03-01T00:10:15.957Z")
                #expect(job["mem"] == 1024.0)
                try cluster.leaderRequest("DELETE", "/v1/scheduler/job/camus_kafka2hdfs")
            }
        }

        // MARK: Reading and writing

        @Test("a read after a write sees it, through any node")
        func readYourWrites() async throws {
            try await onCluster { cluster in
                for number in 1...10 {
                    let command = JSONValue.string("echo \(number)")
                    for node in cluster.nodes {
                        let posted = try cluster.request(
                            "POST", try cluster.leaderNode().url + "/v1/scheduler/iso8601",
                            body: #"{"name": "seen-at-once", "schedule": "R0//PT1H", "command": \#(command.text)}"#)
                        #expect(posted.status == 204)
                        let read = try cluster.request("GET", node.url + "/v1/scheduler/job/seen-at-once")
                        let location = read.header("Location")
                        let answer = try location.map { try cluster.request("GET", $0) } ?? read
                        #expect(answer.json?["command"] == command)
                    }
                    try cluster.leaderRequest("DELETE", "/v1/scheduler/job/seen-at-once")
                    #expect(try cluster.job("seen-at-once") == nil)
                }
            }
        }

        @Test("a name with blanks and number signs works through both trees")
        func blanks() async throws {
            try await onCluster { cluster in
                let name = "service instance #1."
                try cluster.put(name)
                #expect(try cluster.job(name)?["name"] == .string(name))
                let path = "/scheduler/job/" + Cluster.encoded(name)
                #expect(try cluster.leaderRequest("PUT", path).status == 204)
                try cluster.wait("it has succeeded") { try cluster.count("successCount", of: name) == 1 }
                #expect(try cluster.leaderRequest("DELETE", path).status == 204)
                #expect(try cluster.job(name) == nil)
            }
        }

        // MARK: Runs

        /// Runs a job to its end and returns what it has written.
        private static func output(_ cluster: Cluster, _ name: String, arguments: String = "", run: Int = 1) throws
            -> String
        {
            let query = arguments.isEmpty ? "" : "?arguments=" + Cluster.encoded(arguments)
            #expect(try cluster.leaderRequest("PUT", "/v1/scheduler/job/\(name)\(query)").status == 204)
            let run = try cluster.waitForRun(of: name, "succeeded", count: run)
            return run["attempts"]?.arrayValue?.last?["output_tail"]?.stringValue ?? ""
        }

        @Test("arguments of a request follow an executable's own, without being evaluated, and are ignored by a shell")
        func arguments() async throws {
            try await onCluster { cluster in
                try cluster.put("shell-arguments", command: "echo")
                #expect(try Self.output(cluster, "shell-arguments") == "\n")
                #expect(try Self.output(cluster, "shell-arguments", arguments: "-debug", run: 2) == "\n")
                try cluster.put(
                    "exec-arguments", command: "/bin/echo", ["shell": false, "arguments": ["of $HOME", "the;job"]])
                #expect(try Self.output(cluster, "exec-arguments") == "of $HOME the;job\n")
                #expect(
                    try Self.output(cluster, "exec-arguments", arguments: "one  $two", run: 2)
                        == "of $HOME the;job one $two\n")
            }
        }

        @Test("a command gets Chronos' ten variables and the job's own, and nothing of the worker's")
        func environment() async throws {
            try await onCluster { cluster in
                try cluster.put(
                    "environment", command: "env",
                    [
                        "owner": "bob@airbnb.com", "cpus": 0.25, "mem": 64, "disk": 32,
                        "environmentVariables": [
                            ["name": "MODE", "value": "prod"], ["name": "CHRONOS_JOB_NAME", "value": "forged"],
                            ["name": "LD_PRELOAD", "value": "/tmp/evil.so"],
                        ],
                    ])
                let before = Clock.now
                let text = try Self.output(cluster, "environment")
                let pairs = text.split(separator: "\n").compactMap { line -> (String, String)? in
                    let parts = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(
                        String.init)
                    return parts.count == 2 ? (parts[0], parts[1]) : nil
                }
                let variables = Dictionary(pairs, uniquingKeysWith: { first, _ in first })
                let due = try #require(variables["CHRONOS_JOB_RUN_TIME"].flatMap { Int64($0) })
                #expect(due >= before - 1_000 && due <= Clock.now + 1_000)
                #expect(variables["mesos_task_id"] == "ct:\(due):0:environment:")
                #expect(variables["MESOS_TASK_ID"] == variables["mesos_task_id"])
                #expect(variables["CHRONOS_JOB_OWNER"] == "bob@airbnb.com")
                #expect(variables["CHRONOS_JOB_NAME"] == "environment")
                #expect(variables["HOST"]?.isEmpty == false)
                #expect(variables["CHRONOS_RESOURCE_CPU"] == "0.25")
                #expect(variables["CHRONOS_RESOURCE_MEM"] == "64.0")
                #expect(variables["CHRONOS_RESOURCE_DISK"] == "32.0")
                #expect(variables["CHRONOS_JOB_RUN_ATTEMPT"] == "0")
                #expect(variables["MODE"] == "prod")
                #expect(variables["LD_PRELOAD"] == nil)
                #expect(variables["SWIFT_BACKTRACE"] == nil)
            }
        }

        @Test("killing ends the whole tree of processes; the run is aborted, which is neither success nor failure")
        func kill() async throws {
            try await onCluster { cluster in
                let pids = cluster.folder + "/tree"
                try cluster.put(
                    "tree", command: "setsid sleep 300 & echo $! > \(pids); sleep 300 & echo $! >> \(pids); wait")
                try cluster.leaderRequest("PUT", "/v1/scheduler/job/tree")
                try cluster.waitForRun(of: "tree", "started")
                var children: [pid_t] = []
                try cluster.wait("the command has started its children") {
                    let text = (try? String(contentsOfFile: pids, encoding: .utf8)) ?? ""
                    children = text.split(separator: "\n").compactMap { pid_t($0) }
                    return children.count == 2 && text.hasSuffix("\n")
                }
                #expect(try cluster.leaderRequest("DELETE", "/v1/scheduler/task/kill/tree").status == 204)
                try cluster.waitForRun(of: "tree", "aborted")
                try cluster.wait("its children are gone") { children.allSatisfy { Foundation.kill($0, 0) != 0 } }
                #expect(try cluster.count("successCount", of: "tree") == 0)
                #expect(try cluster.count("errorCount", of: "tree") == 0)
                #expect(try cluster.leaderRequest("DELETE", "/v1/scheduler/task/kill/tree").status == 204)
            }
        }

        // MARK: Failures

        @Test("a failed try is repeated, as a task of its own, until one succeeds")
        func retries() async throws {
            try await onCluster { cluster in
                let starts = Starts(in: cluster.folder)
                try cluster.put(
                    "third-time", command: starts.command + "; [ $CHRONOS_JOB_RUN_ATTEMPT = 2 ]", ["retries": 2])
                try cluster.leaderRequest("PUT", "/v1/scheduler/job/third-time")
                let run = try cluster.waitForRun(of: "third-time", "succeeded")
                let attempts = run["attempts"]?.arrayValue ?? []
                #expect(attempts.map { $0["state"]?.stringValue } == ["failed", "failed", "succeeded"])
                #expect(attempts.map { $0["exit_code"]?.int64Value } == [1, 1, 0])
                let entries = try starts.entries().filter { $0.job == "third-time" }
                #expect(entries.map(\.attempt) == [0, 1, 2])
                #expect(Set(entries.map(\.taskID)).count == 3)
                #expect(Set(entries.map(\.due)).count == 1)
                // The delay between two tries is a second here.
                #expect(zip(entries, entries.dropFirst()).allSatisfy { $1.started - $0.started >= 1_000 })
                #expect(try cluster.count("successCount", of: "third-time") == 1)
                #expect(try cluster.count("errorCount", of: "third-time") == 0)
            }
        }

        @Test("a run whose tries have all failed counts once")
        func exhausted() async throws {
            try await onCluster { cluster in
                try cluster.put("never", command: "echo why not; exit 3", ["retries": 1])
                try cluster.leaderRequest("PUT", "/v1/scheduler/job/never")
                let run = try cluster.waitForRun(of: "never", "failed")
                let attempts = run["attempts"]?.arrayValue ?? []
                #expect(attempts.map { $0["exit_code"]?.int64Value } == [3, 3])
                #expect(attempts.last?["output_tail"] == "why not\n")
                #expect(try cluster.count("errorCount", of: "never") == 1)
                #expect(try cluster.job("never")?["lastError"]?.stringValue?.isEmpty == false)
                #expect(try cluster.job("never")?["lastSuccess"] == "")
            }
        }

        // MARK: Schedules

        @Test("a job of three repetitions runs three times, is disabled then, and stays")
        func repetitions() async throws {
            try await onCluster { cluster in
                let starts = Starts(in: cluster.folder)
                let start = (Clock.now / 1_000 + 2) * 1_000
                try cluster.put(
                    "three-times", command: starts.command, ["schedule": .string("R3/\(Clock.iso8601(start))/PT1S")])
                try cluster.waitForRun(of: "three-times", "succeeded", count: 3)
                try cluster.wait("it is disabled") { try cluster.job("three-times")?["disabled"] == true }
                #expect(try cluster.count("successCount", of: "three-times") == 3)
                let dues = try starts.entries().filter { $0.job == "three-times" }.map(\.due)
                #expect(dues == [start, start + 1_000, start + 2_000])
                #expect(try cluster.job("three-times")?["schedule"]?.stringValue?.hasPrefix("R0/") == true)
            }
        }

        @Test("a disabled job does not run by its schedule, until it is enabled")
        func disabled() async throws {
            try await onCluster { cluster in
                let schedule = JSONValue.string("R/\(Clock.iso8601(Clock.now))/PT1S")
                try cluster.put("is-disabled", command: "true", ["schedule": schedule, "disabled": true])
                try cluster.put("is-enabled", command: "true", ["schedule": schedule])
                try cluster.wait("the other one has run") { try cluster.count("successCount", of: "is-enabled") >= 2 }
                #expect(try cluster.runs(of: "is-disabled").isEmpty)
                #expect(try cluster.job("is-disabled")?["disabled"] == true)
                try cluster.put("is-disabled", command: "true", ["schedule": schedule])
                try cluster.wait("it runs") { try cluster.count("successCount", of: "is-disabled") >= 1 }
                for name in ["is-disabled", "is-enabled"] {
                    try cluster.leaderRequest("DELETE", "/v1/scheduler/job/" + name)
                }
            }
        }

        @Test("a child runs once when all of its parents have succeeded, and a failed parent does not count")
        func dependants() async throws {
            try await onCluster { cluster in
                let starts = Starts(in: cluster.folder)
                try cluster.put("mother")
                try cluster.put("father", command: "test -e \(cluster.folder)/ready", ["retries": 0])
                try cluster.put("child", command: starts.command, ["parents": ["mother", "father"]])
                func run(_ job: String, _ state: String, _ count: Int) throws {
                    try cluster.leaderRequest("PUT", "/v1/scheduler/job/" + job)
                    try cluster.waitForRun(of: job, state, count: count)
                }
                try run("mother", "succeeded", 1)
                try run("father", "failed", 1)
                try run("mother", "succeeded", 2)
                #expect(try cluster.runs(of: "child").isEmpty)
                try "".write(toFile: cluster.folder + "/ready", atomically: true, encoding: .utf8)
                try run("father", "succeeded", 2)
                let child = try cluster.waitForRun(of: "child", "succeeded")
                #expect(child["cause"] == "parents")
                try run("father", "succeeded", 3)
                // The mother's successes from before the child's run are used up.
                #expect(try cluster.runs(of: "child").count == 1)
                try run("mother", "succeeded", 3)
                try cluster.waitForRun(of: "child", "succeeded", count: 2)
                #expect(try starts.entries().filter { $0.job == "child" }.count == 2)
            }
        }
    }
}
