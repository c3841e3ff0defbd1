import Domain
import HTTP
import JSON
import Operations
import Testing
import Timetable

@testable import ChronosAPI

/// What jobs did, as the API shows it.
@Suite("Runs, statistics and graphs")
struct RunResourceTests {
    static let due = Instant(milliseconds: 1_772_323_200_000)

    /// Two jobs, `a` with a past and `b`, which depends on it.
    static func server() -> Server {
        let server = Server()
        var first = JobDefinition(name: "a")
        first.command = "/bin/true"
        first.shell = false
        first.arguments = ["-v"]
        first.dialectFields = #"{"chronos":{"dataProcessingJobType":true}}"#
        first.trigger = .schedule(ScheduleText(notation: .iso8601, text: "R//PT1H", zone: "", anchor: due))
        var second = JobDefinition(name: "b c")
        second.trigger = .parents(["a"])
        var job = Job(id: JobID("e1"), version: 3, definition: first, isEnabled: true, created: due, modified: due)
        job.counters.successes = 2
        job.counters.lastSuccess = due
        job.counters.errors = 1
        job.counters.lastError = due.advanced(by: .seconds(-60))
        job.decidedThrough = 4
        job.next = Occurrence(index: 5, due: due.advanced(by: .seconds(5 * 3_600)))
        server.cluster.store(job)
        server.cluster.store(
            Job(id: JobID("e2"), version: 1, definition: second, isEnabled: false, created: due, modified: due))
        server.cluster.state.withLock { state in
            state.durations[job.id] = RunDurations(
                count: 2, mean: 1_500, minimum: 1_000, maximum: 2_000, deviation: 500,
                quantiles: [1_500, 1_750, 1_950, 1_980, 1_990, 1_999])
            state.runs = runs(of: job)
            state.attempts = attempts
            state.progress = [AttemptID(run: RunID("r2"), number: 1): 7]
        }
        return server
    }

    private static func runs(of job: Job) -> [Run] {
        func run(_ number: Int, _ state: RunState, attempt: Int = 0, worker: String = "w1") -> Run {
            let start = due.advanced(by: .seconds(number * 3_600))
            return Run(
                id: RunID("r\(number)"), job: job.reference, jobName: "a", cause: .manual(key: "r\(number)"),
                due: start,
                adHocArguments: number == 2 ? "x y" : "", state: state, attempt: attempt, worker: worker,
                startedAt: start.advanced(by: .seconds(1)),
                finishedAt: state.isTerminal ? start.advanced(by: .seconds(91)) : nil,
                reason: state == .failed ? "it exited with status 3" : "")
        }
        return [run(1, .succeeded), run(2, .failed, attempt: 1), run(3, .started), run(0, .missed, worker: "")]
    }

    private static let attempts: [AttemptRecord] = {
        func attempt(_ run: Int, _ number: Int, _ state: RunState, _ code: Int) -> AttemptRecord {
            let start = due.advanced(by: .seconds(run * 3_600 + number * 30))
            return AttemptRecord(
                attempt: AttemptID(run: RunID("r\(run)"), number: number), worker: "w1", startedAt: start,
                finishedAt: start.advanced(by: .seconds(3_600)), state: state, exitCode: code,
                reason: code == 0 ? "" : "it exited with status \(code)")
        }
        return [attempt(1, 0, .succeeded, 0), attempt(2, 0, .failed, 3), attempt(2, 1, .failed, 3)]
    }()

    // MARK: Statistics

    @Test("a job that never ran has a histogram of zeros and no history, key by key as chronos-python compares it")
    func fresh() async throws {
        let answer = await Self.server().call(.get, "/v1/scheduler/job/stat/b%20c")
        #expect(
            answer.json == [
                "histogram": [
                    "75thPercentile": 0, "95thPercentile": 0, "98thPercentile": 0, "99thPercentile": 0, "median": 0,
                    "mean": 0, "count": 0,
                ], "taskStatHistory": [],
            ])
    }

    @Test("a histogram is in milliseconds, with the arithmetic mean, and the five last tasks stand below it")
    func histogram() async throws {
        let answer = await Self.server().call(.get, "/scheduler/job/stat/a")
        let histogram = try #require(answer.json?["histogram"])
        #expect(histogram["median"] == 1_500)
        #expect(histogram["99thPercentile"] == 1_990)
        #expect(histogram["mean"] == 1_500)
        #expect(histogram["count"] == 2)
        let tasks = try #require(answer.json?["taskStatHistory"]?.arrayValue)
        let second = (Self.due.milliseconds + 7_200_000)
        #expect(
            tasks.map { $0["taskId"]?.stringValue } == [
                "ct:\(Self.due.milliseconds + 10_800_000):0:a:-v", "ct:\(second):1:a:-v x y", "ct:\(second):0:a:-v x y",
                "ct:\(Self.due.milliseconds + 3_600_000):0:a:-v", "ct:\(Self.due.milliseconds):0:a:-v",
            ])
        #expect(tasks.map { $0["status"]?.stringValue } == ["Running", "Fail", "Fail", "Success", "Fail"])
        #expect(tasks[0]["endTime"] == "N/A")
        #expect(tasks[0]["duration"] == nil)
        #expect(
            tasks[1] == [
                "taskId": .string("ct:\(second):1:a:-v x y"), "jobName": "a", "slaveId": "w1",
                "startTime": "03/01/26 02:00:30", "endTime": "03/01/26 03:00:30", "duration": "1h0s", "status": "Fail",
                "numElementsProcessed": 7,
            ])
    }

    @Test("percentiles of all jobs are in seconds, the longest first, and jobs that never ran have 0")
    func percentiles() async {
        let server = Self.server()
        func times(_ name: String) async -> JSONValue? {
            await server.call(.get, "/v1/scheduler/stats/\(name)").json
        }
        #expect(await times("mean") == [["jobNameLabel": "a", "time": 1.5], ["jobNameLabel": "b c", "time": 0]])
        #expect(await times("99thPercentile")?.arrayValue?.first?["time"] == 1.99)
        #expect(await times("median")?.arrayValue?.first?["time"] == 1.5)
        #expect(await times("count")?.arrayValue?.first?["time"] == 2)
        #expect(await times("1thPercentile") == [])
    }

    @Test("only jobs that have run since are computed anew, and deleted ones are forgotten")
    func cache() async {
        let server = Self.server()
        func ask() async -> [String] {
            server.cluster.state.withLock { $0.computed = [] }
            _ = await server.call(.get, "/scheduler/stats/mean")
            return server.cluster.state.withLock { $0.computed.map(\.rawValue) }
        }
        #expect(await ask() == ["e1", "e2"])
        #expect(await ask() == [])
        server.cluster.state.withLock { $0.jobs["a"]?.counters.successes += 1 }
        #expect(await ask() == ["e1"])
        server.cluster.state.withLock { $0.jobs["b c"]?.version += 1 }
        #expect(await ask() == ["e2"])
        let removed = server.cluster.state.withLock { $0.jobs.removeValue(forKey: "a") }
        #expect(await ask() == [])
        server.cluster.state.withLock { $0.jobs["a"] = removed }
        #expect(await ask() == ["e1"])
    }

    @Test("metrics have the shape of Chronos' registry")
    func metrics() async throws {
        let server = Self.server()
        server.cluster.state.withLock {
            $0.activity = [JobID("e1"): JobActivity(started: 1, waiting: 3, urgent: 1)]
        }
        let answer = await server.call(.get, "/metrics")
        let registry = try #require(answer.json?.objectValue)
        #expect(registry.map(\.key) == ["version", "gauges", "counters", "histograms", "meters", "timers"])
        let queue = "org.apache.mesos.chronos.scheduler.jobs.TaskManager"
        #expect(registry["gauges"]?["\(queue).queueSize"] == ["value": 2])
        #expect(registry["gauges"]?["\(queue).highQueueSize"] == ["value": 1])
        #expect(registry["counters"]?["jobs.run.success.a"] == ["count": 2])
        #expect(registry["counters"]?["jobs.run.failure.a"] == ["count": 1])
        #expect(registry["histograms"]?["jobs.run.time.a"]?["p999"] == 1_999)
        #expect(registry["histograms"]?["jobs.run.time.b c"] == nil)
        #expect(answer.text.contains("\n") == false)
        #expect(await server.call(.get, "/metrics?pretty=true").text.contains("\n"))
    }

    // MARK: Graphs

    @Test("the summary tells each job's last result, its state, schedule and parents")
    func summary() async {
        let server = Self.server()
        server.cluster.state.withLock { $0.activity = [JobID("e1"): JobActivity(started: 2, waiting: 1)] }
        #expect(
            await server.call(.get, "/v1/scheduler/jobs/summary").text
                == #"{"jobs":[{"name":"a","status":"success","state":"2 running","#
                + #""schedule":"R/2026-03-01T05:00:00.000Z/PT1H","parents":[],"disabled":false},"#
                + #"{"name":"b c","status":"fresh","state":"idle","schedule":"","parents":["a"],"disabled":true}]}"#)
        server.cluster.state.withLock { $0.activity = [JobID("e1"): JobActivity(waiting: 1)] }
        let waiting = await server.call(.get, "/scheduler/jobs/summary").json
        #expect(waiting?["jobs"]?.arrayValue?.first?["state"] == "queued")
        server.cluster.state.withLock { $0.jobs["a"]?.counters.lastError = Self.due }
        let equal = await server.call(.get, "/scheduler/jobs/summary").json
        #expect(equal?["jobs"]?.arrayValue?.first?["status"] == "failure")
    }

    @Test("the graphs have Chronos' formats")
    func graphs() async {
        let server = Self.server()
        let dot = await server.call(.get, "/v1/scheduler/graph/dot")
        #expect(dot.text == "digraph G {\n  1 [ label=\"a\" ];\n  2 [ label=\"b c\" ];\n  1 -> 2;\n}\n")
        #expect(dot.headers["Content-Type"]?.hasPrefix("text/plain") == true)
        let csv = await server.call(.get, "/scheduler/graph/csv")
        #expect(csv.text == "node,a,success,idle\nnode,b c,fresh,idle\nlink,a,b c\n")
        let empty = await Server().call(.get, "/scheduler/graph/csv")
        #expect(empty.status == 200 && empty.text.isEmpty)
    }

    @Test("a name that holds a line feed stays on its line")
    func lineFeed() async {
        let server = Server()
        _ = await server.call(.post, "/scheduler/iso8601", body: #"{"name":"a\nb"}"#)
        #expect(await server.call(.get, "/scheduler/graph/csv").text == "node,a b,fresh,idle\n")
        #expect(await server.call(.get, "/scheduler/graph/dot").text.contains("label=\"a b\""))
    }

    // MARK: History

    @Test("history has runs with worker, exit status, times and log link, newest first, in pages")
    func history() async throws {
        let server = Self.server()
        let first = try #require(await server.call(.get, "/v1/scheduler/job/a/history?limit=2").json)
        let runs = try #require(first["runs"]?.arrayValue)
        #expect(runs.map { $0["run"] } == ["r3", "r2"])
        #expect(runs[0]["state"] == "started")
        #expect(runs[0]["finished"] == .null)
        #expect(runs[1]["exitStatus"] == 3)
        #expect(runs[1]["worker"] == "w1")
        #expect(runs[1]["due"] == "2026-03-01T02:00:00.000Z")
        #expect(runs[1]["reason"] == "it exited with status 3")
        #expect(runs[1]["numElementsProcessed"] == 7)
        #expect(runs[1]["attempts"]?.arrayValue?.map { $0["number"] } == [0, 1])
        #expect(runs[1]["log"]?.stringValue?.contains("r2") == true)
        let next = try #require(first["next"]?.stringValue)
        let second = try #require(await server.call(.get, "/v1/scheduler/job/a/history?limit=2&before=\(next)").json)
        #expect(second["runs"]?.arrayValue?.map { $0["run"] } == ["r1", "r0"])
        let last = try #require(second["next"]?.stringValue)
        let third = try #require(await server.call(.get, "/v1/scheduler/job/a/history?before=\(last)").json)
        #expect(third == ["job": "a", "runs": [], "next": .null])
        // A page that active runs fill goes on with those that have ended.
        let active = try #require(await server.call(.get, "/v1/scheduler/job/a/history?limit=1").json)
        let rest = try #require(active["next"]?.stringValue)
        let ended = await server.call(.get, "/v1/scheduler/job/a/history?limit=1&before=\(rest)").json
        #expect(ended?["runs"]?.arrayValue?.map { $0["run"] } == ["r2"])
    }

    @Test(
        "questions that cannot be answered are refused with 400",
        arguments: [
            "job/a/history?limit=0", "job/a/history?limit=1001", "job/a/history?limit=x", "job/a/history?before=x",
            "job/a/next?n=0", "job/a/next?n=1001", "job/x/history", "job/x/next", "job/stat/x", "jobs/search?limit=-1",
        ])
    func refusals(path: String) async {
        let answer = await Self.server().call(.get, "/v1/scheduler/\(path)")
        #expect(answer.status == 400)
        #expect(!answer.message.isEmpty)
    }

    @Test("the next occurrences come from the schedule where it stands")
    func next() async {
        let server = Self.server()
        #expect(
            await server.call(.get, "/v1/scheduler/job/a/next?n=3").json == [
                "job": "a", "schedule": "R/2026-03-01T05:00:00.000Z/PT1H", "scheduleTimeZone": "", "disabled": false,
                "next": ["2026-03-01T05:00:00.000Z", "2026-03-01T06:00:00.000Z", "2026-03-01T07:00:00.000Z"],
            ])
        #expect(await server.call(.get, "/v1/scheduler/job/a/next").json?["next"]?.arrayValue?.count == 20)
        #expect(await server.call(.get, "/v1/scheduler/job/b%20c/next").json?["next"] == [])
    }

    // MARK: Progress

    @Test("progress of a data job adds up, whatever the method; an absent number adds nothing")
    func progress() async {
        let server = Self.server()
        let path = "/v1/scheduler/job/a/task/ct%3A\(Self.due.milliseconds + 7_200_000)%3A1%3Aa%3A-v%20x%20y/progress"
        let body = #"{"numAdditionalElementsProcessed": 5}"#
        #expect(await server.call(.post, path, body: body).status == 204)
        #expect(await server.call(.put, path, body: #"{"numAdditionalElementsProcessed": "2"}"#).status == 204)
        #expect(await server.call(.post, path, body: "{}").status == 204)
        #expect(
            server.cluster.state.withLock { $0.progress } == [AttemptID(run: RunID("r2"), number: 1): 14])
    }

    @Test(
        "progress that cannot be counted is refused with 400",
        arguments: [
            ("a", "ct:1772323200000:0:a:", #"{"numAdditionalElementsProcessed": -1}"#, "negative"),
            ("a", "ct:1772323200000:0:a:", #"{"numAdditionalElementsProcessed": 1.5}"#, "whole number"),
            ("a", "ct:1772323200001:0:a:", "{}", "not found"), ("a", "ct:1772323200000:5:a:", "{}", "not found"),
            ("a", "ct:1772323200000:0:b:", "{}", "not found"), ("a", "run-1", "{}", "no task id"),
            ("b c", "ct:1772323200000:0:b c:", "{}", "no data job"), ("x", "ct:1:0:x:", "{}", "not found"),
            ("a", "ct:1772323200000:0:a:", "", "no body"),
        ])
    func noProgress(job: String, task: String, body: String, reason: String) async {
        let path = "\(PercentCoding.encodePathSegment(job))/task/\(PercentCoding.encodePathSegment(task))/progress"
        let answer = await Self.server().call(.post, "/scheduler/job/\(path)", body: body)
        #expect(answer.status == 400)
        #expect(answer.message.contains(reason), "\(answer.message)")
    }
}
