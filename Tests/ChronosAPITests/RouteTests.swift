import Domain
import HTTP
import JSON
import Operations
import Testing
import Timetable

@testable import ChronosAPI

@Suite("Routes")
struct RouteTests {
    private func server(with names: String...) async -> Server {
        let server = Server()
        for name in names { server.cluster.store(Self.job(name)) }
        return server
    }

    static func job(_ name: String, command: String = "") -> Job {
        var definition = JobDefinition(name: name)
        definition.command = command
        return Job(
            id: JobID("e1"), version: 1, definition: definition, isEnabled: true, created: .epoch, modified: .epoch)
    }

    // MARK: Reading

    @Test("the list is one line of JSON with all jobs", arguments: ChronosAPI.trees)
    func list(tree: String) async {
        let empty = await Server().call(.get, "\(tree)/jobs")
        #expect(empty.text == "[]")
        let response = await server(with: "b", "a").call(.get, "\(tree)/jobs/")
        #expect(response.status == 200)
        #expect(response.headers["Content-Type"] == "application/json")
        #expect(!response.text.contains("\n"))
        #expect(response.json?.arrayValue?.map { $0["name"] } == ["a", "b"])
    }

    @Test("a long list is streamed page by page, and a failure on the way ends it visibly")
    func longList() async throws {
        let server = Server()
        let count = JobsResource.pageSize * 2
        for number in 0..<count { server.cluster.store(Self.job("job\(number)")) }
        let response = await server.call(.get, "/v1/scheduler/jobs")
        guard case .stream(let stream) = response.body else {
            Issue.record("not streamed")
            return
        }
        let bucket = Bucket()
        try await stream.produce(bucket)
        let names = try JSONValue(parsing: bucket.bytes).arrayValue?.compactMap { $0["name"]?.stringValue }
        #expect(names.map(Set.init)?.count == count && names?.count == count)

        server.cluster.state.withLock { $0.failure = StoreError(.connection, "gone") }
        await #expect(throws: DomainError.self) { try await stream.produce(Bucket()) }
    }

    @Test(
        "a search looks for parts of names and commands in any case, all conditions together",
        arguments: [
            ("name=REP", ["daily-report", "report"]), ("command=date", ["clock"]),
            ("any=report", ["clock", "daily-report", "report"]),
            ("any=report&command=date", ["clock"]), ("name=report&limit=1", ["daily-report"]),
            ("name=report&limit=1&offset=1", ["report"]), ("name=none", []),
            ("unknown=1", ["clock", "daily-report", "report"]),
            ("name=", ["clock", "daily-report", "report"]), ("limit=0", []), ("name=daily%2Dreport", ["daily-report"]),
        ])
    func search(query: String, expected: [String]) async {
        let server = await server(with: "report", "daily-report")
        server.cluster.store(Self.job("clock", command: "date > Report"))
        let response = await server.call(.get, "/v1/scheduler/jobs/search?\(query)")
        #expect(response.json?.arrayValue?.compactMap { $0["name"]?.stringValue } == expected)
    }

    @Test("a search finds ten jobs unless asked for more")
    func searchLimit() async {
        let server = Server()
        for number in 10..<25 { server.cluster.store(Self.job("job\(number)")) }
        let few = await server.call(.get, "/scheduler/jobs/search?name=job")
        #expect(few.json?.arrayValue?.count == 10)
        let all = await server.call(.get, "/scheduler/jobs/search?name=job&limit=100")
        #expect(all.json?.arrayValue?.count == 15)
    }

    @Test(
        "numbers of a search that are none are refused",
        arguments: ["limit=ten", "offset=-1", "limit=", "limit=99999999999999999999", "limit=10001", "name=a%00b"])
    func searchNumbers(query: String) async {
        let response = await Server().call(.get, "/v1/scheduler/jobs/search?\(query)")
        #expect(response.status == 400)
        #expect(response.json?["status"] == "Bad Request")
    }

    // MARK: Unknown jobs

    @Test(
        "an unknown job is 400 with 'not found' on every route and tree",
        arguments: [
            (HTTPMethod.get, "job/x"), (.put, "job/x"), (.put, "job/x?arguments=-v"), (.delete, "job/x"),
            (.delete, "task/kill/x"), (.get, "job/a%00b"), (.delete, "job/a%00b"), (.delete, "task/kill/a%00b"),
        ], ChronosAPI.trees)
    func unknownJob(call: (HTTPMethod, String), tree: String) async {
        let response = await Server().call(call.0, "\(tree)/\(call.1)")
        #expect(response.status == 400)
        #expect(response.message.contains("not found"))
        #expect(response.json?["status"] == "Bad Request")
        #expect(response.headers["Access-Control-Allow-Origin"] == "*")
    }

    // MARK: Commands

    @Test("a job is run with the arguments of the query, blank ones being none")
    func run() async {
        let server = await server(with: "a b")
        let targets = ["job/a%20b", "job/a%20b?arguments=-x+%22y%22", "job/a%20b?arguments=%20", "job/a%20b?force=1"]
        for target in targets {
            let response = await server.call(
                .put, "/v1/scheduler/\(target)", headers: ["Content-Type": "application/x-www-form-urlencoded"])
            #expect(response.status == 204)
            #expect(response.headers["Content-Type"] == "application/json")
        }
        let arguments = server.cluster.commands.compactMap {
            if case .runJob(.name("a b"), let request) = $0 { request.arguments } else { nil }
        }
        #expect(arguments == ["", "-x \"y\"", "", ""])
    }

    @Test("a job is deleted, and its running tasks are killed without those that wait")
    func deleteAndKill() async {
        let server = await server(with: "a")
        #expect(await server.call(.delete, "/scheduler/task/kill/a").status == 204)
        guard case .killRuns(.name("a"), includingQueued: false)? = server.cluster.commands.last else {
            Issue.record("no such command")
            return
        }
        #expect(await server.call(.delete, "/scheduler/job/a").status == 204)
        #expect(server.cluster.job("a") == nil)
        #expect(server.activity.all.last?["action"] == "event_delete" && server.activity.all.last?["orphans"] == nil)
    }

    @Test("what was done to jobs stands in the activity, and a deletion names the children that it leaves alone")
    func activity() async throws {
        let server = Server()
        server.cluster.leaveOrphans(["child 1", "child 2"])
        for _ in 0..<2 { _ = await server.call(.post, "/scheduler/iso8601", body: #"{"name": "a", "command": "x"}"#) }
        _ = await server.call(.post, "/scheduler/iso8601", body: #"{"name": "a/b"}"#)
        _ = await server.call(.delete, "/scheduler/job/a")
        let entries = server.activity.all
        #expect(entries.map { $0["action"] } == ["event_create", "event_update", "event_delete"])
        #expect(entries.allSatisfy { $0["event"] == ["id": "e1", "title": "a"] })
        #expect(entries.last?["orphans"] == ["child 1", "child 2"])
    }

    @Test("marking a job as successful answers true, and an unknown job is an error as everywhere")
    func success() async {
        let server = await server(with: "a", "success")
        let known = await server.call(.put, "/v1/scheduler/job/success/a")
        let unknown = await server.call(.put, "/v1/scheduler/job/success/b")
        #expect(known.status == 200 && known.text == "true")
        #expect(unknown.status == 400 && unknown.message.contains("not found"))
        #expect(await server.call(.get, "/v1/scheduler/job/success").json?["name"] == "success")
    }

    @Test("a task's report reaches the leader, and one that nobody waits for is no error")
    func report() async {
        let server = Server()
        let id = "ct:1420843781398:0:my job:a/b"
        server.cluster.state.withLock { $0.knownTasks = [id] }
        let path = "/v1/scheduler/task/" + PercentCoding.encodePathSegment(id)
        #expect(await server.call(.put, path, body: #"{"statusCode":3}"#).status == 204)
        guard case .completeRun(id, statusCode: 3)? = server.cluster.commands.last else {
            Issue.record("no such command")
            return
        }
        for target in ["task/other", "task/a%00b"] {
            #expect(await server.call(.put, "/scheduler/\(target)", body: #"{"statusCode":"0"}"#).status == 204)
        }
    }

    @Test(
        "a task's report without a usable status is refused",
        arguments: [
            "", "{}", "{", "0", #"{"statusCode":"ok"}"#, #"{"statusCode":1.5}"#, #"{"statusCode":99999999999}"#,
        ])
    func badReport(body: String) async {
        let server = Server()
        let response = await server.call(.put, "/v1/scheduler/task/ct:1:0:a:", body: body)
        #expect(response.status == 400)
        #expect(server.cluster.commands.isEmpty)
    }

    // MARK: Leader

    @Test(
        "the leader's host and port come from the URL that it advertises",
        arguments: [
            ("http://10.0.0.1:8080", "10.0.0.1:8080"), ("http://node1", "node1:80"), ("https://node1/x", "node1:443"),
            ("https://[::1]:8443/", "[::1]:8443"), ("http://[::1]", "[::1]:80"), ("http://u:p@h:1?q#f", "h:1"),
            ("node:9", "node:9"),
        ])
    func leader(url: String, expected: String) async {
        let server = Server()
        let record = LeaderRecord(term: .none, node: "n", url: url, boot: "b", resigned: false)
        server.cluster.state.withLock { $0.leader = record }
        for path in ["/leader", "/v1/scheduler/leader", "/scheduler/leader"] {
            let response = await server.call(.get, path, as: .reader)
            #expect(response.text == #"{"leader":"\#(expected)"}"#)
        }
    }

    @Test("while nobody leads, the question who does is worth repeating")
    func noLeader() async {
        let server = Server()
        let none = await server.call(.get, "/leader")
        let record = LeaderRecord(term: .none, node: "n", url: "http://n", boot: "b", resigned: true)
        server.cluster.state.withLock { $0.leader = record }
        let resigned = await server.call(.get, "/leader")
        server.cluster.state.withLock { $0.failure = StoreError(.connection, "gone") }
        let broken = await server.call(.get, "/leader")
        for response in [none, resigned, broken] {
            #expect(response.status == 503)
            #expect(response.headers["Retry-After"] == "1")
            #expect(response.json?["status"] == "Service Unavailable")
        }
    }

    @Test("only the question for the leader is answered by every node")
    func audiences() {
        let server = Server()
        func metadata(_ method: HTTPMethod, _ target: String) -> RouteMetadata? {
            guard case .found(let route, _) = server.router.match(HTTPRequest(method: method, target: target)) else {
                return nil
            }
            return route.metadata
        }
        for tree in ChronosAPI.trees {
            #expect(
                metadata(.get, "\(tree)/leader")
                    == RouteMetadata(audience: .anyNode, needsKey: true, isForLimited: true, tag: "chronos"))
            let others: [(HTTPMethod, String)] = [
                (.get, "jobs"), (.get, "jobs/search"), (.get, "job/a"), (.put, "job/a"), (.delete, "job/a"),
                (.put, "job/success/a"), (.delete, "task/kill/a"), (.put, "task/a"), (.post, "iso8601"),
                (.put, "dependency"),
            ]
            for (method, path) in others {
                #expect(
                    metadata(method, "\(tree)/\(path)")
                        == RouteMetadata(audience: .leader, needsKey: true, tag: "chronos"))
            }
        }
    }

    // MARK: Errors

    @Test("what no route matches is 404 or 405 in this dialect's shape")
    func unmatched() async {
        let server = Server()
        let missing = await server.call(.get, "/v1/scheduler/nothing")
        #expect(missing.status == 404)
        #expect(missing.json?["status"] == "Not Found")
        let wrong = await server.call(.get, "/scheduler/iso8601")
        #expect(wrong.status == 405)
        #expect(wrong.headers["Allow"] == "POST, PUT")
        #expect(wrong.json?["status"] == "Method Not Allowed")
        #expect(wrong.headers["Access-Control-Allow-Origin"] == "*")
    }

    @Test("the trees and nothing beside them are this dialect's")
    func ownership() {
        for path in ["/v1/scheduler", "/scheduler/x", "/v1/scheduler/job/a%2Fb", "/leader"] {
            #expect(ChronosAPI.owns(path: path))
        }
        for path in ["/", "/schedulers", "/v1", "/api/app/get_event", "/leaders"] {
            #expect(!ChronosAPI.owns(path: path))
        }
    }

    @Test(
        "each kind of error has its status",
        arguments: [
            (DomainError.Code.invalid, 400, "Bad Request"), (.notFound, 400, "Bad Request"),
            (.forbidden, 403, "Forbidden"), (.unauthenticated, 401, "Unauthorized"),
            (.notLeader, 503, "Service Unavailable"), (.unavailable, 503, "Service Unavailable"),
            (.tooMany, 429, "Too Many Requests"), (.conflict, 409, "Conflict"),
        ])
    func statuses(code: DomainError.Code, status: Int, phrase: String) async {
        let server = await server(with: "a")
        server.cluster.state.withLock { $0.refusal = DomainError(code, "because \"so\"") }
        let response = await server.call(.put, "/v1/scheduler/job/a")
        #expect(response.status == status)
        #expect(response.text == #"{"message":"because \"so\"","status":"\#(phrase)"}"#)
        #expect((response.headers["WWW-Authenticate"] != nil) == (status == 401))
    }

    @Test("a database that does not answer is 503, not an empty list")
    func databaseDown() async {
        let server = await server(with: "a")
        server.cluster.state.withLock { $0.failure = StoreError(.connection, "password=secret") }
        for target in ["jobs", "jobs/search", "job/a"] {
            let response = await server.call(.get, "/v1/scheduler/\(target)")
            #expect(response.status == 503)
            #expect(!response.text.contains("secret"))
        }
    }
}
