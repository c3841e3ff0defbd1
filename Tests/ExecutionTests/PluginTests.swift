import Domain
import Foundation
import JSON
import Runtime
import Synchronization
import Testing
import Timetable

@testable import Execution

/// The stock plugins' parameters, as Cronicle ships them.
private let stockParameters: [StockPlugin: JSONValue] = [
    .shell: [
        ["id": "script", "type": "textarea", "value": "#!/bin/sh\n\n# Enter your shell script code here"],
        ["id": "annotate", "type": "checkbox", "value": 0], ["id": "json", "type": "checkbox", "value": 0],
    ],
    .test: [
        ["id": "duration", "type": "text", "value": 60], ["id": "progress", "type": "checkbox", "value": 1],
        ["id": "burn", "type": "checkbox", "value": 0],
        ["id": "action", "type": "select", "items": ["Success", "Failure", "Crash"], "value": "Success"],
        ["id": "secret", "type": "hidden", "value": "hidden"],
    ],
    .url: [
        ["id": "method", "type": "select", "value": "GET"], ["id": "url", "type": "textarea", "value": "http://"],
        ["id": "headers", "type": "textarea", "value": "User-Agent: Cronicle/1.0"],
        ["id": "timeout", "type": "text", "value": "30"], ["id": "success_match", "type": "text", "value": ""],
    ],
]

func samplePlugin(_ command: String, parameters: JSONValue = []) -> Plugin {
    var plugin = Plugin(
        id: "plug", title: "The Plugin", command: command,
        authorship: Authorship(username: "", created: Instant(seconds: 0), modified: Instant(seconds: 0)))
    plugin.parameters = parameters.text
    return plugin
}

func pluginJob(_ attempt: AttemptID, _ plugin: Plugin, _ values: JSONObject = [:]) -> Offer {
    var plugin = PluginOffer(plugin: plugin, job: JobID("event1"))
    plugin.parameters = JSONValue.object(values).text
    plugin.jobTitle = "The Title"
    plugin.category = "general"
    plugin.categoryTitle = "General"
    plugin.target = "allgrp"
    plugin.targetTitle = "All Servers"
    var offer = sampleOffer(attempt)
    offer.extras = OfferExtras()
    offer.extras?.plugin = plugin
    return offer
}

private func stock(_ attempt: AttemptID, _ kind: StockPlugin, _ values: JSONObject) -> Offer {
    pluginJob(attempt, samplePlugin(kind.rawValue, parameters: stockParameters[kind] ?? []), values)
}

private func withBench(
    change: @Sendable @escaping (inout SpawnSettings) -> Void = { _ in },
    http: (any TaskHTTP)? = nil, _ body: @Sendable @escaping (Bench) async throws -> Void
) async throws {
    try await onLoop { loop in try await body(Bench(loop, http: http, change: change)) }
}

@Suite("Plugins as processes", .serialized, .timeLimit(.minutes(2)))
struct PluginTests {
    @Test("a plugin reads its job as one line, then the end; its parameters are those that it declares")
    func job() async throws {
        try await withBench { bench in
            let plugin = samplePlugin(
                #"/bin/sh -c 'cat | sed "s/^/> /"; printf "{\"complete\":1}\n"'"#,
                parameters: [
                    ["id": "a", "type": "text", "value": "x"], ["id": "b", "type": "text", "value": "y"],
                    ["id": "e", "type": "hidden", "value": "secret"],
                ])
            var offer = pluginJob(attempt(1), plugin, ["a": "given", "e": "forged", "z": 1])
            offer.timeout = .seconds(7)
            offer.extras?.plugin?.notes = "a note"
            offer.extras?.plugin?.postData = #"{"n":[1]}"#
            offer.extras?.plugin?.dialectFields =
                #"{"cronicle":{"timezone":"UTC","x":{"y":1},"title":"t","hostname":"forged"},"chronos":{"z":1}}"#
            offer.extras?.plugin?.chain = ChainLink(
                run: RunID("r0"), job: JobID("before"), jobTitle: "B", data: "[1]", code: "\"E\"", description: "d",
                length: 1)
            let end = try await bench.run(offer)
            #expect(end.task?.outcome == .reported(isSuccess: true))
            let lines = try bench.log(attempt(1)).split(separator: "\n")
            #expect(lines.count == 1)
            let job = try JSONValue(parsing: Array(try #require(lines.first).dropFirst(2).utf8))
            #expect(job["params"] == ["a": "given", "b": "y", "e": "secret"])
            for (key, value) in [
                "id": "r1", "event": "event1", "event_title": "The Title", "category": "general", "hostname": "host-1",
                "category_title": "General", "plugin_title": "The Plugin", "nice_target": "All Servers", "timeout": 7,
                "now": 1_800_000_000, "notes": "a note", "timezone": "UTC", "x": ["y": 1], "post_data": ["n": [1]],
                "chain_data": [1], "chain_code": "E", "source_job": "r0", "source_event": "before",
            ] as JSONObject {
                #expect(job[key] == value, "\(key)")
            }
            #expect(job["title"] == nil && job["time_start"]?.doubleValue != nil)
            // What was given for this run alone is given whole.
            offer = pluginJob(attempt(2), plugin, ["a": "given", "e": "forged", "z": ["n": 1]])
            offer.extras?.plugin?.hasOwnParameters = true
            _ = try await bench.run(offer)
            let line = try #require(try bench.log(attempt(2)).split(separator: "\n").first)
            let params = try JSONValue(parsing: Array(line.dropFirst(2).utf8))["params"]
            #expect(params == ["a": "given", "b": "y", "e": "secret", "z": ["n": 1]])
        }
    }

    @Test("the environment is built from nothing, with what the job says of itself and its parameters on top")
    func environment() async throws {
        try await withBench { bench in
            var plugin = samplePlugin(
                "/usr/bin/env",
                parameters: [
                    ["id": "one", "type": "text", "value": "$JOB_ID and \\$JOB_ID"],
                    ["id": "path", "type": "text", "value": "/x"],
                    ["id": "ld_preload", "type": "text", "value": "/x"],
                    ["id": "job_event", "type": "text", "value": "mine"],
                    ["id": "flag", "type": "checkbox", "value": true],
                ])
            plugin.environment = #"{"OWN":"1","PATH":"/usr/bin:/bin","IFS":"x"}"#
            var offer = pluginJob(attempt(1), plugin)
            offer.extras?.plugin?.dialectFields = #"{"cronicle":{"a-b":1,"nested":{},"on":true}}"#
            let end = try await bench.run(offer)
            // The tool says nothing of its end.
            #expect(end.task?.reason == "Process exited without reporting job completion.")
            let lines = Set(try bench.log(attempt(1)).split(separator: "\n").map(String.init))
            for line in [
                "JOB_ID=r1", "JOB_EVENT_TITLE=The Title", "JOB_NOW=1800000000", "JOB_ON=1", "ONE=r1 and $JOB_ID",
                "JOB_EVENT=mine", "FLAG=1", "OWN=1", "PATH=/usr/bin:/bin", "CRONICLE=0.9.129", "CARILLON_RUN_ID=r1",
            ] {
                #expect(lines.contains(line), "\(line)")
            }
            #expect(
                !lines.contains { $0.hasPrefix("LD_PRELOAD") || $0.hasPrefix("IFS=") || $0.hasPrefix("JOB_NESTED") })
            #expect(!lines.contains { $0.hasPrefix("JOB_A-B") })
            #expect(lines.contains { $0.hasPrefix("[carillon: the variable 'LD_PRELOAD' is not passed on") })
        }
    }

    @Test("what a plugin tells is kept, what it writes is in the log, and standard error is never a message")
    func messages() async throws {
        try await withBench { bench in
            let script = """
                echo '{"progress":0.25}'; echo text; echo; echo '{"code":5}' >&2
                echo '{"perf":"a=1","table":{"rows":[]},"html":"<b onclick=x>t</b>","label":"L","chain":"next"}'
                echo '{"complete":1,"code":999,"description":"why"}'; printf unterminated
                """
            let plugin = samplePlugin(
                "/bin/sh -c \"$SCRIPT\"", parameters: [["id": "script", "type": "text", "value": ""]])
            let process = try await bench.launch(
                pluginJob(attempt(1), plugin, ["script": .string(script.replacingOccurrences(of: "$", with: "\\$"))]))
            let end = await process.ended()
            let task = try #require(end.task)
            #expect(task.outcome == .reported(isSuccess: false) && task.reason == "why")
            #expect(task.result.onSuccess == "next" && task.result.code == "999")
            let reported = try JSONValue(parsing: Array(task.reported.utf8))
            #expect(reported["html"] == ["content": "<b>t</b>"] && reported["label"] == "L")
            let news = try #require(await process.news())
            #expect(try JSONValue(parsing: Array(news.utf8))["progress"] == 0.25)
            #expect(await process.news() == nil)
            await process.conclude("\n# the end\n")
            await process.discard()
            let log = try await bench.wholeLog(attempt(1))
            #expect(log.contains("# Event Title: The Title\n# Hostname: host-1\n"))
            #expect(log.contains("text\n\n") && log.contains("{\"code\":5}\n"))
            #expect(log.hasSuffix("\n# the end\n") && log.contains("unterminated"))
        }
    }

    @Test("a program that cannot be started leaves a log that says why")
    func notStarted() async throws {
        try await withBench { bench in
            for (number, command) in [(1, "/no/such/program"), (2, "'open"), (3, "none-such-tool x")] {
                await #expect(throws: LaunchError.self) {
                    _ = try await bench.launch(pluginJob(attempt(number), samplePlugin(command)))
                }
                let log = try await bench.wholeLog(attempt(number))
                #expect(log.contains("# Job failed at ") && log.hasSuffix("\n# End of log.\n"))
            }
            #expect(bench.launcher.logs.endedCount == 3)
            #expect(!bench.scratch.exists("runs/r1-0"))
        }
    }

    // MARK: The shell plugin

    @Test("a script is executed as it is, reads its job, and tells its progress")
    func shell() async throws {
        try await withBench { bench in
            let script = "#!/bin/sh\necho start; echo 40%; echo '{\"label\":\"x\"}'; head -c 11; ls -a; exit 0\n"
            let end = try await bench.run(stock(attempt(1), .shell, ["script": .string(script)]))
            #expect(end.task?.outcome == .reported(isSuccess: true) && end.task?.result.description == "")
            #expect(end.task?.reported.contains(#""progress":0.4"#) == true)
            #expect(end.task?.reported.contains("label") == false, "JSON is off")
            let log = try bench.log(attempt(1))
            #expect(log.hasPrefix("start\n{\"label\":\"x\"}\n{\""))
            #expect(!bench.scratch.exists("runs/r1-0"))
        }
    }

    @Test("its exit, its signal and its errors are told in Cronicle's words")
    func shellFailures() async throws {
        try await withBench { bench in
            func run(_ number: Int, _ script: String, _ more: JSONObject = [:]) async throws -> TaskEnd {
                var values = more
                values["script"] = .string("#!/bin/sh\n\(script)\n")
                return try #require(try await bench.run(stock(attempt(number), .shell, values)).task)
            }
            let plain = try await run(1, "exit 5")
            #expect(plain.outcome == .exited(code: 5) && plain.reason == "Script exited with code: 5")
            #expect(plain.result.code == "5")
            let loud = try await run(2, "echo '  <first> & line' >&2; echo second >&2; exit 1")
            #expect(loud.reason == "Script exited with code: 1: <first> & line")
            let html = try JSONValue(parsing: Array(loud.reported.utf8))["html"]
            #expect(html?["content"] == "<pre>&lt;first&gt; &amp; line\nsecond</pre>")
            #expect(html?["title"] == "Error Output")
            #expect(try bench.log(attempt(2)) == "  <first> & line\nsecond\n")
            let killed = try await run(3, "kill -SEGV $$")
            #expect(killed.outcome == .signalled(11) && killed.result.code == "\"SIGSEGV\"")
            let json = try await run(
                4, "echo '{\"complete\":1,\"code\":7,\"description\":\"own\"}'; exit 3", ["json": 1])
            #expect(json.outcome == .reported(isSuccess: false) && json.result.code == "7" && json.reason == "own")
            let good = try await run(5, "echo warning >&2")
            #expect(good.outcome == .reported(isSuccess: true) && good.reported.contains("Error Output"))
        }
    }

    @Test("a script without an interpreter is the shell's, and one with a browser's line ends runs")
    func shellForms() async throws {
        try await withBench { bench in
            let plain = try await bench.run(stock(attempt(1), .shell, ["script": "no-such-tool\nexit 3\n"]))
            #expect(plain.task?.outcome == .exited(code: 3))
            // Shells name the file as Cronicle's does.
            #expect(try bench.log(attempt(1)).contains("/.cronicle-script-temp-r1.sh: "))
            #expect(plain.task?.reason.hasPrefix("Script exited with code: 3: /") == true)
            let empty = try await bench.run(stock(attempt(4), .shell, ["script": ""]))
            #expect(empty.task?.outcome == .reported(isSuccess: true))
            await #expect {
                try await bench.run(stock(attempt(5), .shell, ["script": "#!/no/such\n"]))
            } throws: { error in
                "\(error)".hasPrefix("Script failed: No such file or directory (spawn /")
                    && "\(error)".hasSuffix("/.cronicle-script-temp-r5.sh ENOENT)")
            }
            let end = try await bench.run(stock(attempt(2), .shell, ["script": "#!/bin/sh\r\necho a\r\nexit 4\r\n"]))
            #expect(end.task?.outcome == .exited(code: 4))
            #expect(try bench.log(attempt(2)) == "a\n")
            let long = "#!/bin/sh\n# " + String(repeating: "x", count: 200_000) + "\nexit 6\n"
            let big = try await bench.run(stock(attempt(3), .shell, ["script": .string(long), "annotate": 1]))
            #expect(big.task?.outcome == .exited(code: 6))
        }
    }

    // MARK: The test plugin

    @Test("the test plugin succeeds, fails and crashes as it is told", arguments: ["Success", "Failure", "Crash"])
    func test(action: String) async throws {
        try await withBench { bench in
            let end = try await bench.run(
                stock(attempt(1), .test, ["duration": "0.3-0.4", "action": .string(action), "burn": 1]))
            let task = try #require(end.task)
            #expect(task.reported.contains("progress"))
            switch action {
            case "Success":
                #expect(task.result.description == "Success!" && task.outcome == .reported(isSuccess: true))
                let reported = try JSONValue(parsing: Array(task.reported.utf8))
                #expect(reported["table"]?["rows"]?.arrayValue?.isEmpty == false && reported["html"] != nil)
                #expect(reported["progress"] == 1)
            case "Failure":
                #expect(task.result.code == "999" && task.reported.contains("perf"))
                #expect(task.reason == "Simulating an error message here.  Something went wrong!")
            default: #expect(task.reason == "Child \(processNumber(task.reason)) crashed with code: 1")
            }
        }
    }

    private func processNumber(_ text: String) -> String {
        text.split(separator: " ").dropFirst().first.map(String.init) ?? ""
    }

    // MARK: The URL plugin

    private struct FakeHTTP: TaskHTTP {
        let answer: @Sendable (TaskHTTPRequest) async throws -> TaskHTTPAnswer
        func exchange(_ request: TaskHTTPRequest) async throws -> TaskHTTPAnswer { try await answer(request) }
    }

    @Test("a request's answer is the result, and the log shows both")
    func url() async throws {
        let http = FakeHTTP { request in
            TaskHTTPAnswer(
                status: request.url.hasSuffix("/missing") ? 404 : 200, reason: "OK",
                headers: [.init("Content-Type", "text/plain")], body: Array("the body".utf8))
        }
        try await withBench(http: http) { bench in
            let good = try await bench.run(stock(attempt(1), .url, ["url": "http://h/", "success_match": "body$"]))
            #expect(good.task?.outcome == .reported(isSuccess: true))
            #expect(good.task?.result.description == "Success (HTTP 200 OK)")
            let log = try bench.log(attempt(1))
            #expect(log.contains("Sending HTTP GET to URL:\nhttp://h/\n") && log.contains("the body"))
            let bad = try await bench.run(stock(attempt(2), .url, ["url": "http://h/missing"]))
            #expect(bad.task?.result.code == "404" && bad.task?.reason == "HTTP 404 OK")
            await #expect(throws: LaunchError.self) { try await bench.run(stock(attempt(3), .url, ["url": "x"])) }
            #expect(try await bench.wholeLog(attempt(3)).contains("# Error: Malformed URL: x"))
        }
    }

    @Test("a request that fails says why; one that is ended ends at once")
    func urlFailures() async throws {
        let http = FakeHTTP { request in
            if request.url.hasSuffix("/slow") { try await Task.sleep(for: .seconds(1_000)) }
            throw TaskHTTPFailure(code: "ECONNREFUSED", message: "nobody there")
        }
        try await withBench(http: http) { bench in
            let failed = try await bench.run(stock(attempt(1), .url, ["url": "http://h/"]))
            #expect(failed.task?.result.code == "\"ECONNREFUSED\"" && failed.task?.reason == "nobody there")
            #expect(failed.task?.reported.contains(#""perf":{"scale":1"#) == true)
            #expect(try bench.log(attempt(1)).contains("\nnobody there\n\nPerformance Metrics: scale=1&total="))
            let process = try await bench.launch(stock(attempt(2), .url, ["url": "http://h/slow"]))
            await process.end(grace: .seconds(1_000))
            let end = await process.ended()
            #expect(end.wasEnded)
            await process.discard()
        }
    }

    // MARK: Much output

    /// In a process of its own: what other tests allocate meanwhile would count too. How fast it is, the bench says.
    @Test("much output passes without growth of memory", .timeLimit(.minutes(10)), arguments: [false, true])
    func muchOutput(asPlugin: Bool) async {
        // A dead orphan of another test's hides the end of the process from whoever waits for it.
        async let _ = reapOrphans()
        let result = await #expect(processExitsWith: .success, observing: [\.standardErrorContent]) { [asPlugin] in
            try await withBench { bench in
                let line = "yes 'a line of output, as programs write them in great number' | head -c"
                func end(_ number: Int, bytes: Int) async throws -> ProcessEnd {
                    let offer =
                        asPlugin
                        ? stock(attempt(number), .shell, ["script": .string("#!/bin/sh\n\(line) \(bytes)\n")])
                        : sampleOffer(attempt(number), command: "\(line) \(bytes)")
                    return try await bench.run(offer)
                }
                // What a process needs once is not growth.
                _ = try await end(1, bytes: 4_000_000)
                let before = residentBytes()
                let last = try await end(2, bytes: 32_000_000)
                let grown = residentBytes() - before
                let isWhole = last.outputBytes >= 32_000_000 && last.outputBytes < 32_001_000
                let isGood = last.status == .exited(code: 0) && isWhole && grown < 12 << 20
                let verdict = isGood ? "as it should be" : "\(last), and \(grown) bytes more of memory"
                FileHandle.standardError.write(Data(verdict.utf8))
            }
        }
        let text = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
        #expect(text.contains("as it should be"), "\(text)")
    }
}

private func reapOrphans() async {
    while !Task.isCancelled {
        ChildTable.ofThisProcess.reapStrays()
        // Cancelled at the end.
        try? await Task.sleep(for: .milliseconds(50))
    }
}

private func residentBytes() -> Int {
    let text = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)) ?? ""
    return (Int(text.split(separator: " ").dropFirst().first ?? "") ?? 0) * 4096
}
