import HTTP
import Testing

/// A router whose handlers answer with their own pattern.
private func router(_ routes: [(HTTPMethod, String)]) -> HTTPRouter {
    var router = HTTPRouter()
    for (method, pattern) in routes {
        router.on(method, pattern, metadata: RouteMetadata(audience: .anyNode, tag: pattern)) { _ in .text(pattern) }
    }
    return router
}

/// `pattern name=value …`, `404`, or `405 methods`.
private func match(_ router: HTTPRouter, _ method: HTTPMethod, _ target: String) -> String {
    switch router.match(HTTPRequest(method: method, target: target)) {
    case .found(let route, let request):
        let parameters = request.pathParameters.sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }
        return "\(route.method) \(route.pattern)" + parameters.joined()
    case .notFound: return "404"
    case .methodNotAllowed(let allow): return "405 " + allow.map(\.rawValue).joined(separator: ",")
    }
}

struct HTTPRouterTests {
    private let chronos = router([
        (.get, "/"), (.get, "/v1/scheduler/jobs"), (.delete, "/v1/scheduler/jobs"),
        (.get, "/v1/scheduler/jobs/search"), (.put, "/v1/scheduler/job/{name}"), (.delete, "/v1/scheduler/job/{name}"),
        (.get, "/v1/scheduler/job/stat/{name}"), (.put, "/v1/scheduler/job/success/{name}"),
        (.get, "/v1/scheduler/job/stat"), (.post, "/v1/scheduler/task/{id}"), (.put, "/a/{x}/c/{y}"),
        (.get, "/a/b/{x}/d"), (.head, "/headed"), (.get, "/headed"),
        (.delete, "/v1/scheduler/job/all"), (.get, "/Zürich"),
    ])

    @Test(
        "paths find their routes",
        arguments: [
            ("/", "GET /"), ("", "404"), ("*", "404"), ("x", "404"),
            ("/v1/scheduler/jobs", "GET /v1/scheduler/jobs"),
            ("/v1/scheduler/jobs/", "GET /v1/scheduler/jobs"),
            ("/v1/scheduler/jobs?x=/y", "GET /v1/scheduler/jobs"),
            ("/v1/scheduler/jobs/search", "GET /v1/scheduler/jobs/search"),
            ("/v1/scheduler/%6Aobs", "GET /v1/scheduler/jobs"), ("/Z%C3%BCrich", "GET /Zürich"),
            ("/v1/scheduler/Jobs", "404"), ("/v1/scheduler", "404"), ("/v1/scheduler/jobs/other", "404"),
            ("/v1/scheduler/jobs//", "404"), ("//v1/scheduler/jobs", "404"), ("/v1//scheduler/jobs", "404"),
            ("//", "404"),
            ("/v1/scheduler/../scheduler/jobs", "404"), ("/v1/scheduler%2Fjobs", "404"),
        ])
    func paths(target: String, expected: String) {
        #expect(match(chronos, .get, target) == expected)
    }

    @Test(
        "the longer literal wins, and a name that looks like one is still a name for other methods",
        arguments: [
            (HTTPMethod.get, "/v1/scheduler/job/stat/x", "GET /v1/scheduler/job/stat/{name} name=x"),
            (.put, "/v1/scheduler/job/x", "PUT /v1/scheduler/job/{name} name=x"),
            (.get, "/v1/scheduler/job/stat", "GET /v1/scheduler/job/stat"),
            (.put, "/v1/scheduler/job/stat", "PUT /v1/scheduler/job/{name} name=stat"),
            (.delete, "/v1/scheduler/job/stat", "DELETE /v1/scheduler/job/{name} name=stat"),
            (.put, "/v1/scheduler/job/success/stat", "PUT /v1/scheduler/job/success/{name} name=stat"),
            (.delete, "/v1/scheduler/job/all", "DELETE /v1/scheduler/job/all"),
            (.put, "/v1/scheduler/job/all", "PUT /v1/scheduler/job/{name} name=all"),
            (.put, "/a/b/c/d", "PUT /a/{x}/c/{y} x=b y=d"), (.get, "/a/b/c/d", "GET /a/b/{x}/d x=c"),
            (.put, "/a/b/c/e", "PUT /a/{x}/c/{y} x=b y=e"),
        ])
    func longerLiteral(method: HTTPMethod, target: String, expected: String) {
        #expect(match(chronos, method, target) == expected)
    }

    @Test(
        "a parameter is one decoded segment, whatever it holds",
        arguments: [
            ("a%20b", "a b"), ("a+b", "a+b"), ("a%23b%3F", "a#b?"), ("Z%C3%BCrich", "Zürich"), ("日本", "日本"),
            ("a%2Fb", "a/b"), ("%2F", "/"), ("a%2F%2Fb", "a//b"), ("..", ".."), ("%2e%2e%2f", "../"), ("a%00b", "a\0b"),
            ("a;b=c,d", "a;b=c,d"), ("%7Bname%7D", "{name}"), ("a%2520b", "a%20b"),
        ])
    func parameters(segment: String, value: String) {
        let target = "/v1/scheduler/job/" + segment
        guard case .found(_, let request) = chronos.match(HTTPRequest(method: .put, target: target)) else {
            Issue.record("no route for \(target)")
            return
        }
        #expect(request.pathParameters == ["name": value])
        #expect(request.target == target)
    }

    @Test("a segment that does not decode is not found", arguments: ["%", "%2", "%zz", "%ff", "%c0%af", "a%ED%A0%80"])
    func malformed(segment: String) {
        #expect(match(chronos, .put, "/v1/scheduler/job/" + segment) == "404")
    }

    @Test("an empty parameter is not found")
    func emptyParameter() {
        #expect(match(chronos, .put, "/v1/scheduler/job/") == "404")
        #expect(match(chronos, .put, "/v1/scheduler/job//") == "404")
    }

    @Test("another method is told which there are, of all patterns that match")
    func methodNotAllowed() {
        #expect(match(chronos, .post, "/v1/scheduler/jobs") == "405 DELETE,GET,HEAD")
        #expect(match(chronos, .post, "/v1/scheduler/job/stat") == "405 DELETE,GET,HEAD,PUT")
        #expect(match(chronos, .get, "/v1/scheduler/job/x") == "405 DELETE,PUT")
        #expect(match(chronos, HTTPMethod("get"), "/") == "405 GET,HEAD")
    }

    @Test("HEAD goes to its own route, else to GET's")
    func head() {
        #expect(match(chronos, .head, "/headed") == "HEAD /headed")
        #expect(match(chronos, .head, "/v1/scheduler/jobs") == "GET /v1/scheduler/jobs")
        #expect(match(chronos, .head, "/v1/scheduler/task/1") == "405 POST")
        guard case .found(_, let request) = chronos.match(HTTPRequest(method: .head, target: "/")) else {
            Issue.record("no route")
            return
        }
        #expect(request.method == .head)
    }

    @Test("a route carries its handler and what the pipeline must know, the careful way by default")
    func metadata() async {
        var router = HTTPRouter()
        router.on(.get, "/x/{id}") { request in .text(request.pathParameters["id"] ?? "") }
        guard case .found(let route, let request) = router.match(HTTPRequest(method: .get, target: "/x/7")) else {
            Issue.record("no route")
            return
        }
        #expect(route.metadata == RouteMetadata(audience: .leader, needsKey: true, tag: ""))
        #expect(await route.handler(request).body.bytes == [0x37])
    }
}
