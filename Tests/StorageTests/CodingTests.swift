import Domain
import DomainCoding
import JSON
import Testing
import Timetable

@testable import Storage

@Suite("Stored definitions")
struct CodingTests {
    private static func decode(_ text: String) throws -> JobDefinition {
        try JobDefinitionCoding.decode(JSONValue(parsing: Array(text.utf8)))
    }

    @Test("a full definition survives the way to text and back")
    func roundTrip() throws {
        let definition = try JobDefinition.full()
        #expect(try Self.decode(JobDefinitionCoding.text(definition)) == definition)
    }

    @Test(
        "each trigger survives",
        arguments: [
            Trigger.manual, .parents([]), .parents(["a", "b \"c\""]),
            .schedule(ScheduleText(notation: .minutes, text: "{\"minutes\":[0]}", zone: "", anchor: .distantFuture)),
        ])
    func triggers(_ trigger: Trigger) throws {
        var definition = JobDefinition(name: "j")
        definition.trigger = trigger
        #expect(try Self.decode(JobDefinitionCoding.text(definition)) == definition)
    }

    /// What the first release writes. If this test fails, a stored job would not be read any more: keep the key, or
    /// read both.
    @Test("a row of the first release is read")
    func golden() throws {
        let text = #"""
            {"name":"n","description":"d","owner":"o","owner_name":"on","command":"c","shell":false,"arguments":["x"],
             "environment":[{"name":"A","value":"1"}],"run_as_user":"u",
             "trigger":{"kind":"schedule","notation":"iso8601","text":"R/P1D","zone":"UTC","anchor_us":5},
             "cpus":0.5,"memory":64,"disk":32.5,"constraints":[["rack","LIKE","r.*"]],"high_priority":true,"retries":1,
             "retry_delay_us":60000000,"timeout_us":1,"start_window_us":2,"overlap":"allow","catch_up":"none",
             "reports_completion":true,"soft_error":true,"dialect_fields":"{\"a\":1}"}
            """#
        var expected = JobDefinition(name: "n")
        expected.description = "d"
        expected.owner = "o"
        expected.ownerName = "on"
        expected.command = "c"
        expected.shell = false
        expected.arguments = ["x"]
        expected.environment = [EnvironmentVariable(name: "A", value: "1")]
        expected.runAsUser = "u"
        expected.trigger = .schedule(
            ScheduleText(notation: .iso8601, text: "R/P1D", zone: "UTC", anchor: Instant(microseconds: 5)))
        expected.resources = Resources(cpus: 0.5, memory: 64, disk: 32.5)
        expected.constraints = [try Constraint(attribute: "rack", comparison: "LIKE", value: "r.*")]
        expected.highPriority = true
        expected.retries = 1
        expected.retryDelay = .seconds(60)
        expected.timeout = .microseconds(1)
        expected.startWindow = .microseconds(2)
        expected.overlap = .allow
        expected.catchUp = .none
        expected.reportsCompletion = true
        expected.softError = true
        expected.dialectFields = #"{"a":1}"#
        #expect(try Self.decode(text) == expected)
    }

    @Test("what is missing or null has the default of a new definition, what is unknown is ignored")
    func defaults() throws {
        let read = try Self.decode(#"{"name":"j","retries":null,"from_the_future":[1,2]}"#)
        #expect(read == JobDefinition(name: "j"))
    }

    @Test(
        "a value of the wrong type or an unknown word is refused, by its key",
        arguments: [
            (#"{"shell":"yes"}"#, "shell"), (#"{"retries":1.5}"#, "retries"), (#"{"arguments":[1]}"#, "arguments"),
            (#"{"arguments":"a"}"#, "arguments"), (#"{"overlap":"dance"}"#, "overlap"),
            (#"{"trigger":{"kind":"moon"}}"#, "moon"), (#"{"constraints":[["a","LIKE"]]}"#, "constraint"),
            (#"{"constraints":[["a","LIKE","("]]}"#, "constraint"), (#"{"environment":[7]}"#, "environment"),
            (#"{"timeout_us":"1"}"#, "timeout_us"), ("[]", "object"),
        ])
    func refused(_ text: String, _ word: String) async {
        let message = await expectStoreError(.data) { _ = try Self.decode(text) }
        #expect(message.contains(word), "\(message)")
    }

    @Test("durations beyond the range of microseconds are stored as its ends")
    func durations() {
        #expect(Duration.seconds(-1).wholeMicroseconds == -1_000_000)
        #expect(Duration.nanoseconds(1_999).wholeMicroseconds == 1)
        #expect(Duration(secondsComponent: .max, attosecondsComponent: 0).wholeMicroseconds == .max)
        #expect(Duration(secondsComponent: .min, attosecondsComponent: 0).wholeMicroseconds == .min)
    }

    @Test("NUL is replaced, all else is kept")
    func nul() {
        #expect("a\0\0b".withoutNUL == "a\u{FFFD}\u{FFFD}b")
        #expect("é\u{1F514}\r\n".withoutNUL == "é\u{1F514}\r\n")
        #expect("".withoutNUL == "")
    }
}
