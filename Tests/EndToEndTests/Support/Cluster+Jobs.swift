import Foundation
import JSON
import Testing

// What tests say of jobs and runs.

extension Cluster {
    /// Nodes that run and do not lead.
    func followers() throws -> [ClusterProcess] {
        let leader = try waitForLeader()
        return nodes.filter { $0.name != leader && $0.isRunning }
    }

    func follower() throws -> ClusterProcess { try #require(try followers().first) }

    func leaderNode() throws -> ClusterProcess { try node(try waitForLeader()) }

    /// One more node, which forwards and follows as long as the others live.
    func proxy() throws -> ClusterProcess {
        if let node = nodes.first(where: { $0.name == "proxy" }) { return node }
        let node = try addNode("proxy", arguments: ["--follower", "proxy"])
        try wait("the proxy follows") {
            (try? self.request("GET", node.url + "/health"))?.json?["leader"]?.stringValue != nil
        }
        return node
    }

    /// Creates or replaces a job at the leader. Keys that the members lack make it one that only requests start.
    @discardableResult
    func put(_ name: String, command: String = "true", _ members: JSONObject = [:]) throws -> TestHTTP.Answer {
        var job: JSONObject = ["name": .string(name), "command": .string(command)]
        for (key, value) in members { job[key] = value }
        let isDependent = job["parents"] != nil
        if !isDependent, job["schedule"] == nil { job["schedule"] = "R0//PT1H" }
        let answer = try leaderRequest(
            "POST", "/v1/scheduler/" + (isDependent ? "dependency" : "iso8601"), body: JSONValue.object(job).text)
        try #require(answer.status == 204, "\(name): \(answer.text)")
        return answer
    }

    /// As `GET job/NAME` shows it; nil if there is none.
    func job(_ name: String) throws -> JSONValue? {
        let answer = try leaderRequest("GET", "/v1/scheduler/job/" + Self.encoded(name))
        return answer.status == 200 ? answer.json : nil
    }

    /// Of all jobs, in the order of their names.
    func jobNames() throws -> [String] {
        try leaderRequest("GET", "/v1/scheduler/jobs").json?.arrayValue?.compactMap { $0["name"]?.stringValue } ?? []
    }

    func count(_ key: String, of job: String) throws -> Int64 { try self.job(job)?[key]?.int64Value ?? -1 }

    /// Waits until the job has exactly so many runs and the newest has one of the states; returns it with its attempts.
    @discardableResult
    func waitForRun(
        of job: String, _ states: String..., count: Int = 1, within seconds: Double = patience
    ) throws -> JSONValue {
        var found: [JSONValue] = []
        do {
            try wait("\(count) runs of \(job), the last one \(states.joined(separator: " or "))", within: seconds) {
                found = try self.runs(of: job)
                return found.count == count && states.contains(found.first?["state"]?.stringValue ?? "")
            }
        } catch {
            throw Failure(description: "\(error); there are \(found.map(\.text))")
        }
        let id = try #require(found.first?["id"]?.stringValue)
        return try #require(try leaderRequest("GET", "/carillon/v1/runs/" + id).json)
    }

    static func encoded(_ text: String) -> String {
        text.addingPercentEncoding(withAllowedCharacters: .alphanumerics.union(CharacterSet(charactersIn: "-._")))
            ?? text
    }

    /// Runs a script in which `curl` sends the administrator's key and prints the status in a last line of its own;
    /// the key is in `KEY`. `chronos-node:8080` stands for the node.
    func curl(_ script: String, at node: ClusterProcess, withKey: Bool = true) throws -> CurlAnswer {
        let key = withKey ? #"-H "X-API-Key: $KEY" "# : ""
        let function = "curl() { command curl -sS -m 30 \(key)-w '\\n%{http_code} %{num_redirects}' \"$@\"; }\n"
        let address = node.url.replacingOccurrences(of: "http://", with: "")
        let result = try Executable.shell(
            function + script.replacingOccurrences(of: "chronos-node:8080", with: address),
            environment: ["KEY": self.key])
        return try CurlAnswer(result)
    }
}

/// What curl printed.
struct CurlAnswer {
    var status: Int
    var redirects: Int
    var body: String

    init(_ result: Executable.Result) throws {
        let newline = result.output.lastIndex(of: "\n") ?? result.output.startIndex
        let numbers = result.output[newline...].split(whereSeparator: \.isWhitespace).compactMap { Int($0) }
        guard result.status == 0, numbers.count == 2 else {
            throw Cluster.Failure(description: "curl: status \(result.status): \(result.errors)\(result.output)")
        }
        status = numbers[0]
        redirects = numbers[1]
        body = String(result.output[..<newline])
    }

    var json: JSONValue? { try? JSONValue(parsing: Array(body.utf8)) }
}
