/// The manual page, made from the same tables as the help.
enum ManPage {
    static func command(_ program: @escaping @Sendable () -> Program) -> Command {
        Command(
            path: ["man"], summary: "Print the manual page, for 'man -l -'",
            examples: ["carillon man | man -l -", "carillon man > /usr/local/share/man/man1/carillon.1"]
        ) { _ in
            Console.out(page(program()))
            return 0
        }
    }

    static func page(_ program: Program) -> String {
        let name = program.name
        var lines = [
            ".TH \(name.uppercased()) 1 \"\" \"\(name) \(program.version)\" \"User Commands\"",
            ".SH NAME", "\(name) \\- \(escaped(program.summary))",
            ".SH SYNOPSIS", ".B \(name)", ".I COMMAND", "[options]",
            ".SH DESCRIPTION",
            escaped(
                "Nodes that share a PostgreSQL database elect a leader, which gives due jobs to workers. The commands "
                    + "run parts of a cluster, or speak to one over its API."),
            ".SH COMMANDS",
        ]
        for command in program.commands {
            var usage = "\(name) \(command.name)"
            for positional in command.positionals {
                usage += positional.isOptional ? " [\(positional.name)]" : " \(positional.name)"
            }
            lines += [".SS \"\(quoted(usage))\"", escaped(command.summary + ".")]
            for paragraph in command.details.split(separator: "\n\n") { lines += [".PP", escaped(String(paragraph))] }
            for positional in command.positionals {
                lines += [".TP", ".I \(escaped(positional.name))", escaped(positional.help)]
            }
            for option in command.options {
                let value = option.placeholder.map { " \\fI\(escaped($0))\\fR" } ?? ""
                var notes = option.notes
                if option.isRequired { notes.insert("required", at: 0) }
                let suffix = notes.isEmpty ? "" : " (\(notes.joined(separator: "; ")))"
                lines += [".TP", "\\fB\\-\\-\(escaped(option.name))\\fR\(value)", escaped(option.help + suffix)]
            }
            if !command.examples.isEmpty {
                lines += [".PP", "Examples:", ".nf"] + command.examples.map { "    " + escaped($0) } + [".fi"]
            }
        }
        lines += [
            ".SH ENVIRONMENT",
            escaped(
                "An option that is not given is looked for as CARILLON_ and its name in capitals with '_' for '-' (the "
                    + "values of a repeatable one separated by commas), then in the file that --config names. The "
                    + "API key is CARILLON_API_KEY. NO_COLOR switches colours off."),
            ".SH EXIT STATUS",
            ".TP", ".B 0", "success", ".TP", ".B 1", "failure; standard error says why and what to do",
            ".TP", ".B 2", "wrong usage",
        ]
        return lines.joined(separator: "\n")
    }

    /// Text that roff takes as it is meant: no escapes, no requests at the beginning of a line.
    static func escaped(_ text: String) -> String {
        let safe = text.replacing("\\", with: "\\e").replacing("-", with: "\\-")
        return safe.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            line.hasPrefix(".") || line.hasPrefix("'") ? "\\&" + line : String(line)
        }.joined(separator: "\n")
    }

    private static func quoted(_ text: String) -> String { escaped(text).replacing("\"", with: "\\(dq") }
}
