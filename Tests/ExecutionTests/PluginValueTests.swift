import Domain
import JSON
import Synchronization
import Testing
import Timetable

@testable import Execution

@Suite("A plugin's command line")
struct CommandLineWordsTests {
    @Test(
        "it is split as a shell would, and means nothing else",
        arguments: [
            ("/bin/x", ["/bin/x"]), ("  a  b\tc ", ["a", "b", "c"]), (#"a "b c" 'd e'"#, ["a", "b c", "d e"]),
            (#"a\ b "\$x \" \q" '\'"#, ["a b", #"$x " \q"#, #"\"#]), (#"a"b"'c'd"#, ["abcd"]),
            (#"a "" ''"#, ["a", "", ""]),
            ("$X ${Y}z $ $1 '$X'", ["one two", "z", "$", "$1", "$X"]),
            ("a; b | c > *", ["a;", "b", "|", "c", ">", "*"]),
        ])
    func split(text: String, words: [String]) throws {
        #expect(try CommandLineWords.split(text) { $0 == "X" ? "one two" : nil } == words)
    }

    @Test("an open quote and an empty command are errors", arguments: ["a 'b", "a \"b", "", "  "])
    func bad(text: String) {
        #expect(throws: LaunchError.self) { try CommandLineWords.split(text) { _ in nil } }
    }

    @Test("values of parameters expand variables, and leave escaped ones alone")
    func expand() {
        let values = ["A": "1", "B": "$A"]
        func expand(_ text: String) -> String { CommandLineWords.expand(text) { values[$0] } }
        #expect(expand(#"$A-${B}-\$A-$none-$"#) == "1-$A-$A--$")
        #expect(expand("plain") == "plain")
    }
}

@Suite("What a plugin says")
struct PluginChannelTests {
    private final class Channel {
        let scratch: Scratch
        let log: OutputLog
        let channel: PluginChannel

        init(_ grammar: PluginChannel.Grammar) throws {
            scratch = try Scratch()
            log = try OutputLog(path: "\(scratch.path)/log", limit: 8 << 20)
            channel = PluginChannel(log: log, grammar: grammar) { Instant(seconds: 1_800_000_000) }
        }

        var text: String { String(decoding: log.read(from: 0, limit: 8 << 20).bytes, as: UTF8.self) }
    }

    private static let plain = PluginChannel.Grammar()
    private static let shell = PluginChannel.Grammar(takesJSON: true, takesPercent: true, annotates: false)

    @Test(
        "messages are taken out, and every other byte is kept, however it comes in pieces",
        arguments: [1, 2, 3, 7, 1000])
    func pieces(size: Int) throws {
        let output = """
            one

              {"progress": 0.5}  \n\t
            {no json}
            { "label": "L" }
            12% done
            {}
            {"perf":{"a":1}} x
            {"code": 3, "description": "d", "complete": 1}
            {"code": 4}
             last {
            """
        let channel = try Channel(Self.plain)
        var rest = Array(output.utf8)[...]
        while !rest.isEmpty {
            try channel.channel.write(Array(rest.prefix(size)))
            rest = rest.dropFirst(size)
        }
        try channel.channel.finish()
        #expect(channel.text == "one\n\n\t\n{no json}\n12% done\n{}\n{\"perf\":{\"a\":1}} x\n last {")
        let values = channel.channel.report.values
        #expect(values["progress"] == 0.5 && values["label"] == "L" && values["code"] == 3 && values["perf"] == nil)
        #expect(channel.channel.report.isComplete)
    }

    @Test("a message needs no line end")
    func unterminated() throws {
        let channel = try Channel(Self.plain)
        try channel.channel.write(Array("text\n{\"complete\":1}".utf8))
        #expect(!channel.channel.report.isComplete)
        try channel.channel.finish()
        #expect(channel.channel.report.isComplete && channel.text == "text\n")
    }

    @Test("the shell plugin's percents are progress; stamps stand before lines of text only", arguments: [1, 4, 100])
    func shell(size: Int) throws {
        var grammar = Self.shell
        grammar.annotates = true
        grammar.takesJSON = false
        let channel = try Channel(grammar)
        var rest = Array("10%\n1000 %\na\nb {\n 250% \n{\"label\":1}\nend".utf8)[...]
        while !rest.isEmpty {
            try channel.channel.write(Array(rest.prefix(size)))
            rest = rest.dropFirst(size)
        }
        try channel.channel.finish()
        let stamp = "[\(LogText.stamp(Instant(seconds: 1_800_000_000)))] "
        #expect(
            channel.text == ["1000 %", "a", "b {", "{\"label\":1}", "end"].map { stamp + $0 }.joined(separator: "\n"))
        #expect(channel.channel.report.values["progress"] == 1)
    }

    @Test("a line that is too long to be a message is text, and takes no memory")
    func longLine() throws {
        let channel = try Channel(Self.plain)
        let line = "{\"label\":\"" + String(repeating: "x", count: 2 << 20) + "\"}\n"
        var rest = Array(line.utf8)[...]
        while !rest.isEmpty {
            try channel.channel.write(Array(rest.prefix(100_000)))
            rest = rest.dropFirst(100_000)
        }
        try channel.channel.write(Array("{\"label\":\"short\"}\n".utf8))
        #expect(channel.text == line && channel.channel.report.values["label"] == "short")
    }

    @Test("what is reported has a limit, and the log says what was left out")
    func limit() throws {
        let channel = try Channel(Self.plain)
        let big = String(repeating: "y", count: 300_000)
        for key in ["label", "description", "label"] {
            try channel.channel.write(Array("{\"\(key)\":\"\(big)\"}\n".utf8))
        }
        #expect(channel.text.hasPrefix("[carillon: 'description' was left out"))
        #expect(channel.channel.report.values["label"]?.stringValue == big)
        #expect(channel.channel.report.liveText == "{\"label\":\"\(big)\"}")
    }

    @Test("keys that are not of the protocol, or of the wrong type, change nothing")
    func unknownKeys() throws {
        var report = TaskReport()
        _ = report.take([
            "uid": 0, "update_event": ["enabled": 0], "env": ["A": "b"], "params": [:], "command": "x",
            "progress": "much", "table": "t", "html": 5, "chain": "../x", "chain_params": [1], "notify_fail": 7,
            "description": [1], "label": 12, "code": "E",
        ])
        #expect(report.values == ["label": "12", "code": "E"])
        _ = report.take(["progress": 7, "chain": nil, "html": "<b onclick=x>t</b><script>y</script>"])
        #expect(report.values["progress"] == 1 && report.values["chain"] == "")
        #expect(report.values["html"] == ["content": "<b>t</b>"])
    }
}

@Suite("How a plugin's task ended")
struct TaskEndTests {
    private static func report(_ message: JSONObject?) -> TaskReport {
        var report = TaskReport()
        if let message { _ = report.take(message) }
        return report
    }

    @Test("what the task said counts, else its exit (cronicle.md §3.3)")
    func rules() throws {
        func end(_ message: JSONObject?, _ status: ProcessEnd.Status, detached: Bool = false) -> TaskEnd {
            TaskEnd.of(Self.report(message), status: status, process: 7, isDetached: detached)
        }
        let good = end(["complete": 1], .exited(code: 3))
        #expect(good.outcome == .reported(isSuccess: true) && good.reason == "" && good.result.code == "0")
        let bad = end(["complete": true, "code": 999, "description": "why"], .exited(code: 0))
        #expect(bad.outcome == .reported(isSuccess: false) && bad.reason == "why" && bad.result.code == "999")
        let word = end(["complete": 1, "code": "ECONN"], .exited(code: 0))
        #expect(word.reason == "Unknown Error (no description provided)" && word.result.code == "\"ECONN\"")
        for code: JSONValue in ["", false, nil] {
            #expect(end(["complete": 1, "code": code], .exited(code: 0)).outcome == .reported(isSuccess: true))
        }
        let crashed = end(["progress": 0.5], .exited(code: 3))
        #expect(crashed.outcome == .exited(code: 3) && crashed.reason == "Child 7 crashed with code: 3")
        for status in [ProcessEnd.Status.exited(code: 0), .signalled(9)] {
            let silent = end(nil, status)
            #expect(silent.reason == "Process exited without reporting job completion.")
            #expect(silent.reported.contains("\"unknown\":1") && silent.result.code == "1")
        }
        #expect(end(nil, .signalled(9)).outcome == .signalled(9))
        #expect(end(nil, .exited(code: 0), detached: true).outcome == .reported(isSuccess: true))
        #expect(end(nil, .exited(code: 2), detached: true).reason == "Plugin exited with code: 2")
        let overruled = bad.overruled(by: "Job Aborted: x")
        #expect(overruled.result.code == "1" && overruled.result.description == "Job Aborted: x")
    }

    @Test("what decides what follows is told apart")
    func result() {
        let end = TaskEnd.of(
            Self.report([
                "complete": 1, "chain": "next", "chain_error": "", "chain_data": [1, ["a": nil]],
                "chain_params": ["p": 1], "notify_success": "a@example.org", "notify_fail": nil,
            ]), status: .exited(code: 0), process: 1, isDetached: false)
        #expect(end.result.onSuccess == "next" && end.result.onFailure == "")
        #expect(end.result.chainData == #"[1,{"a":null}]"# && end.result.chainParameters == #"{"p":1}"#)
        #expect(end.result.mailOnSuccess == "a@example.org" && end.result.mailOnFailure == "")
    }
}

@Suite("The URL plugin")
struct URLPluginTests {
    private static func plugin(_ values: JSONObject, job: JSONObject = [:]) throws -> URLPlugin {
        var plugin = Plugin(
            id: "urlplug", title: "HTTP", command: StockPlugin.url.rawValue,
            authorship: Authorship(username: "", created: Instant(seconds: 0), modified: Instant(seconds: 0)))
        plugin.parameters = JSONValue.array(values.map { ["id": .string($0.0), "type": "text", "value": $0.1] }).text
        return try URLPlugin(try PluginParameters(PluginOffer(plugin: plugin, job: JobID("j"))), job: job)
    }

    private static func answer(_ status: Int, _ body: String = "hello <b>", type: String = "text/plain")
        -> TaskHTTPAnswer
    {
        TaskHTTPAnswer(
            status: status, reason: "R", headers: [.init("X-B", "2"), .init("Content-Type", type)],
            body: Array(body.utf8))
    }

    @Test("the request is what the parameters say, filled in from the job")
    func request() throws {
        let plugin = try Self.plugin(
            [
                "method": "post", "url": " http://h/[/id]?d=[chain_description] ",
                "headers": "A: b\r\n C : [/params/x] \n", "timeout": "5",
                "data": #"{"list":[1],"x":"[/none]","d":"[escape_chain_description]"}"#,
                "idle_timeout": 0, "connect_timeout": "x", "follow": 1, "ssl_cert_bypass": "0",
            ], job: ["id": "j1", "params": ["x": 7], "chain_description": #""a b"&e"#])
        #expect(plugin.request.url == "http://h/j1?d=%22a%20b%22&e" && plugin.request.method == "POST")
        #expect(plugin.request.headers == [.init("A", "b"), .init("C", "7")])
        #expect(plugin.request.body == Array(#"{"list":[1],"x":"[/none]","d":"\"a b\"&e"}"#.utf8))
        #expect(plugin.request.timeout == .seconds(5) && plugin.request.connectTimeout == .seconds(10))
        #expect(plugin.request.followsRedirects && plugin.request.verifiesCertificate)
    }

    @Test("what makes no request is said before one is sent")
    func malformed() {
        for url in ["", "h", "ftp://h/x", "http://", "http://h/a b"] {
            #expect { try Self.plugin(["method": "GET", "url": .string(url)]) } throws: { error in
                "\(error)".hasPrefix("Malformed URL: ")
            }
        }
        #expect(throws: LaunchError.self) { try Self.plugin(["method": "X", "url": "http://h/"]) }
        #expect(throws: LaunchError.self) { try Self.plugin(["method": "GET", "url": "http://h/", "headers": "x"]) }
        #expect(throws: LaunchError.self) {
            try Self.plugin(["method": "GET", "url": "http://h/", "success_match": "("])
        }
    }

    @Test("status and patterns decide; errors are looked for first")
    func verdicts() throws {
        func conclude(_ answer: TaskHTTPAnswer, success: String = "", error: String = "") throws -> JSONObject {
            try Self.plugin([
                "method": "GET", "url": "http://h/", "success_match": .string(success), "error_match": .string(error),
            ]).conclude(answer, seconds: 0.5).message
        }
        let good = try conclude(Self.answer(200), success: "h.l+o")
        #expect(good["code"] == 0 && good["description"] == "Success (HTTP 200 R)")
        #expect(good["html"]?["content"] == "<pre>hello &lt;b></pre>" && good["chain_data"] == nil)
        #expect(good["table"]?["rows"] == [["Content-Type", "text/plain"], ["X-B", "2"]])
        #expect(try conclude(Self.answer(399))["code"] == 0)
        #expect(try conclude(Self.answer(404))["code"] == 404)
        let both = try conclude(Self.answer(200), success: "hello", error: "HELLO|hel")
        #expect(both["code"] == 1 && both["description"] == "Response contains error match: HELLO|hel")
        #expect(try conclude(Self.answer(200), success: "^lo")["description"] == "Response missing success match: ^lo")
        #expect(try conclude(Self.answer(200, type: "image/png"))["html"] == nil)
        #expect(try conclude(Self.answer(200, String(repeating: "x", count: 40_000)))["html"] == nil)
    }

    @Test("a chain gets headers, and the answer where it is JSON")
    func chain() throws {
        let plugin = try Self.plugin(["method": "GET", "url": "http://h/"], job: ["chain": "next"])
        let data = plugin.conclude(Self.answer(200, "[1]", type: "application/json"), seconds: 1).message["chain_data"]
        #expect(data == ["headers": ["x-b": "2", "content-type": "application/json"], "json": [1]])
    }
}
