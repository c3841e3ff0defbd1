import Foundation
import Testing

extension EndToEnd.Shared {
    /// What the guides in deploy/ tell operators to type works, and prints what they show.
    @Suite("Guides", .serialized)
    struct DocumentationTests {
        @Test(
            "each command of a guide succeeds, and its output is the one that is shown",
            arguments: [
                "operators-guide.md", "migrating-from-crontab.md", "migrating-from-chronos.md",
                "migrating-from-cronicle.md",
            ])
        func commands(guide: String) async throws {
            try await onCluster { cluster in
                let readme = try Readme()
                let text = try String(contentsOfFile: readme.root + "/deploy/" + guide, encoding: .utf8)
                let blocks = Readme.commands(in: text)
                try #require(blocks.count >= 3)
                let folder = "\(cluster.folder)/\(guide)"
                try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
                // What a user has set once in the terminal; PostgreSQL's programs and this build's come first.
                let programs = try DatabasePrograms.path("psql").dropLast("/psql".count)
                let path = [
                    URL(fileURLWithPath: Executable.path).deletingLastPathComponent().path, String(programs),
                    ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin",
                ].joined(separator: ":")
                let environment = [
                    "PATH": path, "CARILLON_URL": try cluster.leaderNode().url, "CARILLON_API_KEY": cluster.key,
                    "CARILLON_DATABASE_URL": cluster.databaseURL,
                ]
                for block in blocks where !block.text.contains("carillon-data/admin.key") {
                    // What a block defines and exports is there in the next one.
                    let script = """
                        set -euo pipefail
                        [ ! -e ../\(guide).env ] || . ../\(guide).env
                        \(block.text)
                        { declare -f; export -p; } >../\(guide).env
                        """
                    let result = try Executable.run(
                        "/bin/bash", ["-c", "cd \(folder)\n\(script)"], environment: environment)
                    try #require(result.status == 0, "line \(block.line): \(result.errors)\(result.output)")
                    // What is not shown is nobody's business.
                    guard let shown = block.output else { continue }
                    #expect(result.output == shown, "line \(block.line)")
                }
            }
        }

        @Test("links between the files of deploy/ and docker/ lead somewhere")
        func links() throws {
            let folder = try Readme().root + "/deploy"
            for name in try FileManager.default.contentsOfDirectory(atPath: folder) where name.hasSuffix(".md") {
                let text = try String(contentsOfFile: "\(folder)/\(name)", encoding: .utf8)
                for match in text.matches(of: #/\]\(([^)#:]+)\)/#) {
                    #expect(FileManager.default.fileExists(atPath: "\(folder)/\(match.1)"), "\(name): \(match.1)")
                }
            }
        }
    }
}
