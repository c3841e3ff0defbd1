import Foundation
import Testing

extension EndToEnd.Shared {
    /// What deploy/chronos-api.md shows works, and prints what it shows.
    @Suite("deploy/chronos-api.md", .serialized)
    struct ChronosGuideTests {
        @Test("each example succeeds, and its output has the form that is shown")
        func examples() async throws {
            try await onCluster { cluster in
                let path = try Readme().root + "/deploy/chronos-api.md"
                let blocks = Readme.commands(in: try String(contentsOfFile: path, encoding: .utf8))
                try #require(blocks.count >= 8)
                // Through a node that does not lead, as a user behind a load balancer might meet it.
                let setup = try #require(blocks.first).text
                    .replacingOccurrences(of: "http://127.0.0.1:8080", with: try cluster.follower().url)
                    .replacingOccurrences(of: "$(cat carillon-data/admin.key)", with: cluster.key)
                for block in blocks.dropFirst() {
                    let result = try Executable.run(
                        "/bin/bash", ["-c", "set -euo pipefail\ncd \(cluster.folder)\n\(setup)\n\(block.text)"])
                    try #require(result.status == 0, "line \(block.line): \(result.errors)\(result.output)")
                    #expect(
                        result.output.split(separator: "\n") == (block.output ?? "").split(separator: "\n"),
                        "line \(block.line)")
                }
            }
        }
    }
}
