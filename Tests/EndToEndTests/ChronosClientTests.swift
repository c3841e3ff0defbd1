import Foundation
import JSON
import Testing

extension EndToEnd.Shared {
    /// The package that most of Chronos' users in Python have, as PyPI has it: chronos-python 1.2.1.
    @Suite("chronos-python", .serialized)
    struct ChronosClientTests {
        // Without Python at all there is no package either; the trait shows the reason.
        static let isInstalled = (try? Executable.shell("python3 -c 'import chronos, httplib2'"))?.status == 0

        @Test(
            "works unchanged, with and without /v1, at the leader and through a follower",
            .enabled(if: isInstalled, "python3 cannot import chronos (chronos-python 1.2.1 from PyPI)"),
            arguments: ["v1", "none"], [false, true])
        func package(version: String, isProxied: Bool) async throws {
            try await onCluster { cluster in
                let node = isProxied ? try cluster.proxy() : try cluster.leaderNode()
                let server = node.url.replacingOccurrences(of: "http://", with: "")
                let script = try Readme().root + "/Tests/EndToEndTests/Fixtures/chronos_python.py"
                let result = try Executable.run(
                    "/usr/bin/env",
                    [
                        "python3", script, server, cluster.key, version,
                        "py-\(version)-\(isProxied ? "follower" : "leader")-",
                    ], timeout: 120)
                #expect(result.status == 0, "\(result.errors)")
                #expect(result.output == "all of it works\n")
            }
        }
    }
}
