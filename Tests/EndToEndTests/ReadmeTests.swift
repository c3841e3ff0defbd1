import Foundation
import TestSupport
import Testing

extension EndToEnd {
    /// What README.md tells a new user to type works, and shows what README.md says.
    @Suite("README.md", .serialized)
    struct ReadmeTests {
        fileprivate static let nodes = 3

        @Test("blocks of commands are found, each with the output that is shown for it")
        func blocks() {
            let text = """
                # A
                ```bash
                one
                two
                ```
                prose
                ```text
                out 12
                ```
                ```text
                no output of anything
                ```
                ```bash
                three
                ```
                ## B
                ```text
                another section's
                ```
                """
            let commands = Readme.commands(in: text)
            #expect(commands.map(\.text) == ["one\ntwo\n", "three\n"])
            #expect(commands.map(\.output) == ["out 12\n", nil])
            #expect(commands.map(\.line) == [3, 14])
            #expect(Readme.form("  a   2026-11-21T23:17:17.012Z r000010000004\n\n b 12") == ["a INSTANT RUN", "b N"])
        }

        @Test("every command of README.md succeeds, and its output has the form that is shown")
        func commands() async throws {
            let readme = try Readme()
            try #require(readme.commands.count >= 5)
            try await onLoop { _ in
                let folder = NSTemporaryDirectory() + "carillon-readme-\(UUID().uuidString.prefix(8))"
                try FileManager.default.createDirectory(
                    atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o711])
                // What cannot be removed is in the system's folder for temporary files.
                defer { try? FileManager.default.removeItem(atPath: folder) }
                var session = Session(folder: folder, root: readme.root)
                defer { session.end() }
                for block in readme.commands { try session.run(block) }
                try session.stop()
            }
        }
    }

    /// One user with a terminal.
    private struct Session {
        let folder: String
        let root: String
        private(set) var dev: ClusterProcess?
        /// What stands in README.md for the ports: the leader's first.
        private var ports: [Int] = []

        init(folder: String, root: String) {
            self.folder = folder
            self.root = root
        }

        private var data: String { folder + "/carillon-data" }

        mutating func run(_ block: Readme.Block) throws {
            if block.text.hasPrefix("deploy/dev.sh") { return try start(block) }
            if block.text.hasPrefix("deploy/test.sh") {
                // It would run this test: its syntax must do.
                try #require(FileManager.default.isExecutableFile(atPath: root + "/deploy/test.sh"))
                try #require(try Executable.run("/bin/bash", ["-n", root + "/deploy/test.sh"]).status == 0)
                return
            }
            try #require(dev != nil, "line \(block.line) comes before deploy/dev.sh")
            let script = "[ ! -e env ] || . ./env; set -euo pipefail\n\(translated(block.text))\nexport -p > env\n"
            // What shows no output has none.
            let wanted = Readme.form(block.output ?? "")
            let end = Date().addingTimeInterval(Cluster.patience)
            // A run may not have ended yet when it is listed: asked again, as a user would.
            while true {
                let result = try Executable.run("/bin/bash", ["-c", "cd \(folder)\n" + script])
                try #require(result.status == 0, "line \(block.line): \(result.errors)\(result.output)")
                let found = Readme.form(result.output)
                if found == wanted { return }
                let mayRepeat = block.output != nil
                try #require(mayRepeat && Date() < end, "line \(block.line): \(found) is not of the form \(wanted)")
                usleep(100_000)
            }
        }

        /// `deploy/dev.sh` with the executable that is built already.
        private mutating func start(_ block: Readme.Block) throws {
            let options = block.text.split(whereSeparator: \.isWhitespace).dropFirst().map(String.init)
            let first = try Self.freePorts(ReadmeTests.nodes)
            try #require(FileManager.default.isExecutableFile(atPath: root + "/deploy/dev.sh"))
            let dev = try ClusterProcess(
                "dev", url: "", folder: folder,
                words: ["dev"] + options + ["--port", String(first), "--data-dir", data])
            self.dev = dev
            let end = Date().addingTimeInterval(2 * Cluster.patience)
            while !dev.log.contains("Stop: ctrl-C") {
                try #require(dev.isRunning && Date() < end, "\(dev.log)")
                usleep(Cluster.pollMicroseconds)
            }
            let lines = dev.log.split(separator: "\n").map { String($0) }
            let banner = lines.drop { $0 != "Carillon runs." }.filter { !$0.contains(" | ") }
            let shown = Array(banner.prefix { !$0.hasPrefix("Stop:") }) + ["Stop: ctrl-C"]
            #expect(Readme.form(shown.joined(separator: "\n")) == Readme.form(block.output ?? ""))
            // README.md's node-1 leads; here another one may.
            let all = (0..<ReadmeTests.nodes).map { first + $0 }
            let leader = all.first { port in shown.contains { $0.contains(":\(port) ") && $0.hasSuffix("leads") } }
            ports = try [#require(leader)] + all.filter { $0 != leader }
        }

        private func translated(_ text: String) -> String {
            var text = text.replacingOccurrences(of: ".build/release/carillon", with: Executable.path)
                .replacingOccurrences(of: "$(cat carillon-data/", with: "$(cat \(data)/")
            for (index, port) in ports.enumerated() {
                text = text.replacingOccurrences(of: "127.0.0.1:\(8_080 + index)", with: "127.0.0.1:\(port)")
            }
            return text
        }

        private static func freePorts(_ count: Int) throws -> Int {
            for _ in 0..<100 {
                let first = try FreePort.find()
                if (1..<count).allSatisfy({ FreePort.isFree(first + $0) }) { return first }
            }
            throw Cluster.Failure(description: "no \(count) free ports in a row")
        }

        /// After a failure: its database must have ended before its folder is removed.
        func end() {
            guard let dev else { return }
            // Fails when it has ended, or takes too long, which `end` then settles.
            try? dev.send(SIGINT)
            try? dev.waitForEnd(within: 20)
            dev.end()
        }

        /// ctrl-C: everything ends, and nothing is left behind.
        mutating func stop() throws {
            let dev = try #require(dev)
            try dev.send(SIGINT)
            try dev.waitForEnd(within: 60)
            let left = try FileManager.default.contentsOfDirectory(atPath: "/proc").filter { entry in
                guard Int32(entry) != nil, let words = FileManager.default.contents(atPath: "/proc/\(entry)/cmdline")
                else { return false }
                // The shell that guards the process has its command line too.
                let line = String(decoding: words, as: UTF8.self)
                return line.contains(data) && !line.contains("guardian")
            }
            #expect(left == [])
        }
    }
}
