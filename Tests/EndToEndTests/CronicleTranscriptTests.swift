import Foundation
import JSON
import Testing

extension EndToEnd {
    /// Conversations with the Cronicle dialect: those of this project, and recordings of Cronicle itself where they are
    /// at hand.
    @Suite("Cronicle transcripts", .serialized, .cluster(nodes: 1, workers: 1))
    struct CronicleTranscriptTests {
        @Test("each conversation goes as it is written", arguments: Transcript.all)
        func transcript(name: String) async throws {
            let transcript = try Transcript(Transcript.folder.appendingPathComponent(name))
            try await onCluster { cluster in
                let base = try cluster.leaderNode().url
                let title = "Transcript \(name)"
                let key = "transcript" + name.filter(\.isLetter)
                let made = try TestHTTP.request(
                    "POST", base + "/api/app/create_api_key/v1",
                    headers: ["X-API-Key": cluster.key, "Content-Type": "application/json"],
                    body: JSONValue.object(
                        ["title": .string(title), "key": .string(key), "active": 1, "privileges": ["admin": 1]]
                    ).text)
                let id = try #require(made.json?["id"]?.stringValue, "\(made.text)")
                if name.contains("users") { try cluster.makeUser("root", password: "a good password") }
                try cluster.wait("the worker has registered") { try !cluster.workerStates().isEmpty }
                var run = TranscriptRun(base: base, key: key, title: title, id: id)
                for step in transcript.steps {
                    let difference = try run.perform(step, patience: Cluster.patience)
                    #expect(difference == nil, "\(step.name) (\(step.call)): \(difference ?? "")")
                    // What follows would differ for its sake alone.
                    if difference != nil { break }
                }
            }
        }
    }

    @Suite("Golden transcripts", .serialized)
    struct GoldenTests {
        /// Beside a checkout of the project, or where the environment says.
        static let folder: String? = {
            let named = ProcessInfo.processInfo.environment["CARILLON_GOLDEN"]
            let beside = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
                .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("shared/golden").path
            return [named, beside].compactMap { $0 }.first { path in
                FileManager.default.fileExists(atPath: path + "/replay.py")
            }
        }()

        @Test(
            "what was recorded of Cronicle is answered alike",
            .enabled(
                if: folder != nil,
                "needs the recordings and their tool: set CARILLON_GOLDEN to the folder that has replay.py"),
            .timeLimit(.minutes(6)))
        func replay() async throws {
            let folder = try #require(Self.folder)
            try await Cluster.run(nodes: 1, workers: 1) { cluster in
                try cluster.makeUser("admin", password: "admin")
                try cluster.wait("the worker has registered") { try !cluster.workerStates().isEmpty }
                let result = try Executable.run(
                    "/usr/bin/env",
                    [
                        "bash", "-c",
                        "exec python3 \"$0\"/replay.py --base \"$1\" --admin-key \"$2\" \"$0\"/cronicle/*.json", folder,
                        try cluster.leaderNode().url, cluster.key,
                    ], timeout: 300)
                #expect(result.status == 0, "\(result.output.suffix(8_000))\(result.errors)")
            }
        }
    }
}

extension Cluster {
    /// An administrator with a password.
    func makeUser(_ name: String, password: String) throws {
        _ = try carillon(
            ["user", "create", name, "--password", password, "--privilege", "admin", "--database-url", databaseURL])
    }
}
