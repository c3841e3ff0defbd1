import Foundation
import JSON
import Testing

extension EndToEnd {
    /// Who is told of what, by real mail and real web hooks.
    @Suite("Notifications", .serialized, .enabled(if: Sink.isPossible, "needs openssl and Python's aiosmtpd"))
    struct NotificationTests {
        @Test("owners are told of failures, deletions and disabled jobs: by mail, chat and a URL, at least once")
        func owners() async throws {
            let process = try Sink()
            defer { process.end() }
            let sink = process.letters
            try await Cluster.run(nodeArguments: process.nodeArguments) { cluster in
                try cluster.put(
                    "broken", command: "echo oops; exit 3",
                    ["owner": "ann@now.example, bob@later.example", "retries": 1, "retryDelay": 0])
                try cluster.put("fine", ["owner": "ann@now.example"])
                for job in ["broken", "fine"] { _ = try cluster.leaderRequest("PUT", "/v1/scheduler/job/\(job)") }
                try cluster.waitForRun(of: "broken", "failed")
                try cluster.waitForRun(of: "fine", "succeeded")
                try cluster.wait("both owners have their mail") { try sink.mails().count == 2 }
                let mails = try sink.mails().sorted { $0.to.joined() < $1.to.joined() }
                #expect(mails.map(\.to) == [["ann@now.example"], ["bob@later.example"]])
                for mail in mails {
                    #expect(mail.hasTLS && mail.from == "carillon@here.example")
                    #expect(mail.header("Subject") == "[blue] [Chronos] job 'broken' failed!")
                    #expect(mail.text.contains("Retries attempted: 1"), "\(mail.text)")
                    #expect(mail.text.contains("Task id: ct:") && mail.text.contains("oops"), "\(mail.text)")
                }
                #expect(mails[0].header("Message-ID") != mails[1].header("Message-ID"))
                // Chat and the URL are told once for each owner, with the counters from before.
                try cluster.wait("the posts are there") { try sink.posts().count == 6 }
                let slack = try sink.posts().filter { $0.path == "/slack-later" }
                #expect(slack.count == 2)
                #expect(
                    slack[0].json?["text"]?.stringValue?.hasPrefix("[blue] [Chronos] job 'broken' failed!:") == true)
                let http = try sink.posts().filter { $0.path == "/any" }
                #expect(http.contains { $0.json?["to"]?.stringValue == "bob@later.example" })
                #expect(http[0].json?["errorCount"]?.stringValue == "0")
                #expect(http[0].json?["job"]?.stringValue == "broken")
                #expect(http[0].headers["Authorization"] == "Basic " + Data("me:word".utf8).base64EncodedString())
                #expect(Set(try sink.posts().compactMap { $0.headers["Idempotency-Key"] }).count == 6)

                #expect(try cluster.leaderRequest("DELETE", "/v1/scheduler/job/fine").status == 204)
                try cluster.wait("the deletion is told") {
                    try sink.mails().last?.header("Subject") == "[blue] [Chronos] Your job 'fine' was deleted!"
                }
                try cluster.put("once", ["owner": "eve@now.example", "schedule": "R1//PT1H"])
                try cluster.wait("the end of the schedule is told") {
                    try sink.mails().last?.header("Subject") == "[blue] [Chronos] job 'once' disabled"
                }
                try cluster.wait("nothing is left") {
                    try cluster.query("SELECT count(*) FROM carillon.outbox").first?[0] == "0"
                }
            }
        }

        @Test("a hook for all jobs is told of each start and end, in order")
        func hooks() async throws {
            let process = try Sink()
            defer { process.end() }
            let sink = process.letters
            try await Cluster.run(nodeArguments: ["--universal-web-hook", process.url + "/all-later"]) { cluster in
                try cluster.put("hooked", command: "exit 7", ["retries": 0])
                let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
                let started = try cluster.request(
                    "PUT", try cluster.leaderNode().url + "/v1/scheduler/job/hooked", headers: ["traceparent": trace])
                #expect(started.status == 204)
                try cluster.wait("both posts are there", within: 60) { try sink.posts().count == 2 }
                let posts = try sink.posts().sorted {
                    ($0.headers["Idempotency-Key"] ?? "") < ($1.headers["Idempotency-Key"] ?? "")
                }
                #expect(posts.map { $0.json?["action"]?.stringValue } == ["job_start", "job_complete"])
                #expect(posts.allSatisfy { $0.headers["traceparent"] == trace })
                let end = try #require(posts.last?.json)
                #expect(end["code"]?.int64Value == 7 && end["complete"]?.int64Value == 1)
                #expect(end["event_title"]?.stringValue == "hooked" && end["id"] == posts.first?.json?["id"])
                #expect(end["text"]?.stringValue?.hasPrefix("Job failed on ") == true)
            }
        }
    }
}

/// What a sink has been given so far.
struct Letters: Sendable {
    let folder: String

    func mails() throws -> [Sink.Mail] {
        try lines("mails").map {
            Sink.Mail(
                from: $0["from"]?.stringValue ?? "", to: ($0["to"]?.arrayValue ?? []).compactMap(\.stringValue),
                hasTLS: $0["tls"]?.boolValue ?? false, data: $0["data"]?.stringValue ?? "")
        }
    }

    func posts() throws -> [Sink.Post] {
        try lines("posts").map {
            var headers: [String: String] = [:]
            for (name, value) in $0["headers"]?.objectValue ?? [:] { headers[name] = value.stringValue }
            let body = Array(($0["body"]?.stringValue ?? "").utf8)
            return Sink.Post(path: $0["path"]?.stringValue ?? "", headers: headers, json: try? JSONValue(parsing: body))
        }
    }

    private func lines(_ name: String) throws -> [JSONValue] {
        guard let text = try? String(contentsOfFile: folder + "/" + name, encoding: .utf8) else { return [] }
        return try text.split(separator: "\n").map { try JSONValue(parsing: Array($0.utf8)) }
    }
}

/// A mail server and a web server in a process of their own.
final class Sink {
    struct Mail {
        var from: String
        var to: [String]
        var hasTLS: Bool
        var data: String

        func header(_ name: String) -> String? {
            let lines = data.components(separatedBy: "\r\n").prefix { !$0.isEmpty }
            return lines.first { $0.hasPrefix(name + ": ") }.map { String($0.dropFirst(name.count + 2)) }
        }

        var text: String {
            let body = data.components(separatedBy: "\r\n\r\n").dropFirst().joined()
            return Data(base64Encoded: body, options: .ignoreUnknownCharacters)
                .map { String(decoding: $0, as: UTF8.self) } ?? ""
        }
    }

    struct Post {
        var path: String
        var headers: [String: String]
        var json: JSONValue?
    }

    static let isPossible: Bool = {
        let check = "command -v openssl && python3 -c 'import aiosmtpd'"
        return (try? Executable.shell(check).status) == 0
    }()

    let folder: String
    var letters: Letters { Letters(folder: folder) }
    private let process: Guardian
    private let mailPort: Int
    private let webPort: Int

    init() throws {
        folder = NSTemporaryDirectory() + "carillon-sink-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let made = try Executable.shell(
            """
            openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost \
            -addext subjectAltName=IP:127.0.0.1 -keyout \(folder)/key.pem -out \(folder)/cert.pem 2>&1
            printf secret >\(folder)/password; printf 'me:word' >\(folder)/credentials
            """)
        guard made.status == 0 else { throw Cluster.Failure(description: "no certificate: \(made.output)") }
        let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent().path + "/Support/sink.py"
        process = try Guardian(
            ["python3", script, folder, folder + "/cert.pem", folder + "/key.pem"], log: folder + "/log")
        var ports: [Int] = []
        let end = Date().addingTimeInterval(Cluster.patience)
        while ports.count < 2, Date() < end {
            usleep(Cluster.pollMicroseconds)
            // Not there yet.
            let text = (try? String(contentsOfFile: folder + "/ports", encoding: .utf8)) ?? ""
            ports = text.split(separator: " ").compactMap { Int($0) }
        }
        guard ports.count == 2 else { throw Cluster.Failure(description: "the sink does not start") }
        (mailPort, webPort) = (ports[0], ports[1])
    }

    var url: String { "http://127.0.0.1:\(webPort)" }

    var nodeArguments: [String] {
        [
            "--mail-server", "127.0.0.1:\(mailPort)", "--mail-from", "carillon@here.example", "--mail-user", "user",
            "--mail-password-file", folder + "/password", "--mail-ca-file", folder + "/cert.pem", "--cluster-name",
            "blue", "--slack-url", url + "/slack-later", "--mattermost-url", url + "/mattermost",
            "--notification-url", url + "/any", "--notification-credentials-file", folder + "/credentials",
            "--retry-delay", "1",
        ]
    }

    func end() {
        process.end()
        // A folder that stays in the temporary directory harms nobody.
        try? FileManager.default.removeItem(atPath: folder)
    }
}
