import Domain
import JSON
import Testing
import Timetable

@testable import ChronosAPI
@testable import Operations

/// Decoding and encoding without a server.
enum Coding {
    static func decode(
        _ text: String, as kind: ChronosJobCoding.Kind = .scheduled, onto existing: Job? = nil
    ) throws -> JobDraft {
        let value = try JSONValue(parsing: Array(text.utf8))
        return try ChronosJobCoding.decode(
            try #require(value.objectValue), as: kind, onto: existing, zones: FakeZones(), now: .testNow)
    }

    static func job(_ draft: JobDraft, decidedThrough: Int64? = nil) -> Job {
        Job(
            id: JobID("e1"), version: 1, definition: draft.definition, isEnabled: draft.isEnabled,
            decidedThrough: decidedThrough, counters: draft.counters ?? JobCounters(), created: .epoch,
            modified: .epoch)
    }

    static func encode(_ job: Job) -> String {
        String(decoding: ChronosJobCoding.encode(job, zones: FakeZones()), as: UTF8.self)
    }

    /// Decodes a job with these members besides its name, and encodes it again.
    static func listed(_ members: String, decidedThrough: Int64? = nil) throws -> JSONValue {
        let text = encode(job(try decode(#"{"name":"a",\#(members)}"#), decidedThrough: decidedThrough))
        return try JSONValue(parsing: Array(text.utf8))
    }
}

@Suite("Job coding")
struct JobCodingTests {
    @Test(
        "what Chronos' serialiser printed is read and printed back byte for byte",
        arguments: [(Sample.scheduled, false), (Sample.dependent, true), (Sample.container, false)])
    func roundTrip(_ text: String, isDependent: Bool) throws {
        let draft = try Coding.decode(text, as: isDependent ? .dependent : .scheduled)
        #expect(Coding.encode(Coding.job(draft)) == text)
    }

    @Test("a container survives a store that sorts the keys of objects")
    func sortedKeys() throws {
        var draft = try Coding.decode(Sample.container)
        let kept = try JSONValue(parsing: Array(draft.definition.dialectFields.utf8))
        draft.definition.dialectFields = Self.sorted(kept).text
        #expect(Coding.encode(Coding.job(draft)) == Sample.container)
    }

    private static func sorted(_ value: JSONValue) -> JSONValue {
        switch value {
        case .object(let object):
            .object(JSONObject(object.sorted { $0.key < $1.key }.map { ($0.key, sorted($0.value)) }))
        case .array(let elements): .array(elements.map(sorted))
        default: value
        }
    }

    @Test("the sample job of the documentation is read whole")
    func sample() throws {
        let draft = try Coding.decode(
            #"""
            {"name": "camus_kafka2hdfs", "command": "/srv/data-infra/kafka/camus/kafka_hdfs_job.bash",
            "arguments": ["-verbose", "-debug"], "shell": false, "epsilon": "PT30M", "executor": "",
            "executorFlags": "", "retries": 2, "owner": "bofh@your-company.com", "async": false,
            "successCount": 190, "errorCount": 3, "lastSuccess": "2014-03-08T16:57:17.507Z",
            "lastError": "2014-03-01T00:10:15.957Z", "cpus": 1.0, "disk": 10240, "mem": 1024, "disabled": false,
            "fetch": [{"uri": "https://url-to-file", "cache": false, "extract": false, "executable": false}],
            "schedule": "R/2014-03-08T20:00:00.000Z/PT2H",
            "environmentVariables": [{"name": "JVMOPTS", "value": "-Xmx1000m"},
            {"name": "JAVA_LIBRARY_PATH", "value": "/usr/local/lib"}]}
            """#)
        let job = draft.definition
        #expect(job.arguments == ["-verbose", "-debug"])
        #expect(!job.shell)
        #expect(job.startWindow == .seconds(1_800))
        #expect(job.resources == Resources(cpus: 1, memory: 1_024, disk: 10_240))
        #expect(job.environment.map(\.name) == ["JVMOPTS", "JAVA_LIBRARY_PATH"])
        #expect(draft.counters?.successes == 190)
        #expect(draft.counters?.lastError?.iso8601 == "2014-03-01T00:10:15.957Z")
        #expect(
            job.trigger
                == .schedule(
                    ScheduleText(
                        notation: .iso8601, text: "R/2014-03-08T20:00:00.000Z/PT2H", zone: "", anchor: .testNow)))
        let listed = try #require(try? JSONValue(parsing: Array(Coding.encode(Coding.job(draft)).utf8)))
        #expect(listed["epsilon"] == "PT30M")
        #expect(listed["async"] == false)
        #expect(listed["mem"] == 1_024)
    }

    @Test("a body with a name alone gets Chronos' defaults and runs once, now")
    func defaults() throws {
        let draft = try Coding.decode(#"{"name":"a"}"#)
        var expected = JobDefinition(name: "a")
        expected.trigger = .schedule(
            ScheduleText(notation: .iso8601, text: "R1//PT24H", zone: "", anchor: .testNow))
        #expect(draft == JobDraft(definition: expected, isEnabled: true, counters: nil))
    }

    @Test("values are read as leniently as Chronos reads them", arguments: Sample.lenient)
    func lenient(_ members: String, key: String, expected: JSONValue) throws {
        #expect(try Coding.listed(members)[key] == expected)
    }

    @Test("a name may be a number, as some clients post it")
    func numericName() throws {
        #expect(try Coding.decode(#"{"name":12}"#).definition.name == "12")
    }

    @Test("epsilon and async are listed only where they were posted, each at its place")
    func echo() throws {
        #expect(try Coding.listed(#""command":"x""#)["epsilon"] == nil)
        #expect(try Coding.listed(#""command":"x""#)["async"] == nil)
        let text = Coding.encode(Coding.job(try Coding.decode(#"{"name":"a","epsilon":"PT15M","async":false}"#)))
        #expect(text.contains(#""shell":true,"epsilon":"PT15M","executor":"""#))
        #expect(text.contains(#""description":"","async":false,"successCount":0"#))
    }

    @Test("an epsilon that no longer says what holds is replaced by one that does")
    func staleEpsilon() throws {
        var draft = try Coding.decode(#"{"name":"a","epsilon":"PT15M"}"#)
        draft.definition.startWindow = .seconds(5)
        #expect(Coding.encode(Coding.job(draft)).contains(#""epsilon":"PT5S""#))
        draft.definition.startWindow = nil
        #expect(!Coding.encode(Coding.job(draft)).contains("epsilon"))
    }

    @Test("the schedule is shown as posted until an occurrence is decided, then what remains of it")
    func schedule() throws {
        let members = #""schedule":"R5/2026-03-01T00:00:00Z/PT60M""#
        #expect(try Coding.listed(members)["schedule"] == "R5/2026-03-01T00:00:00Z/PT60M")
        #expect(try Coding.listed(members, decidedThrough: 1)["schedule"] == "R3/2026-03-01T02:00:00.000Z/PT60M")
    }

    @Test("a job that only a request starts is listed so that posting it back means the same")
    func manual() throws {
        var draft = try Coding.decode(#"{"name":"a"}"#)
        draft.definition.trigger = .manual
        #expect(Coding.encode(Coding.job(draft)).hasSuffix(#""schedule":"R0//PT24H","scheduleTimeZone":""}"#))
    }

    @Test("counters that a body carries are kept, the others begin anew")
    func counters() throws {
        let counters = try #require(try Coding.decode(#"{"name":"a","errorCount":4}"#).counters)
        #expect(counters.errors == 4)
        #expect(counters.successes == 0 && counters.lastError == nil)
        #expect(try Coding.decode(#"{"name":"a","errorCount":null}"#).counters == nil)
    }

    @Test("parents are a set in the order in which they were given")
    func parents() throws {
        let draft = try Coding.decode(#"{"name":"a","parents":["c","b","c",7]}"#, as: .dependent)
        #expect(draft.definition.trigger == .parents(["c", "b", "7"]))
    }

    @Test("uris that repeat fetch, as an exported job has them, count once")
    func mirrored() throws {
        let listed = try Coding.listed(#""fetch":[{"uri":"http://a/b"}],"uris":["http://a/b"]"#)
        #expect(listed["uris"] == [])
        #expect(
            listed["fetch"] == [["uri": "http://a/b", "executable": false, "cache": false, "extract": true]])
    }

    @Test("fields that are only kept do not disturb those of another dialect, nor what is no JSON")
    func foreignFields() {
        for text in ["{}", "", "nonsense", #"{"cronicle":{"executorFlags":"x"}}"#, #"{"chronos":[]}"#] {
            #expect(ChronosFields(text: text).executorFlags == "")
        }
        let kept = #"{"cronicle":{"notes":"n"},"chronos":{"executorFlags":"x"}}"#
        #expect(ChronosFields(text: kept).executorFlags == "x")
        var fields = ChronosFields(text: kept)
        fields.executorFlags = ""
        #expect(fields.text(within: kept) == #"{"cronicle":{"notes":"n"}}"#)
    }

    @Test("the words of a container are taken in any case and ports in any form")
    func container() throws {
        let listed = try Coding.listed(
            #"""
            "container":{"type":"mesos","image":"i","network":"bridge","networkName":"n","unknown":1,
            "networkInfos":[{"name":"n","protocol":"ipv6","portMappings":[{"hostPort":80,"containerPort":"8080"}]}],
            "volumes":[{"containerPath":"/c","mode":"ro"}]}
            """#)
        #expect(
            listed["container"] == [
                "type": "MESOS", "image": "i", "network": "BRIDGE", "networkName": "n",
                "networkInfos": [
                    [
                        "name": "n", "protocol": "IPv6", "labels": [],
                        "portMappings": [["hostPort": "80", "containerPort": "8080"]],
                    ]
                ],
                "volumes": [["containerPath": "/c", "mode": "RO"]], "forcePullImage": false, "parameters": [],
            ])
    }
}
