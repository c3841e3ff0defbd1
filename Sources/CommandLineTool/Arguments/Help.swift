/// The texts of `--help`.
enum Help {
    static let width = 96
    /// Terms longer than this have their explanation on the next line.
    private static let widestTerm = 30

    static func program(_ program: Program) -> String {
        var lines = ["usage: \(program.name) COMMAND [options]", ""]
        lines += wrapped(program.summary, width: width) + ["", "commands:"]
        lines += table(program.commands.map { ($0.name, $0.summary) })
        lines += [
            "", "'\(program.name) COMMAND --help' explains a command, '\(program.name) --version' tells the version.",
        ]
        return lines.joined(separator: "\n")
    }

    static func group(_ word: String, of program: Program) -> String {
        let members = program.commands.filter { $0.path.first == word }
        var lines = ["usage: \(program.name) \(word) COMMAND [options]", "", "commands:"]
        lines += table(members.map { ($0.name, $0.summary) })
        lines += ["", "'\(program.name) \(word) COMMAND --help' explains a command."]
        return lines.joined(separator: "\n")
    }

    static func command(_ command: Command, of program: Program) -> String {
        var usage = "usage: \(program.name) \(command.name)"
        for positional in command.positionals {
            usage += positional.isOptional ? " [\(positional.name)]" : " \(positional.name)"
        }
        for option in command.options where option.isRequired {
            usage += " " + term(option) + (option.isRepeatable ? " …" : "")
        }
        var lines = wrapped(usage + " [options]", width: width, indentation: 4) + [""]
        lines += wrapped(command.summary + ".", width: width)
        for paragraph in command.details.split(separator: "\n\n") {
            lines += [""] + wrapped(String(paragraph), width: width)
        }
        if !command.positionals.isEmpty {
            lines += ["", "words:"] + table(command.positionals.map { ($0.name, $0.help) })
        }
        let options = command.allOptions.map { (term($0), explanation($0)) } + [("--help", "show this and do nothing")]
        lines += ["", "options:"] + table(options)
        if !command.examples.isEmpty {
            lines += ["", "examples:"] + command.examples.map { "  " + $0 }
        }
        let relatives = program.commands.filter { $0.path.count > 1 && [$0.path[0]] == command.path }
        if !relatives.isEmpty { lines += ["", "see also:"] + table(relatives.map { ($0.name, $0.summary) }) }
        lines.append("")
        let environment =
            "An option that is not given is looked for in the environment (CARILLON_ and its name in capitals with '_' "
            + "for '-'; the values of a repeatable one separated by commas), then in the --config file."
        lines += wrapped(environment, width: width)
        return lines.joined(separator: "\n")
    }

    private static func term(_ option: OptionDeclaration) -> String {
        "--" + option.name + (option.placeholder.map { " " + $0 } ?? "")
    }

    private static func explanation(_ option: OptionDeclaration) -> String {
        var notes = option.notes
        if option.isRequired { notes.insert("required", at: 0) }
        if let other = option.otherEnvironmentName { notes.append("or \(other) in the environment") }
        return option.help + (notes.isEmpty ? "" : " (\(notes.joined(separator: "; ")))")
    }

    /// Two columns; the second is wrapped.
    static func table(_ rows: [(term: String, text: String)]) -> [String] {
        let column = min(widestTerm, rows.map(\.term.count).max() ?? 0) + 4
        var lines: [String] = []
        for (term, text) in rows {
            var texts = wrapped(text, width: width - column)
            var first = "  " + term
            if first.count <= column - 2, !texts.isEmpty {
                first += String(repeating: " ", count: column - first.count) + texts.removeFirst()
            }
            lines.append(first)
            lines += texts.map { String(repeating: " ", count: column) + $0 }
        }
        return lines
    }

    /// Lines no longer than the width, broken at blanks; all but the first are indented.
    static func wrapped(_ text: String, width: Int, indentation: Int = 0) -> [String] {
        let margin = String(repeating: " ", count: indentation)
        var lines: [String] = []
        for word in text.split(whereSeparator: { $0 == " " || $0 == "\n" }) {
            if let last = lines.last, last.count + 1 + word.count <= width {
                lines[lines.count - 1] = last + " " + word
            } else {
                lines.append((lines.isEmpty ? "" : margin) + word)
            }
        }
        return lines
    }
}
