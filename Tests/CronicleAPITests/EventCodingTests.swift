import Domain
import JSON
import Testing
import Timetable

@testable import CronicleAPI

@Suite("Events as jobs")
struct EventCodingTests {
    private let now = Instant(seconds: 1_795_292_057)

    private func job(_ values: JSONObject) -> Job {
        var values = values
        var definition = EventCoding.blank(named: "job")
        EventCoding.apply(values, to: &definition, now: now)
        values["params"] = nil
        definition.dialectFields = EventShape.keeping(values, in: definition)
        return Job(
            id: JobID("e1"), version: 1, definition: definition, isEnabled: values["enabled"]?.isTruthy ?? false,
            created: now, modified: now)
    }

    private static let full: JSONObject = [
        "title": "Full", "enabled": true, "category": "other", "target": "allgrp", "plugin": "shellplug",
        "params": ["script": "#!/bin/sh\n", "annotate": 0],
        "timing": ["minutes": [15, 45], "hours": [3], "weekdays": [5, 1]], "timezone": "Europe/Berlin",
        "max_children": 2, "timeout": 120, "catch_up": 1, "queue": 1, "queue_max": 3, "multiplex": 0, "stagger": 5,
        "retries": 1, "retry_delay": 2, "detached": 0, "algo": "round_robin", "chain": "e2", "chain_error": "",
        "notify_success": "a@example.org, b@example.org", "notify_fail": "", "web_hook": "http://h/", "notes": "n",
        "cpu_limit": 100, "cpu_sustain": 5, "memory_limit": 1_073_741_824, "memory_sustain": 5,
        "log_max_size": 1_048_576, "x_extra": ["nested": [1, 2]],
    ]

    @Test("every property becomes what it means")
    func meaning() throws {
        let definition = job(Self.full).definition
        #expect(definition.title == "Full" && definition.category == "other" && definition.plugin == "shellplug")
        #expect(definition.target == .named("allgrp") && definition.algorithm == .roundRobin)
        #expect(definition.overlap == .queue && definition.maximumActive == 2 && definition.queueLimit == 3)
        #expect(definition.timeout == .seconds(120) && definition.catchUp == .all && definition.stagger == .seconds(5))
        #expect(definition.retries == 1 && definition.retryDelay == .seconds(2) && definition.onSuccess == "e2")
        #expect(definition.limits.cpuPercent == 100 && definition.limits.cpuSustain == .seconds(5))
        #expect(definition.limits.memoryBytes == 1_073_741_824 && definition.limits.logBytes == 1_048_576)
        #expect(definition.notifications.mailOnSuccess == "a@example.org, b@example.org")
        #expect(definition.notifications.webHook == "http://h/" && definition.description == "n")
        guard case .schedule(let text) = definition.trigger else {
            Issue.record("it has no schedule")
            return
        }
        #expect(text.notation == .minutes && text.zone == "Europe/Berlin")
        #expect(text.text == "weekdays 1,5 hours 3 minutes 15,45")
    }

    @Test("what was sent is returned as it was sent")
    func verbatim() {
        let shown = EventShape(job(Self.full)).object
        for (key, value) in Self.full { #expect(shown[key] == value, "\(key)") }
        #expect(shown["id"] == "e1" && shown["created"] == .integer(now.seconds))
    }

    @Test("what somebody else has changed since is shown as it is")
    func drift() {
        var job = job(Self.full)
        job.definition.retries = 7
        job.definition.overlap = .allow
        job.isEnabled = false
        let shown = EventShape(job).object
        #expect(shown["retries"] == 7 && shown["enabled"] == 0)
        #expect(shown["max_children"] == 0 && shown["queue"] == 0)
        #expect(shown["timeout"] == 120 && shown["timing"] == Self.full["timing"])
    }

    @Test(
        "concurrency: 0 is no bound, a queue takes what has no place",
        arguments: [
            (0, 0, OverlapPolicy.allow, 1), (3, 0, .skip, 3), (3, 1, .queue, 3), (0, 1, .queue, Limits.activePerJob),
        ])
    func concurrency(children: Int64, queue: Int64, overlap: OverlapPolicy, active: Int) {
        let values: JSONObject = ["max_children": .integer(children), "queue": .integer(queue)]
        let definition = job(values).definition
        #expect(definition.overlap == overlap && definition.maximumActive == active)
        #expect(EventCoding.children(of: definition) == Int(children))
    }

    @Test("a timing of values that no clock shows never matches, an empty list matches all")
    func timing() {
        #expect(EventCoding.matrix(["minutes": [1.5]]).description == "years 1")
        #expect(EventCoding.matrix(["years": [99_999]]).description == "years 1")
        #expect(EventCoding.matrix(["minutes": []]).description == "every minute")
        #expect(EventCoding.matrix([:]).description == "every minute")
        #expect(EventCoding.matrix(["minutes": [5, 1.5]]).description == "minutes 5")
    }

    @Test("a job of the other dialect is an event with its command as a script")
    func foreign() {
        var definition = JobDefinition(name: "nightly")
        definition.command = "echo hi"
        definition.dialectFields = #"{"chronos":{"epsilon":"PT5M"}}"#
        definition.trigger = .schedule(
            ScheduleText(notation: .iso8601, text: "R/2026-01-01T00:00:00Z/PT1H", zone: "", anchor: now))
        let job = Job(id: JobID("e2"), version: 1, definition: definition, isEnabled: true, created: now, modified: now)
        let shown = EventShape(job).object
        #expect(shown["title"] == "nightly" && shown["plugin"] == "shellplug" && shown["timing"] == false)
        #expect(shown["params"]?["script"] == "#!/bin/sh\n\necho hi\n")
        #expect(shown["schedule"] == "R/2026-01-01T00:00:00Z/PT1H")
        let kept = EventShape.keeping(["notes": "x"], in: definition)
        #expect(JSONValue.read(kept)?["chronos"]?["epsilon"] == "PT5M")
    }

    @Test("slices count as in JavaScript")
    func slices() {
        for (start, end, expected) in [
            (0, 3, 0..<3), (6, 9, 6..<7), (7, 10, 7..<7), (100, nil, 7..<7), (0, -1, 0..<6), (1, -1, 1..<6),
            (-2, nil, 5..<7), (-2, -1, 5..<6), (-100, nil, 0..<7), (0, Int.min, 0..<0),
        ] as [(Int, Int?, Range<Int>)] {
            #expect(ScriptSlice.range(start, end, of: 7) == expected, "\(start) \(String(describing: end))")
        }
    }
}

@Suite("Rules of events")
struct EventRulesTests {
    private struct Zones: ZoneDatabase {
        let version = "test"
        func rules(named name: String) -> ZoneRules? { name == "Asia/Tokyo" ? .utc : nil }
    }
    private let rules = EventRules(zones: Zones())

    @Test(
        "what is wrong is said in Cronicle's words",
        arguments: [
            (["timing": 5], "Malformed event parameter: timing (must be object)"),
            (["timing": [1]], "Unknown event timing parameter: 0"),
            (["timing": ["seconds": [1]]], "Unknown event timing parameter: seconds"),
            (["timing": ["minutes": 5]], "Malformed event timing parameter: minutes (must be array)"),
            (["timing": ["minutes": ["5"]]], "Malformed event timing parameter: minutes (must be array of numbers)"),
            (["timing": ["hours": [24]]], "Malformed event timing parameter: hours (value out of range: 24)"),
            (["timezone": "asia/tokyo"], "Malformed or unknown timezone: asia/tokyo"),
            (["params": "x"], "Malformed event parameter: params (must be object)"),
            (["notes": "<i>"], "Malformed notes parameter: Cannot contain HTML metacharacters"),
            (["id": 5], "Malformed parameter type: id (number)"),
            (["web_hook": "ftp://x"], "Malformed parameter value: web_hook"),
            (["web_hook": "http://"], "Malformed parameter value: web_hook"),
            (["web_hook": "http://x y"], "Malformed parameter value: web_hook"),
            (["web_hook": "http://x "], "Malformed parameter value: web_hook"),
            (["notify_success": "a;b"], "Malformed parameter value: notify_success"),
            (["chain": "a b"], "Malformed parameter value: chain"),
            (
                ["algo": "frobnicate", "timezone": "Mars", "timing": ["hours": [24]]],
                "Malformed event timing parameter: hours (value out of range: 24)"
            ),
            (["algo": "frobnicate", "timezone": "Mars"], "Malformed or unknown timezone: Mars"),
        ] as [(JSONObject, String)])
    func wrong(_ values: JSONObject, _ message: String) {
        #expect { try rules.check(values) } throws: { ($0 as? CronicleFailure)?.description == message }
    }

    @Test("moments lie within the years that calendars know")
    func moments() {
        for (sent, meant) in [(Int.min, 0), (-1, 0), (0, 0), (1_700_000_000, 1_700_000_000), (.max, 253_402_300_799)] {
            #expect(EventRules.moment(sent) == meant)
        }
    }

    @Test("what Cronicle takes is taken")
    func right() {
        for values in [
            ["timing": .null], ["timing": false], ["timing": [:]], ["timing": []], ["timing": ["minutes": [1.5]]],
            ["timing": ["years": [1_999]]], ["timezone": ""], ["timezone": "Asia/Tokyo"], ["params": .null],
            ["params": ["x"]], ["chain": ""], ["web_hook": ""], ["web_hook": "HTTPS://x/?a"],
            ["web_hook": "http://x/ [header: A: b]"], ["frobnicate": ["a": 1]], ["algo": "least_cpu"],
            ["api_key": "with spaces is no property of the event"],
        ] as [JSONObject] {
            #expect(throws: Never.self, "\(values)") { try rules.check(values) }
        }
        #expect(throws: CronicleFailure.self) { try rules.check(["algo": "frobnicate"]) }
    }
}
