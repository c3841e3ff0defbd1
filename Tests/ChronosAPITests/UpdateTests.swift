import Domain
import HTTP
import JSON
import Operations
import Testing
import Timetable

@testable import ChronosAPI

/// What becomes of a job that exists when it is posted.
@Suite("Updating jobs")
struct UpdateTests {
    static let path = "/v1/scheduler/iso8601"

    // MARK: Conditions

    @Test("If-None-Match: * creates only, If-Match: * changes only, and a version changes only that")
    func conditions() async {
        let server = Server()
        func post(_ headers: HTTPHeaders) async -> HTTPResponse {
            await server.call(.post, Self.path, body: #"{"name":"a"}"#, headers: headers)
        }
        let missing = await post(["If-Match": "*"])
        #expect(missing.status == 412)
        #expect(missing.json?["status"] == "Precondition Failed")
        #expect(missing.message.contains("not found"))
        let created = await post(["If-None-Match": "*"])
        #expect(created.status == 204)
        #expect(created.headers["ETag"] == "\"1\"")
        let again = await post(["If-None-Match": "*"])
        #expect(again.status == 412)
        #expect(again.message.contains("exists already"))
        let read = await server.call(.get, "/v1/scheduler/job/a")
        #expect(read.headers["ETag"] == "\"1\"")
        #expect(await post(["If-Match": "\"1\""]).headers["ETag"] == "\"2\"")
        let late = await post(["If-Match": "\"1\""])
        #expect(late.status == 412)
        #expect(late.message.contains("version 2"))
        #expect(await post(["If-Match": "\"7\", \"2\""]).status == 204)
        #expect(await post(["If-Match": "*"]).status == 204)
        #expect(server.cluster.commands.count == 4)
    }

    @Test(
        "a condition that cannot be one is refused with 400 and a word on what would be right",
        arguments: [
            ["If-None-Match": "\"1\""], ["If-Match": "1"], ["If-Match": "\"x\""], ["If-Match": ","],
            ["If-Match": "*", "If-None-Match": "*"],
        ] as [HTTPHeaders])
    func badConditions(headers: HTTPHeaders) async {
        let server = Server()
        let answer = await server.call(.post, Self.path, body: #"{"name":"a"}"#, headers: headers)
        #expect(answer.status == 400)
        #expect(answer.message.contains("If-"))
        #expect(server.cluster.commands.isEmpty)
    }

    @Test("a job that others change meanwhile is read and changed again, but not for ever")
    func conflicts() async {
        let server = Server()
        server.cluster.state.withLock { $0.conflicts = 2 }
        #expect(await server.call(.post, Self.path, body: #"{"name":"a"}"#).status == 204)
        server.cluster.state.withLock { $0.conflicts = 100 }
        #expect(await server.call(.post, Self.path, body: #"{"name":"a"}"#).status == 409)
    }

    // MARK: Counters

    @Test("counters start anew, go on with keepCounters, or are what the body carries")
    func counters() async {
        let server = Server()
        func post(_ query: String, _ members: String = "") async -> Int64? {
            let answer = await server.call(.post, Self.path + query, body: #"{"name":"a"\#(members)}"#)
            return answer.status == 204 ? server.cluster.job("a")?.counters.successes : nil
        }
        #expect(await post("", #","successCount":5"#) == 5)
        #expect(await post("?keepCounters=true") == 5)
        #expect(await post("?keepCounters=true", #","successCount":9"#) == 9)
        #expect(await post("?keepCounters=false") == 0)
    }

    // MARK: What another dialect has given a job

    @Test("an update keeps what Chronos' JSON cannot say, and replaces what it can")
    func foreignFields() async throws {
        let server = Server()
        var event = JobDefinition(name: "a")
        event.title = "Nightly"
        event.category = "general"
        event.algorithm = .random
        event.target = .named("maingrp")
        event.overlap = .queue
        event.notifications.webHook = "http://hook"
        event.onSuccess = "gone"
        event.onFailure = "gone too"
        event.retries = 7
        event.owner = "x@y"
        event.dialectFields = #"{"cronicle":{"notes":"n"},"chronos":{"executorFlags":"f"}}"#
        event.trigger = .schedule(
            ScheduleText(notation: .minutes, text: "hours 2,14 minutes 30", zone: "", anchor: .epoch))
        server.cluster.store(
            Job(
                id: JobID("e9"), version: 1, definition: event, isEnabled: true,
                next: Occurrence(index: 1, due: .testNow), created: .epoch, modified: .epoch))
        var listed = try #require(await server.call(.get, "/v1/scheduler/job/a").json?.objectValue)
        #expect(listed["schedule"] == "hours 2,14 minutes 30")
        listed["owner"] = "z@y"
        #expect(await server.call(.post, Self.path, body: JSONValue.object(listed).text).status == 204)
        var wanted = event
        wanted.owner = "z@y"
        #expect(server.cluster.job("a")?.definition == wanted)
        _ = await server.call(.post, Self.path, body: #"{"name":"a","command":"date"}"#)
        let plain = try #require(server.cluster.job("a")?.definition)
        #expect(plain.title == "Nightly" && plain.target == .named("maingrp") && plain.onSuccess == "gone")
        #expect(plain.onFailure.isEmpty && plain.retries == 2 && plain.owner.isEmpty)
        #expect(plain.dialectFields == #"{"cronicle":{"notes":"n"}}"#)
    }

    @Test("concurrent says whether runs overlap, and leaves to others whether they wait")
    func overlap() throws {
        func overlap(_ members: String, after policy: OverlapPolicy) throws -> OverlapPolicy {
            var definition = JobDefinition(name: "a")
            definition.overlap = policy
            let existing = Job(
                id: JobID("e1"), version: 1, definition: definition, isEnabled: true, created: .epoch, modified: .epoch)
            return try Coding.decode(#"{"name":"a"\#(members)}"#, onto: existing).definition.overlap
        }
        #expect(try overlap("", after: .queue) == .queue)
        #expect(try overlap("", after: .allow) == .skip)
        #expect(try overlap(#","concurrent":true"#, after: .queue) == .allow)
    }

    // MARK: Schedules

    private static func job(_ text: String, decidedThrough: Int64?, hasNext: Bool = true) -> Job {
        var definition = JobDefinition(name: "a")
        definition.trigger = .schedule(ScheduleText(notation: .iso8601, text: text, zone: "", anchor: .testNow))
        return Job(
            id: JobID("e1"), version: 1, definition: definition, isEnabled: true, decidedThrough: decidedThrough,
            next: hasNext ? Occurrence(index: (decidedThrough ?? -1) + 1, due: .testNow) : nil, created: .epoch,
            modified: .epoch)
    }

    @Test(
        "what a listing showed of a schedule, posted back at whatever time, is that schedule",
        arguments: [0, 1, 5] as [Int64])
    func continued(decided: Int64) throws {
        let original = "R12/2026-01-31T02:00:00Z/P1M"
        let before = Self.job(original, decidedThrough: decided)
        let shown = try #require(ChronosJobCoding.shownSchedule(of: before, zones: FakeZones())?.text)
        #expect(shown != original)
        let now = Self.job(original, decidedThrough: 6)
        let posted = try Coding.decode(#"{"name":"a","schedule":"\#(shown)"}"#, onto: now)
        #expect(posted.definition.trigger == now.definition.trigger)
    }

    @Test("any other schedule is a new one, and so is one that goes on where the job's has ended")
    func replaced() throws {
        let original = "R12/2026-01-31T02:00:00Z/P1M"
        for text in ["R11/2026-02-28T02:00:00.000Z/P2M", "R9/2026-02-28T02:00:00.000Z/P1M", "R//PT1H"] {
            let existing = Self.job(original, decidedThrough: 0)
            let posted = try Coding.decode(#"{"name":"a","schedule":"\#(text)"}"#, onto: existing)
            guard case .schedule(let schedule) = posted.definition.trigger else { continue }
            #expect(schedule.text == text)
        }
        let ended = Self.job("R2/2026-01-31T02:00:00Z/P1M", decidedThrough: 1, hasNext: false)
        let shown = try #require(ChronosJobCoding.shownSchedule(of: ended, zones: FakeZones())?.text)
        let posted = try Coding.decode(#"{"name":"a","schedule":"\#(shown)"}"#, onto: ended)
        guard case .schedule(let schedule) = posted.definition.trigger else { return }
        #expect(schedule.text == shown && shown.hasPrefix("R0/"))
    }

    @Test(
        "a schedule is an interval, a cron expression, or the fields of an event",
        arguments: [
            ("R/2026-03-01T00:00:00Z/PT1H", ScheduleText.Notation.iso8601), ("*/5 * * * *", .cron), ("@daily", .cron),
            ("0 30 2 * * 1-5", .cron), ("hours 2 minutes 30", .minutes), ("every minute", .minutes),
        ])
    func notations(text: String, notation: ScheduleText.Notation) async throws {
        let posted = try Coding.decode(#"{"name":"a","schedule":"\#(text)"}"#)
        guard case .schedule(let schedule) = posted.definition.trigger else {
            Issue.record("no schedule")
            return
        }
        #expect(schedule.notation == notation)
        #expect(schedule.text == text)
        #expect(try Coding.listed(#""schedule":"\#(text)""#)["schedule"] == .string(text))
        #expect(await Server().call(.post, Self.path, body: #"{"name":"a","schedule":"\#(text)"}"#).status == 204)
    }

    @Test("a job that lost its last parent is listed as one that is never due, and stays what it is when posted back")
    func orphan() throws {
        let existing = Job(
            id: JobID("e1"), version: 1, definition: JobDefinition(name: "a"), isEnabled: true, created: .epoch,
            modified: .epoch)
        let listed = Coding.encode(existing)
        #expect(listed.contains(#""schedule":"R0//PT24H""#))
        #expect(try Coding.decode(listed, onto: existing).definition.trigger == .manual)
    }

    // MARK: References

    @Test("an executor names a plugin, whose parameters are taskInfoData, or else the command as its script")
    func plugins() async throws {
        let server = Server()
        func post(_ members: String) async -> JobDefinition? {
            let answer = await server.call(.post, Self.path, body: #"{"name":"a","executor":"shellplug"\#(members)}"#)
            return answer.status == 204 ? server.cluster.job("a")?.definition : nil
        }
        let script = await post(#","command":"date""#)
        #expect(script?.plugin == "shellplug")
        #expect(script?.pluginParameters == #"{"script":"date"}"#)
        let data = await post(#","command":"date","taskInfoData":"{\"script\": \"id\", \"annotate\": 1}""#)
        #expect(data?.pluginParameters == #"{"script":"id","annotate":1}"#)
        #expect(await post(#","command":"date""#)?.pluginParameters == #"{"script":"id","annotate":1}"#)
        #expect(await post(#","command":"uptime""#)?.pluginParameters == #"{"script":"uptime"}"#)
        #expect(await post(#","taskInfoData":"no object""#) == nil)
        let listed = await server.call(.get, "/v1/scheduler/job/a")
        #expect(listed.json?["executor"] == "shellplug")
        _ = await server.call(.post, Self.path, body: #"{"name":"a","command":"date"}"#)
        #expect(server.cluster.job("a")?.definition.plugin == "")
        #expect(server.cluster.job("a")?.definition.pluginParameters == "{}")
    }

    @Test("a job to run after a failure must be there, by its name or its identifier")
    func chains() async {
        let server = Server()
        func post(_ next: String) async -> HTTPResponse {
            await server.call(.post, Self.path, body: #"{"name":"a","onFailure":"\#(next)"}"#)
        }
        let missing = await post("b")
        #expect(missing.status == 400)
        #expect(missing.message.contains("'b'") && missing.message.contains("not found"))
        _ = await server.call(.post, Self.path, body: #"{"name":"b"}"#)
        #expect(await post("b").status == 204)
        #expect(await post("a").status == 204)
        #expect(await post(server.cluster.job("b")?.id.rawValue ?? "").status == 204)
        #expect(server.cluster.job("a")?.definition.onFailure == "e1")
    }

    // MARK: Additions

    @Test(
        "times are seconds or ISO 8601 durations, and are listed in seconds",
        arguments: [
            ("5", 5), ("0.5", 0.5), (#""5""#, 5), (#""PT2M""#, 120), (#""P1D""#, 86_400), ("0", 0),
        ] as [(String, Double)])
    func durations(text: String, seconds: Double) throws {
        let listed = try Coding.listed(#""retryDelay":\#(text),"timeout":\#(text)"#)
        #expect(listed["retryDelay"]?.doubleValue == seconds)
        #expect(listed["timeout"]?.doubleValue == (seconds == 0 ? nil : seconds))
        #expect(listed["maxCompletionTime"]?.int64Value == Int64(seconds))
    }

    @Test("plain Chronos jobs are listed without any of Carillon's own fields")
    func plain() throws {
        let listed = try Coding.listed(#""maxCompletionTime":90,"retryDelay":null,"onFailure":"""#)
        #expect(listed["maxCompletionTime"] == 90)
        for key in ["timeout", "retryDelay", "onFailure", "dataJob"] { #expect(listed[key] == nil) }
        #expect(try Coding.listed(#""onFailure":"b""#)["onFailure"] == "b")
        let data = try Coding.listed(#""dataJob":true"#)
        #expect(data["dataProcessingJobType"] == true && data["dataJob"] == true)
    }

    @Test(
        "times that cannot be are refused",
        arguments: [
            (#""retryDelay":"soon""#, "retryDelay"), (#""retryDelay":-1"#, "retryDelay"), (#""timeout":[]"#, "timeout"),
            (#""timeout":1e300"#, "timeout"), (#""timeout":"P-1D""#, "timeout"),
            (#""timeout":"nan""#, "timeout"), (#""timeout":5,"maxCompletionTime":6"#, "maxCompletionTime"),
        ])
    func badTimes(members: String, reason: String) async {
        let answer = await Server().call(.post, Self.path, body: #"{"name":"a",\#(members)}"#)
        #expect(answer.status == 400)
        #expect(answer.message.contains(reason), "\(answer.message)")
    }
}
