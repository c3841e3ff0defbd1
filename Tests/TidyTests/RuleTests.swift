import Testing

@Suite("Each rule catches a planted offence")
struct RuleTests {
    /// A planted text, and the lines of the findings that it must give.
    struct Plant: Sendable, CustomTestStringConvertible {
        var name: String
        var path = "Sources/Runtime/Planted.swift"
        var text: String
        var lines: [Int]
        var testDescription: String { name }
    }

    private func found(_ plant: Plant) -> [Int] {
        let file = SourceText(path: plant.path, plant.text)
        return Rules.all.flatMap { $0(file) }.map(\.line)
    }

    static let offences: [Plant] = [
        Plant(name: "Foundation", text: "import Glibc\nimport Foundation\n", lines: [2]),
        Plant(name: "Dispatch", text: "import Dispatch\n", lines: [1]),
        Plant(name: "a layer above", text: "public import Node\n", lines: [1]),
        Plant(name: "one symbol of a layer above", text: "@preconcurrency import struct Node.Thing\n", lines: [1]),
        Plant(name: "Glibc in a pure target", path: "Sources/Domain/P.swift", text: "import Glibc\n", lines: [1]),
        Plant(name: "C in a pure target", path: "Sources/HTTP/P.swift", text: "import CLinux\n", lines: [1]),
        Plant(name: "an unknown target", path: "Sources/Util/P.swift", text: "let one = 1\n", lines: [0]),
        Plant(name: "a bare task", text: "func f() {\n    Task { await g() }\n}\n", lines: [2]),
        Plant(name: "a task with a priority", text: "let t = Task(priority: .low) {}\n", lines: [1]),
        Plant(name: "a detached task", text: "Task.detached { }\n", lines: [1]),
        Plant(name: "a queue", text: "let q = DispatchQueue(label: name)\n", lines: [1]),
        Plant(name: "try!", text: "let a = try! f()\n", lines: [1]),
        Plant(name: "fatalError", text: "fatalError(\"no\")\n", lines: [1]),
        Plant(name: "as!", text: "let a = b as! C\n", lines: [1]),
        Plant(name: "in an interpolation", text: "let a = \"x \\(b as! C) y\"\n", lines: [1]),
        Plant(name: "unchecked", text: "let a = 1\n\n\n\nfinal class C: @unchecked Sendable {}\n", lines: [5]),
        Plant(name: "nonisolated(unsafe)", text: "nonisolated(unsafe) var a = 1\n", lines: [1]),
        Plant(name: "try? without a reason", text: "let a = try? f()\n", lines: [1]),
        Plant(name: "a reason too far away", text: "// why\n\n\n\nlet a = try? f()\n", lines: [5]),
        Plant(name: "print", text: "print(1)\n", lines: [1]),
        Plant(name: "a long line", text: "let a = [" + String(repeating: "1, ", count: 38) + "]\n", lines: [1]),
        Plant(name: "a long file", text: String(repeating: "\n", count: 601), lines: [0]),
        Plant(name: "a tab", text: "\tlet a = 1\n", lines: [1]),
        Plant(name: "a debt in Swift", text: "// TO" + "DO later\n", lines: [1]),
        Plant(name: "a debt in a script", path: "deploy/x.sh", text: "\n# FIX" + "ME\n", lines: [2]),
        Plant(name: "a debt in a test", path: "Tests/ATests/A.swift", text: "// X" + "XX\n", lines: [1]),
        Plant(name: "a machine's path", path: "deploy/x.sh", text: "cd /" + "work/main\n", lines: [1]),
        Plant(name: "a path in a string", text: "let a = \"/" + "root/x\"\n", lines: [1]),
        Plant(name: "a package", path: "Package.swift", text: ".package(url: u, from: v)\n", lines: [1]),
    ]

    @Test("an offence is found on its line", arguments: offences)
    func offence(_ plant: Plant) {
        #expect(found(plant) == plant.lines)
    }

    static let innocents: [Plant] = [
        Plant(name: "allowed imports", text: "import CLinux\npublic import Glibc\nimport Synchronization\n", lines: []),
        Plant(
            name: "words in comments", text: "// import Foundation, try! and Task {\n/* as! /* x */ print( */\n",
            lines: []),
        Plant(name: "words in strings", text: "let a = \"fatalError( \\\" try! \" + #\"a\" as! \"#\n", lines: []),
        Plant(
            name: "words in long strings", text: "let a = \"\"\"\n    try! \"quoted\" Task {\n    \"\"\"\n", lines: []),
        Plant(name: "code after an interpolation", text: "let a = \"\\(f(\"x\")) try! \"\n", lines: []),
        Plant(name: "other identifiers", text: "group.addTask { }\nlet reprint = sprint(1)\nsomeTask { }\n", lines: []),
        Plant(name: "a reason on the line", text: "let a = try? f()  // absence is an answer here\n", lines: []),
        Plant(
            name: "a reason above",
            text: "// confined to the loop\n@available(*, deprecated)\nclass C: @unchecked Sendable {}\n", lines: []),
        Plant(name: "the helper", path: Rules.mayStartTasks, text: "Task(executorPreference: self) { }\n", lines: []),
        Plant(name: "a command prints", path: "Sources/CommandLineTool/P.swift", text: "print(1)\n", lines: []),
        Plant(
            name: "a test may", path: "Tests/ATests/A.swift", text: "import Foundation\nlet a = try! f()\n", lines: []),
        Plant(name: "a longer word", text: "// mkstemp wants XX" + "XXXX; mastodons\n", lines: []),
        Plant(name: "a longer path", text: "let a = \"/carillon/v1/" + "work/x\"\n", lines: []),
        Plant(name: "120 columns", text: "// " + String(repeating: "ä", count: 117) + "\n", lines: []),
    ]

    @Test("what is allowed is not found", arguments: innocents)
    func innocent(_ plant: Plant) {
        #expect(found(plant) == [])
    }

    @Test("a C library with a second importer is found there")
    func secondImporter() {
        let files = [
            SourceText(path: "Sources/Crypto/A.swift", "import COpenSSL\n"),
            SourceText(path: "Sources/Crypto/B.swift", "import COpenSSL\n"),
            SourceText(path: "Sources/Execution/C.swift", "\nimport COpenSSL\nimport CLinux\n"),
            SourceText(path: "Sources/Runtime/D.swift", "import CLinux\n"),
        ]
        let findings = Layers.checkOneImporterEach(files)
        #expect(findings.map(\.path) == ["Sources/Execution/C.swift"])
        #expect(findings.map(\.line) == [2])
    }

    @Test("a manifest that differs from the table is found, target by target")
    func manifest() {
        var text = "let package = [\n    // layer(\"JSON\", [\"Node\"])\n"
        for (target, dependencies) in Layers.table where target != "JSON" && !target.hasPrefix("carillon") {
            let list = dependencies.map { "\"\($0)\"" }.joined(separator: ", ")
            text += dependencies.isEmpty ? "layer(\"\(target)\"),\n" : "layer(\n  \"\(target)\",\n  [\(list)]),\n"
        }
        for (name, part) in [("carillon", "CommandLineTool"), ("carillon-bench", "Bench")] {
            text += ".executableTarget(name: \"\(name)\", dependencies: [\"\(part)\"], swiftSettings: settings),\n"
        }
        let complete = SourceText(path: "Package.swift", text + "layer(\"JSON\")\n]\n")
        #expect(Layers.checkManifest(complete) == [])
        let other = SourceText(path: "Package.swift", text + "layer(\"JSON\", [\"Domain\"])\n]\n")
        #expect(
            Layers.checkManifest(other).map(\.message) == [
                "JSON depends on [Domain], which the table of layers says otherwise"
            ])
        #expect(
            Layers.checkManifest(SourceText(path: "Package.swift", text)).map(\.message) == ["target 'JSON' is missing"]
        )
    }

    @Test("the table points down only: no target reaches itself")
    func tableHasNoCycle() {
        for start in Layers.table.keys {
            var reached: Set<String> = []
            var open = Array(Layers.table[start, default: []])
            while let next = open.popLast() {
                guard reached.insert(next).inserted else { continue }
                open.append(contentsOf: Layers.table[next, default: []])
            }
            #expect(!reached.contains(start), "\(start) depends on itself")
        }
    }

    @Test("a target without its first file, and one whose first file says nothing, are found")
    func designComments() {
        let files = [
            SourceText(path: "Sources/A/A.swift", "import Glibc\n\n// One\n// two\n// three\nlet a = 1\n"),
            SourceText(path: "Sources/B/B.swift", "// One\nlet b = 1\n"),
            SourceText(path: "Sources/C/D.swift", "// One\n// two\n// three\n"),
        ]
        let findings = Rules.designComments(files, targets: ["A", "B", "C"])
        #expect(findings.map(\.path) == ["Sources/B/B.swift", "Sources/C/C.swift"])
    }

    @Test("a surplus and a missing name on the top level are found")
    func topLevel() {
        let right: Set<String> = [
            "Package.swift", "Sources", "Tests", "deploy", "docker", "README.md", "LICENSE", ".ci", ".gitignore",
            ".swift-format", ".git", ".build",
        ]
        #expect(Rules.topLevel(right) == [])
        #expect(Rules.topLevel(right.union(["notes.txt"])).map(\.path) == ["notes.txt"])
        #expect(Rules.topLevel(right.subtracting(["LICENSE"])).map(\.path) == ["LICENSE"])
    }
}
