import Foundation
import JSON
import Testing
import Timetable

@testable import CommandLineTool

@Suite("What people see")
struct PresentationTests {
    private static let now = Instant(iso8601: "2026-03-01T12:00:00Z")

    @Test(
        "instants are told as people say them",
        arguments: [
            ("2026-03-01T12:00:00Z", "now"), ("2026-03-01T11:59:58Z", "2 s ago"), ("2026-03-01T12:01:00Z", "in 1 min"),
            ("2026-03-01T12:01:05Z", "in 1 min 5 s"), ("2026-03-01T09:30:00Z", "2 h 30 min ago"),
            ("2026-03-03T13:00:00Z", "in 2 d 1 h"), ("2026-01-01T00:00:00Z", "59 d ago"),
        ])
    func relative(_ text: String, _ wanted: String) {
        let style = Style(now: Self.now, hasColours: false)
        #expect(style.when(.string(text)) == wanted)
        #expect(Style.plain.when(.string(text)) == text)
        #expect(style.when(nil) == "-")
    }

    @Test("colours are for terminals, do not change the columns, and cannot be made by what is shown")
    func colours() throws {
        func table(_ style: Style) -> String {
            var table = Table(["STATE", "N"], style: style)
            table.add(["failed", "1"])
            table.add(["\u{1B}[31mx", "2"])
            return table.text
        }
        let plain = "STATE        N\nfailed       1\n\\u{1b}[31mx  2"
        #expect(table(.plain) == plain)
        let painted = table(Style(now: nil, hasColours: true))
        #expect(painted.contains("\u{1B}[31mfailed\u{1B}[0m"))
        #expect(painted.replacing(/\u{1B}\[[0-9]+m/, with: "") == plain)
    }

    @Test("progress is a bar where the end is known, and a number else")
    func progress() {
        #expect(Progress.text("reading", 7, of: nil) == "reading: 7")
        #expect(Progress.text("x", 1, of: 2) == "x [###############---------------] 1/2")
        #expect(Progress.text("x", 9, of: 2).contains(String(repeating: "#", count: Progress.width) + "]"))
    }

    @Test("a log's events become lines, over a broken connection as well")
    func follower() {
        var reader = LogFollower.Reader()
        #expect(reader.take(Array(": carillon\n\nid: 0:4\ndata: on".utf8)).isEmpty)
        #expect(String(decoding: reader.take(Array("e\ndata: two\n\n".utf8)), as: UTF8.self) == "one\ntwo\n")
        #expect(reader.position == "0:4")
        #expect(reader.take(Array("id: 0:9\ndata: lost".utf8)).isEmpty)
        reader.restart()
        // What came only in part is asked for again.
        #expect(reader.position == "0:4")
        #expect(String(decoding: reader.take(Array("id: 0:9\ndata: \n\n".utf8)), as: UTF8.self) == "\n")
        #expect(reader.position == "0:9")
        #expect(reader.end == nil)
        #expect(reader.take(Array("event: end\ndata: succeeded\n\n".utf8)).isEmpty)
        #expect(reader.end == "succeeded")
    }

    @Test("file names are safe on every file system and never the same for two names")
    func fileNames() {
        #expect(ConfigurationDirectory.fileName("nightly report #1") == "nightly report %231.json")
        #expect(ConfigurationDirectory.fileName("../x") == "%2E.%2Fx.json")
        #expect(ConfigurationDirectory.fileName(".hidden") == "%2Ehidden.json")
        let long = String(repeating: "n", count: 250)
        #expect(ConfigurationDirectory.fileName(long).utf8.count < 255)
        #expect(ConfigurationDirectory.fileName(long) != ConfigurationDirectory.fileName(long + "n"))
    }

    @Test("a plan shows what changes with due instants, and what is left alone")
    func plan() {
        let answer: JSONValue = [
            "applied": false, "unchanged": 4, "others": 2,
            "changes": [
                [
                    "action": "update", "kind": "job", "name": "j", "members": ["schedule"],
                    "due_before": ["2026-01-01T00:00:00.000Z"], "due_after": [],
                ]
            ],
        ]
        #expect(
            ConfigurationText.changes(answer, .plain) == """
                ~ job j (schedule)
                    due before: 2026-01-01T00:00:00.000Z
                    due after:  never
                1 would change, 4 unchanged; 2 more in the cluster are left alone (--delete removes them)
                """)
    }

    @Test("a run is explained in sentences")
    func explained() {
        let lines = RunCommands.sentences(
            [
                "id": "r1", "job": "j", "state": "queued", "cause": "manual", "due": "2026-01-01T00:00:00.000Z",
                "reason": "no worker has 9 cpus", "worker": nil,
            ], .plain)
        #expect(lines[0] == "Run r1 of job 'j' is queued: no worker has 9 cpus.")
        #expect(lines[1].contains("a request"))
    }

    // MARK: Shells and the manual

    private static func check(_ program: String, _ words: [String], _ input: String) throws -> (Int32, String)? {
        guard FileManager.default.isExecutableFile(atPath: program) else { return nil }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = words
        let (stdin, stdout) = (Pipe(), Pipe())
        process.standardInput = stdin
        process.standardOutput = stdout
        process.standardError = stdout
        try process.run()
        stdin.fileHandleForWriting.write(Data(input.utf8))
        try stdin.fileHandleForWriting.close()
        let output = stdout.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: output, as: UTF8.self))
    }

    @Test("bash completes commands, their second words and their options")
    func bash() throws {
        let script = try #require(Completions.script("bash", CarillonProgram.program))
        func completed(_ words: String...) throws -> Set<String> {
            let line = words.map { "'\($0)'" }.joined(separator: " ")
            let test =
                "\(script)\nCOMP_WORDS=(\(line)); COMP_CWORD=\(words.count - 1); cd /; _carillon; "
                + "printf '%s\\n' \"${COMPREPLY[@]}\""
            let (status, output) = try #require(try Self.check("/bin/bash", ["-s"], test))
            #expect(status == 0, "\(output)")
            return Set(output.split(separator: "\n").map(String.init))
        }
        #expect(try completed("carillon", "ex") == ["export"])
        #expect(try completed("carillon", "job", "ne") == ["next"])
        #expect(try completed("carillon", "job", "next", "--co") == ["--config", "--count"])
        #expect(try completed("carillon", "worker", "dr") == ["drain"])
        #expect(try completed("carillon", "worker", "--att") == ["--attribute"])
        #expect(try completed("carillon", "node", "--follower", "pr") == ["proxy"])
        #expect(try completed("carillon", "leader", "--js") == ["--json"])
    }

    @Test("zsh and fish know every command and option, and an unknown shell none")
    func otherShells() throws {
        let program = CarillonProgram.program
        for shell in ["zsh", "fish"] {
            let script = try #require(Completions.script(shell, program))
            for command in program.commands {
                #expect(script.contains(command.path.last ?? ""), "\(shell): \(command.name)")
                for option in command.allOptions { #expect(script.contains(option.name), "\(shell): \(option.name)") }
            }
            // Where the shell is installed, it has the last word.
            for path in ["/bin/\(shell)", "/usr/bin/\(shell)"] {
                guard let (status, output) = try Self.check(path, ["-n", "/dev/stdin"], script) else { continue }
                #expect(status == 0, "\(output)")
            }
        }
        #expect(Completions.script("tcsh", program) == nil)
    }

    @Test("the manual has every command, and no line that roff would take for a request of its own")
    func manual() throws {
        let page = ManPage.page(CarillonProgram.program)
        for command in CarillonProgram.program.commands {
            #expect(page.contains(".SS \"carillon \(ManPage.escaped(command.name))"), "\(command.name)")
        }
        let requests = Set(
            page.split(separator: "\n").filter { $0.hasPrefix(".") || $0.hasPrefix("'") }.map {
                String($0.prefix { $0 != " " })
            })
        #expect(requests.isSubset(of: [".TH", ".SH", ".SS", ".PP", ".TP", ".I", ".B", ".nf", ".fi"]), "\(requests)")
        #expect(ManPage.escaped(".a-b\\c\n'd") == "\\&.a\\-b\\ec\n\\&'d")
        for path in ["/usr/bin/groff", "/usr/bin/mandoc"] {
            let words = path.hasSuffix("groff") ? ["-man", "-Tascii", "-ww"] : ["-Tlint", "-Werror"]
            guard let (status, output) = try Self.check(path, words, page) else { continue }
            #expect(status == 0 && !output.contains(": warning:"), "\(output.suffix(2_000))")
        }
    }
}
