/// Collects the values of one command from the places where they can stand, in the order of their precedence: what an
/// earlier place gave is not replaced by a later one.
struct Reading {
    private let command: Command
    private let program: Program
    private let declarations: [String: OptionDeclaration]
    private var given: [String: Arguments.Given] = [:]
    private var positionals: [String] = []

    init(command: Command, program: Program) {
        self.command = command
        self.program = program
        // A name that is declared twice keeps its first meaning.
        declarations = Dictionary(command.allOptions.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    }

    var configurationPath: String? { given[Program.configOption.declaration.name]?.texts.last }

    // MARK: Command line

    mutating func readWords(_ words: [String]) throws(UsageError) {
        var rest = words[...]
        var optionsHaveEnded = false
        while let word = rest.popFirst() {
            if optionsHaveEnded || word == "-" || !word.hasPrefix("-") {
                positionals.append(word)
            } else if word == "--" {
                optionsHaveEnded = true
            } else {
                try readOption(word, &rest)
            }
        }
    }

    private mutating func readOption(_ word: String, _ rest: inout ArraySlice<String>) throws(UsageError) {
        guard word.hasPrefix("--") else {
            if word.count == 2, let flag = declarations.values.first(where: { $0.letter == word.last }) {
                return try add("true", to: flag, source: word, firstOfPlace: given[flag.name] == nil)
            }
            throw UsageError("unknown option '\(word)': options begin with two dashes")
        }
        let parts = word.dropFirst(2).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        let name = String(parts[0])
        guard let declaration = declarations[name] else {
            let names = declarations.keys.map { "--" + $0 }
            throw UsageError("unknown option '--\(name)'" + Suggestion.text(for: "--" + name, among: names))
        }
        let text: String
        if parts.count == 2 {
            text = String(parts[1])
        } else if declaration.placeholder == nil {
            text = "true"
        } else if let next = rest.first, !next.hasPrefix("--") {
            text = next
            rest.removeFirst()
        } else {
            let placeholder = declaration.placeholder ?? ""
            throw UsageError("--\(name) needs a value: --\(name) \(placeholder) or --\(name)=\(placeholder)")
        }
        try add(text, to: declaration, source: "--\(name)", firstOfPlace: given[name] == nil)
    }

    // MARK: Environment

    mutating func readEnvironment(_ environment: [String: String]) throws(UsageError) {
        for declaration in command.allOptions where given[declaration.name] == nil {
            // An empty variable is what container files give for one that is not set.
            let found = declaration.environmentNames.first { !(environment[$0] ?? "").isEmpty }
            guard let name = found, let text = environment[name] else { continue }
            let texts = declaration.isRepeatable ? text.split(separator: ",").map { trimmed($0) } : [text]
            given[declaration.name] = Arguments.Given(texts: texts, source: name)
        }
    }

    // MARK: Configuration file

    mutating func readConfiguration(_ text: String, path: String) throws(UsageError) {
        let known = program.optionNames
        var fromFile: [String: Arguments.Given] = [:]
        for entry in try ConfigurationFile.entries(of: text, path: path) {
            let source = "\(path):\(entry.line)"
            guard known.contains(entry.key), entry.key != Program.configOption.declaration.name else {
                throw UsageError(
                    "\(source): unknown name '\(entry.key)'" + Suggestion.text(for: entry.key, among: Array(known)))
            }
            // A file may serve several commands: names of the others are left alone.
            guard let declaration = declarations[entry.key] else { continue }
            if var earlier = fromFile[entry.key] {
                guard declaration.isRepeatable else {
                    throw UsageError("\(source): '\(entry.key)' stands here twice (before at \(earlier.source))")
                }
                earlier.texts.append(entry.value)
                fromFile[entry.key] = earlier
            } else {
                fromFile[entry.key] = Arguments.Given(texts: [entry.value], source: source)
            }
        }
        given.merge(fromFile) { earlier, _ in earlier }
    }

    // MARK: Result

    /// Checks everything.
    func finish() throws(UsageError) -> Arguments {
        for declaration in command.allOptions {
            guard let value = given[declaration.name] else {
                guard declaration.isRequired else { continue }
                let placeholder = declaration.placeholder ?? ""
                let variable = declaration.environmentNames[0]
                throw UsageError(
                    "--\(declaration.name) \(placeholder) is missing (or \(variable), or a line in the --config file)")
            }
            do { try declaration.check(value.texts) } catch { throw UsageError("\(value.source): \(error.message)") }
        }
        let wanted = command.positionals
        if positionals.count > wanted.count {
            let expected = wanted.isEmpty ? "no words" : wanted.map(\.name).joined(separator: " ")
            throw UsageError("'\(positionals[wanted.count])' is too much: '\(command.name)' takes \(expected)")
        }
        if let missing = wanted.dropFirst(positionals.count).first(where: { !$0.isOptional }) {
            throw UsageError("\(missing.name) is missing: \(missing.help)")
        }
        return Arguments(given: given, positionals: positionals)
    }

    private mutating func add(
        _ text: String, to declaration: OptionDeclaration, source: String, firstOfPlace: Bool
    ) throws(UsageError) {
        if firstOfPlace {
            given[declaration.name] = Arguments.Given(texts: [text], source: source)
        } else if declaration.isRepeatable || declaration.placeholder == nil {
            given[declaration.name]?.texts.append(text)
        } else {
            throw UsageError("\(source) is given twice")
        }
    }
}

/// Without blanks at both ends.
func trimmed(_ text: Substring) -> String {
    let isBlank: (Character) -> Bool = { $0 == " " || $0 == "\t" || $0 == "\r" }
    var rest = text.drop(while: isBlank)
    while let last = rest.last, isBlank(last) { rest.removeLast() }
    return String(rest)
}
