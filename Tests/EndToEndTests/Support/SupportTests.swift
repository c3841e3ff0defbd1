import Foundation
import Testing

@Suite("The harness of the tests with real processes")
struct SupportTests {
    @Test("the executable is found beside the tests and tells its version")
    func executable() throws {
        let result = try Executable.run(["--version"])
        #expect(result.status == 0, "\(Executable.path): \(result.errors)")
        #expect(result.output.hasPrefix("carillon "))
    }

    @Test("wrong usage ends with status 2 and says what is right on standard error")
    func wrongUsage() throws {
        let result = try Executable.run(["nod"])
        #expect(result.status == 2)
        #expect(result.output.isEmpty)
        #expect(result.errors.contains("did you mean 'node'?"))
    }

    @Test("a process can be frozen, killed, started again and ended, and leaves nothing behind")
    func processes() throws {
        let folder = NSTemporaryDirectory() + "carillon-support-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        // Help is the only command that needs nothing around it: it ends by itself.
        let short = try ClusterProcess("short", url: "", folder: folder, words: ["--help"])
        try short.waitForEnd(within: 20)
        #expect(short.log.contains("usage: carillon"))
        #expect(throws: Cluster.Failure.self) { try short.kill() }
        try short.startAgain()
        try short.waitForEnd(within: 20)
        let pid = try #require(short.pid)
        short.end()
        #expect(kill(pid, 0) == -1)
    }
}
