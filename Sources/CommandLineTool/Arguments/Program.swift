/// The program as a whole: its commands, and the way from words to one of them.
struct Program: Sendable {
    /// What a command line asks for.
    enum Invocation: Sendable {
        case run(Command, Arguments)
        /// Help or the version: printed on standard output, status 0.
        case show(String)
    }

    static let configOption = Option<String?>.optionalText(
        "config", "FILE", "read options from a file with lines 'name = value'; '#' begins a comment line")

    let name: String
    let version: String
    let summary: String
    let commands: [Command]

    /// Finds out what is asked for.
    ///
    /// - Parameters:
    ///   - words: without the program's name.
    ///   - readFile: the text of the file that `--config` names; its error's description goes into the message.
    /// - Throws: `UsageError`, which says what would be right.
    func parse(
        _ words: [String], environment: [String: String], readFile: (String) throws -> String
    ) throws(UsageError) -> Invocation {
        if let shown = helpForGeneral(words) { return .show(shown) }
        let (command, rest) = try find(words)
        guard let command else { return .show(Help.group(words[0], of: self)) }
        // Asking for help always helps, whatever else is wrong with the line.
        if rest.prefix(while: { $0 != "--" }).contains(where: Self.isHelp) {
            return .show(Help.command(command, of: self))
        }
        do throws(UsageError) {
            var reading = Reading(command: command, program: self)
            try reading.readWords(rest)
            try reading.readEnvironment(environment)
            if let path = reading.configurationPath {
                let text: String
                do { text = try readFile(path) } catch {
                    throw UsageError("cannot read the configuration file '\(path)': \(error)")
                }
                try reading.readConfiguration(text, path: path)
            }
            return .run(command, try reading.finish())
        } catch {
            throw UsageError(error.message, command: command.path)
        }
    }

    static func isHelp(_ word: String) -> Bool { word == "--help" || word == "-h" }

    /// `carillon`, `carillon --help`, `carillon help job`, `carillon --version`.
    private func helpForGeneral(_ words: [String]) -> String? {
        guard let first = words.first else { return nil }
        if first == "--version" || words == ["version"] { return "\(name) \(version)" }
        if Self.isHelp(first) { return Help.program(self) }
        guard first == "help" else { return nil }
        let wanted = Array(words.dropFirst())
        if let command = commands.first(where: { $0.path == wanted }) { return Help.command(command, of: self) }
        if let group = wanted.first, commands.contains(where: { $0.path.first == group }) {
            return Help.group(group, of: self)
        }
        return Help.program(self)
    }

    /// The command that the words begin with, and the words after it. Nil: help for a group of commands is wanted.
    private func find(_ words: [String]) throws(UsageError) -> (Command?, [String]) {
        guard let first = words.first else {
            throw UsageError("which command? One of: \(firstWords.joined(separator: ", "))")
        }
        guard !first.hasPrefix("-") else {
            throw UsageError("'\(first)' stands before the command: write '\(name) COMMAND \(first) …'")
        }
        let candidates = commands.filter { $0.path[0] == first }
        guard !candidates.isEmpty else {
            throw UsageError("there is no command '\(first)'" + Suggestion.text(for: first, among: firstWords))
        }
        // `worker` is a command and begins others (`worker list`): a second word decides, an option does not.
        let seconds = candidates.filter { $0.path.count > 1 }.map { $0.path[1] }
        if let command = candidates.first(where: { $0.path.count == 1 }) {
            let second = words.count > 1 ? words[1] : "-"
            if seconds.isEmpty || second.hasPrefix("-") { return (command, Array(words.dropFirst())) }
        }
        guard words.count > 1 else {
            throw UsageError(
                "'\(first)' needs one more word: \(seconds.joined(separator: ", "))", command: [first])
        }
        if Self.isHelp(words[1]) { return (nil, []) }
        guard let command = candidates.first(where: { $0.path.count > 1 && $0.path[1] == words[1] }) else {
            let suggestion = Suggestion.text(for: words[1], among: seconds)
            let known = seconds.joined(separator: ", ")
            throw UsageError(
                "there is no command '\(first) \(words[1])'\(suggestion); it can be: \(known)", command: [first])
        }
        return (command, Array(words.dropFirst(2)))
    }

    private var firstWords: [String] {
        var seen: Set<String> = []
        return commands.map { $0.path[0] }.filter { seen.insert($0).inserted }
    }

    /// Every option name of any command: what a shared configuration file may contain.
    var optionNames: Set<String> { Set(commands.flatMap(\.allOptions).map(\.name)) }
}

extension Program {
    /// Parses, performs and reports. Returns the exit status: 0, 1 for failure, 2 for wrong usage.
    func run(_ words: [String], environment: [String: String]) -> Int32 {
        do {
            switch try parse(words, environment: environment, readFile: ConfigurationFile.read) {
            case .show(let text):
                Console.out(text)
                return 0
            case .run(let command, let arguments):
                return try command.run(arguments)
            }
        } catch let error as UsageError {
            Console.error("\(name): \(error.message)")
            Console.error("Try '\(([name] + error.command + ["--help"]).joined(separator: " "))'.")
            return 2
        } catch {
            Console.error("\(name): \(error)")
            return 1
        }
    }
}
