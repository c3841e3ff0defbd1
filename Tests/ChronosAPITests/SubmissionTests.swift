import Domain
import HTTP
import JSON
import Operations
import Testing
import Timetable

@testable import ChronosAPI

@Suite("Posting jobs")
struct SubmissionTests {
    @Test(
        "both trees take jobs by POST and PUT, and answer 204 without a body",
        arguments: ["/v1/scheduler", "/scheduler"], [HTTPMethod.post, .put])
    func accepted(tree: String, method: HTTPMethod) async {
        let server = Server()
        let first = await server.call(method, "\(tree)/iso8601", body: #"{"name":"a b#c","command":"date"}"#)
        let second = await server.call(method, "\(tree)/dependency", body: #"{"name":"d","parents":["a b#c"]}"#)
        for response in [first, second] {
            #expect(response.status == 204)
            #expect(response.body.bytes == [])
            #expect(response.headers["Content-Type"] == "application/json")
            #expect(response.headers["Access-Control-Allow-Origin"] == "*")
        }
        #expect(server.cluster.job("a b#c")?.definition.command == "date")
        #expect(server.cluster.job("d")?.definition.trigger == .parents(["a b#c"]))
    }

    @Test("what was posted is there at once, through both trees")
    func readYourWrites() async {
        let server = Server()
        _ = await server.call(.post, "/scheduler/iso8601", body: #"{"name":"a b","command":"date"}"#)
        let response = await server.call(.get, "/v1/scheduler/job/a%20b")
        #expect(response.status == 200)
        #expect(response.json?["command"] == "date")
    }

    @Test(
        "the content type of a body does not matter: curl calls everything a form",
        arguments: ["application/json; charset=utf-8", "application/x-www-form-urlencoded", "text/plain", nil])
    func contentType(_ type: String?) async {
        let server = Server()
        var headers = HTTPHeaders()
        headers["Content-Type"] = type
        let response = await server.call(.post, "/v1/scheduler/iso8601", body: #"{"name":"a"}"#, headers: headers)
        #expect(response.status == 204)
    }

    @Test("the documentation's sample jobs are accepted")
    func samples() async {
        let server = Server()
        let scheduled = await server.call(
            .post, "/v1/scheduler/iso8601",
            body: #"""
                {"schedule": "R10/2012-10-01T05:52:00Z/PT2S", "name": "SAMPLE_JOB1", "epsilon": "PT15M",
                "command": "echo 'FOO' >> /tmp/JOB1_OUT", "owner": "bob@airbnb.com", "async": false}
                """#)
        let dependent = await server.call(
            .post, "/v1/scheduler/dependency",
            body: #"""
                {"async": true, "command": "bash -x /srv/data-infra/jobs/hive_query.bash run_hive hostings",
                "epsilon": "PT30M", "errorCount": 0, "lastError": "", "lastSuccess": "2013-03-15T13:02:14.243Z",
                "name": "hostings_earnings_summary", "owner": "bob@airbnb.com",
                "parents": ["db_export-airbed_hostings", "db_export-airbed_reservation2s"], "retries": 2,
                "successCount": 100}
                """#)
        #expect(scheduled.status == 204, "\(scheduled.text)")
        #expect(dependent.status == 204, "\(dependent.text)")
        #expect(server.cluster.job("hostings_earnings_summary")?.definition.reportsCompletion == true)
        #expect(server.cluster.job("hostings_earnings_summary")?.counters.successes == 100)
    }

    /// Members besides the name "a", and what the message must say.
    static let refused: [(String, String)] = [
        (#""schedule":"R/2026-03-01T00:00:00Z/PT1H","scheduleTimeZone":"Mars/Base""#, "Mars/Base"),
        (#""schedule":"every day""#, "every day"),
        (#""schedule":"""#, "R"),
        (#""schedule":"R/2026-03-01T00:00:00Z/PT0.5S""#, "second"),
        (#""schedule":"R/2026-03-01T00:00:00Z/PT0S""#, "is zero"),
        (#""schedule":"R/1960-03-01T00:00:00Z/P1D""#, "1970"),
        (#""schedule":["R//PT1H"]"#, "schedule must be a text"),
        (#""schedule":"R//PT1H","parents":["b"]"#, "…/dependency"),
        (#""parents":["b"]"#, "…/dependency"),
        (#""parents":"b""#, "parents must be an array"),
        (#""constraints":[["rack","IS","r"]]"#, "EQUALS, LIKE or UNLIKE"),
        (#""constraints":[["rack","LIKE","("]]"#, "regular expression"),
        (#""constraints":[["rack","LIKE"]]"#, "constraints[0]"),
        (#""constraints":[{"rack":"r"}]"#, "constraints[0]"),
        (#""constraints":[["rack","EQUALS",null]]"#, "constraints[0]"),
        (#""epsilon":"15 minutes""#, "epsilon"),
        (#""epsilon":"PT-5M""#, "epsilon"),
        (#""epsilon":"PT0S""#, "longer than 0"),
        (#""environmentVariables":{"A":"b"}"#, "must be an array"),
        (#""environmentVariables":[{"name":"A"}]"#, "environmentVariables[0].value is missing"),
        (#""environmentVariables":[{"name":"A=B","value":"c"}]"#, "A=B"),
        (#""environmentVariables":["A=B"]"#, "environmentVariables[0] must be an object"),
        (#""command":{"run":"x"}"#, "command must be a text"),
        (#""command":"a\u0000b""#, "NUL"),
        (#""arguments":["a\u0000b"]"#, "NUL"),
        (#""arguments":"-v""#, "arguments must be an array"),
        (#""arguments":[[]]"#, "arguments[0]"),
        (#""shell":false"#, "executable"),
        (#""retries":1001"#, "retries"),
        (#""maxCompletionTime":999999999"#, "seconds"),
        (#""successCount":-1"#, "successCount"),
        (#""lastSuccess":"yesterday""#, "lastSuccess"),
        (#""executor":"/bin/mine""#, "executor"),
        (#""container":{"image":"-v"}"#, "'-v' is no name of an image"),
        (#""container":{"image":"i","network":"USER"}"#, "networkName"),
        (#""container":{"image":"i","parameters":[{"key":"a-docker-option","value":"x"}]}"#, "a-docker-option"),
        (#""container":{"image":"i","parameters":[{"key":"name","value":"x"}]}"#, "named after its run"),
        (#""container":{"image":"i","volumes":[{"containerPath":"data"}]}"#, "absolute path"),
        (#""container":{"type":"DOCKER"}"#, "container.image"),
        (#""container":{"image":"i","network":"NAT"}"#, "container.network"),
        (#""container":{"image":"i","volumes":[{"hostPath":"/x"}]}"#, "container.volumes[0].containerPath"),
        (#""container":"ubuntu""#, "container must be an object"),
        (#""fetch":[{"uri":"hdfs://a/b"}]"#, "hdfs://"),
        (#""fetch":[{"uri":"http://a/b","output_file":"../c"}]"#, "output_file"),
        (#""command":"ftp://a/""#, "output_file"),
        (#""fetch":[{}]"#, "fetch[0].uri"),
        (#""fetch":["http://a/b"]"#, "fetch[0]"),
        (#""uris":["http://a/b","http://c/b"]"#, "the same file 'b'"),
        (#""uris":["http://a/b"],"fetch":[{"uri":"http://a/c"}]"#, "differ"),
    ]

    @Test("a job that cannot be right is refused with 400 and a reason", arguments: refused)
    func refusals(members: String, reason: String) async {
        await expectRefusal(of: #"{"name":"a",\#(members)}"#, at: "iso8601", naming: reason)
    }

    @Test(
        "a body that is no job is refused with 400 and a reason",
        arguments: [
            ("", "no body"), ("[]", "an array"), ("null", "null"), ("{", "malformed JSON at line 1, column 2"),
            ("{\"name\":\n \"a\",}", "line 2, column 6"), ("{}", "name"), (#"{"name":null}"#, "name"),
            (#"{"name":""}"#, "name"), (#"{"name":"a/b"}"#, "a/b"), (#"{"name":"a:b"}"#, "a:b"),
            (#"{"name":"größe"}"#, "größe"), (#"{"name":"a\u0000"}"#, "NUL"), (#"{"name":["a"]}"#, "name"),
            ("{\"name\":\"\(String(repeating: "x", count: 256))\"}", "255"),
            ("{\"name\":\"a\",\"command\":\"\(String(repeating: "x", count: 64 * 1024 + 1))\"}", "command"),
            ("{\"name\":\"a\",\"owner\":\"\(String(repeating: "x", count: 8 * 1024 + 1))\"}", "owner"),
            (
                "{\"name\":\"a\",\"arguments\":[\(Array(repeating: "1", count: 257).joined(separator: ","))]}",
                "256 arguments"
            ),
        ])
    func noJob(body: String, reason: String) async {
        await expectRefusal(of: body, at: "iso8601", naming: reason)
    }

    @Test(
        "a dependent job that cannot be right is refused with 400 and a reason",
        arguments: [
            (#"{"name":"a","parents":["a"]}"#, "own parent"), (#"{"name":"a","parents":[]}"#, "parents"),
            (#"{"name":"a"}"#, "parents"), (#"{"name":"a","schedule":"R//PT1H"}"#, "…/iso8601"),
            (#"{"name":"a","schedule":"R//PT1H","parents":["b"]}"#, "…/iso8601"),
            (#"{"name":"a","parents":["b/c"]}"#, "b/c"), (#"{"name":"a","parents":[null]}"#, "parents[0]"),
        ])
    func dependents(body: String, reason: String) async {
        await expectRefusal(of: body, at: "dependency", naming: reason)
    }

    private func expectRefusal(of body: String, at route: String, naming reason: String) async {
        let server = Server()
        let response = await server.call(.post, "/v1/scheduler/\(route)", body: body)
        #expect(response.status == 400)
        #expect(response.headers["Content-Type"] == "application/json")
        #expect(response.json?["status"] == "Bad Request")
        #expect(response.message.contains(reason), "\(response.message)")
        #expect(server.cluster.commands.isEmpty)
    }

    @Test(
        "every name that the documentation's expression matches is accepted", arguments: ["a", ".", "a b\tc", "#_-.9"])
    func names(_ name: String) async {
        let response = await Server().call(
            .post, "/v1/scheduler/iso8601", body: JSONValue.object(["name": .string(name)]).text)
        #expect(response.status == 204)
    }

    @Test("what the leader refuses, such as a cycle, is told in its words")
    func leaderRefuses() async {
        let server = Server()
        server.cluster.state.withLock { $0.refusal = .invalid("a, b and a form a cycle") }
        let response = await server.call(.post, "/scheduler/dependency", body: #"{"name":"a","parents":["b"]}"#)
        #expect(response.status == 400)
        #expect(response.message == "a, b and a form a cycle")
    }
}
