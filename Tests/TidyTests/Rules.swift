/// The rules of style, one function each. What a rule is for stands in its message.
enum Rules {
    static let longestLine = 120
    /// In tests a table case with its texts may stand on one line.
    static let longestTestLine = 160
    static let longestFile = 600
    static let shortestDesignComment = 3

    /// The one file that may make an unstructured task: it names the executor, which a task of its own would leave.
    static let mayStartTasks = "Sources/Runtime/EventLoop.swift"

    /// Rules for one file.
    static let all: [@Sendable (SourceText) -> [Finding]] = [
        Layers.checkImports, unstructuredTasks, traps, uncheckedWithReason, silencedErrors, printing, lineLength,
        fileLength,
        tabs, debts, machinePaths, packages,
    ]

    /// Tasks that leave the executor, and with it the simulation.
    static func unstructuredTasks(_ file: SourceText) -> [Finding] {
        guard file.isSource, file.path != mayStartTasks else { return [] }
        let words = ["Task {", "Task(", "Task.init", "Task.detached", "Task.immediate", "DispatchQueue", "Thread("]
        return file.find(words) { "'\($0)' leaves the event loop: use the timekeeper's start(_:_:) or a task group" }
    }

    /// Operating errors are handled.
    static func traps(_ file: SourceText) -> [Finding] {
        guard file.isSource else { return [] }
        return file.find(["try!", "fatalError(", "as!"]) { "'\($0)' ends the process: throw, or make it impossible" }
    }

    static func uncheckedWithReason(_ file: SourceText) -> [Finding] {
        guard file.isSource else { return [] }
        return withoutReason(file, ["@unchecked Sendable", "nonisolated(unsafe)"])
    }

    static func silencedErrors(_ file: SourceText) -> [Finding] {
        guard file.isSource else { return [] }
        return withoutReason(file, ["try?"])
    }

    private static func withoutReason(_ file: SourceText, _ words: [String]) -> [Finding] {
        let findings = file.find(words) { "'\($0)' needs its reason in a comment on this line or right above" }
        guard !findings.isEmpty else { return [] }
        let lines = file.lines
        return findings.filter { finding in
            !lines[max(0, finding.line - 4)..<finding.line].contains { $0.contains("//") }
        }
    }

    /// Standard output belongs to the commands; everything else logs.
    static func printing(_ file: SourceText) -> [Finding] {
        guard file.isSource, file.target != "CommandLineTool" else { return [] }
        return file.find(["print("]) { "'\($0)' is for commands only: use Log" }
    }

    static func lineLength(_ file: SourceText) -> [Finding] {
        guard file.isSwift else { return [] }
        let limit = file.path.hasPrefix("Tests/") ? longestTestLine : longestLine
        return file.lines.enumerated().filter { $0.element.utf8.count > limit && $0.element.count > limit }
            .map { index, line in
                Finding(path: file.path, line: index + 1, message: "\(line.count) columns; \(limit) are the most")
            }
    }

    static func fileLength(_ file: SourceText) -> [Finding] {
        let count = file.lines.count
        guard file.isSwift, count > longestFile else { return [] }
        let message = "\(count) lines; \(longestFile) are the most: what wants to be its own thing?"
        return [Finding(path: file.path, line: 0, message: message)]
    }

    static func tabs(_ file: SourceText) -> [Finding] {
        guard file.isSwift else { return [] }
        return file.findAnywhere(["\t"]) { _ in "a tab: indent by four spaces, write \\t in strings" }
    }

    /// Words that put off work. They are taken apart here so that this file does not contain them.
    static func debts(_ file: SourceText) -> [Finding] {
        let words = ["TO" + "DO", "FIX" + "ME", "X" + "XX"]
        return file.findAnywhere(words) { "'\($0)': do it, or describe the limit and why it stands" }
    }

    /// Folders of the machine that something was written on, where they begin a path.
    static func machinePaths(_ file: SourceText) -> [Finding] {
        ["/" + "work/", "/" + "root/"].flatMap { folder in
            file.occurrences(of: folder, in: file.text).filter { offset in
                guard offset > 0 else { return true }
                let before = file.text[offset - 1]
                return !isIdentifierByte(before) && !"/.-}*)".utf8.contains(before)
            }.map { offset in
                let message = "'\(folder)' is a folder of one machine"
                return Finding(path: file.path, line: file.line(of: offset), message: message)
            }
        }
    }

    /// The charter: the toolchain, and C libraries that Debian maintains; no Swift packages.
    static func packages(_ file: SourceText) -> [Finding] {
        guard file.path == "Package.swift" else { return [] }
        return file.find([".package("]) { "'\($0)': the project has no package dependencies" }
    }

    /// Each target's first file carries its name and opens with prose: what the target is for and what it refuses.
    static func designComments(_ files: [SourceText], targets: [String]) -> [Finding] {
        targets.sorted().compactMap { target in
            let path = "Sources/\(target)/\(target).swift"
            guard let file = files.first(where: { $0.path == path }) else {
                return Finding(path: path, line: 0, message: "missing: the target's first file has its design comment")
            }
            let opening = file.lines.drop { $0.isEmpty || $0.contains("import ") }.prefix { $0.hasPrefix("//") }
            guard opening.count < shortestDesignComment else { return nil }
            return Finding(path: path, line: 1, message: "must open with a design comment of the whole target")
        }
    }

    /// The top level is a table of contents: what does not belong is put where it does.
    static func topLevel(_ names: Set<String>) -> [Finding] {
        let wanted: Set<String> = [
            "Package.swift", "Sources", "Tests", "deploy", "docker", "README.md", "LICENSE", ".ci", ".gitignore",
            ".swift-format",
        ]
        // What .gitignore names, and git itself.
        let tolerated: Set<String> = [".git", ".build", ".swiftpm", "Package.resolved", "carillon-data"]
        let surplus = names.subtracting(wanted).subtracting(tolerated).sorted()
        let missing = wanted.subtracting(names).sorted()
        return surplus.map { Finding(path: $0, line: 0, message: "does not belong on the top level") }
            + missing.map { Finding(path: $0, line: 0, message: "is missing on the top level") }
    }
}
