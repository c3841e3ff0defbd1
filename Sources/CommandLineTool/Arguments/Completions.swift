/// Scripts by which a shell completes commands and options, made from the same tables as the help.
enum Completions {
    static let shells = ["bash", "zsh", "fish"]

    /// Every invocation asks for the program, since it is itself one of its commands.
    static func command(_ program: @escaping @Sendable () -> Program) -> Command {
        Command(
            path: ["completions"], summary: "Print the completions for a shell",
            examples: [
                "carillon completions bash > /etc/bash_completion.d/carillon",
                "carillon completions zsh > /usr/local/share/zsh/site-functions/_carillon",
                "carillon completions fish > ~/.config/fish/completions/carillon.fish",
            ],
            positionals: [.init(name: "SHELL", help: shells.joined(separator: ", "))]
        ) { arguments in
            let shell = arguments.positionals[0]
            guard let text = script(shell, program()) else {
                throw UsageError(
                    "'\(shell)' is none of \(shells.joined(separator: ", "))"
                        + Suggestion.text(for: shell, among: shells), command: ["completions"])
            }
            Console.out(text)
            return 0
        }
    }

    static func script(_ shell: String, _ program: Program) -> String? {
        switch shell {
        case "bash": bash(program)
        case "zsh": zsh(program)
        case "fish": fish(program)
        default: nil
        }
    }

    private static func firstWords(_ program: Program) -> [String] {
        Set(program.commands.map { $0.path[0] }).union(["help"]).sorted()
    }

    private static func seconds(of word: String, _ program: Program) -> [String] {
        program.commands.filter { $0.path.count > 1 && $0.path[0] == word }.map { $0.path[1] }
    }

    private static func options(_ command: Command) -> [String] {
        command.allOptions.map { "--" + $0.name } + ["--help"]
    }

    /// The words that an option's value can be; empty: anything.
    private static func choices(_ option: OptionDeclaration) -> [String] {
        guard let placeholder = option.placeholder, placeholder.contains("|") else { return [] }
        return placeholder.split(separator: "|").map(String.init)
    }

    // MARK: bash

    private static func bash(_ program: Program) -> String {
        var lines = [
            "# \(program.name) \(program.version): completions for bash",
            "_\(program.name)() {",
            "    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} words=",
            "    COMPREPLY=()",
            "    case $previous in",
        ]
        var seen: Set<String> = []
        for option in program.commands.flatMap(\.allOptions) where seen.insert(option.name).inserted {
            let choices = choices(option)
            if !choices.isEmpty {
                lines.append(
                    "    --\(option.name)) COMPREPLY=($(compgen -W '\(choices.joined(separator: " "))' "
                        + "-- \"$current\")); return ;;")
            } else if ["FILE", "DIR", "PATH"].contains(option.placeholder) {
                lines.append("    --\(option.name)) COMPREPLY=($(compgen -f -- \"$current\")); return ;;")
            }
        }
        lines += [
            "    esac",
            "    if [ \"$COMP_CWORD\" -eq 1 ]; then",
            "        COMPREPLY=($(compgen -W '\(firstWords(program).joined(separator: " "))' -- \"$current\"))",
            "        return",
            "    fi",
            "    case \"${COMP_WORDS[1]} ${COMP_WORDS[2]}\" in",
        ]
        for command in program.commands.sorted(by: { $0.path.count > $1.path.count }) {
            let pattern = command.path.count > 1 ? "'\(command.name)'" : "'\(command.name) '*"
            var words = options(command)
            if command.path.count == 1 { words += seconds(of: command.path[0], program) }
            lines.append("    \(pattern)) words='\(words.joined(separator: " "))' ;;")
        }
        for word in firstWords(program) where !program.commands.contains(where: { $0.path == [word] }) {
            lines.append("    '\(word) '*) words='\(seconds(of: word, program).joined(separator: " "))' ;;")
        }
        lines += [
            "    esac",
            "    COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))",
            "    [[ $current == -* ]] || COMPREPLY+=($(compgen -f -- \"$current\"))",
            "}",
            "complete -F _\(program.name) \(program.name)",
        ]
        return lines.joined(separator: "\n")
    }

    // MARK: zsh

    private static func zsh(_ program: Program) -> String {
        func described(_ name: String, _ text: String) -> String {
            "'" + quoted(name.replacing(":", with: "\\:") + ":" + text, "'", "'\\''") + "'"
        }
        var lines = [
            "#compdef \(program.name)", "# \(program.version)",
            "_\(program.name)() {", "    local -a items", "    if (( CURRENT == 2 )); then", "        items=(",
        ]
        for word in firstWords(program) {
            let summary = program.commands.first { $0.path == [word] }?.summary
            lines.append(
                "            " + described(word, summary ?? seconds(of: word, program).joined(separator: ", ")))
        }
        lines += [
            "        )", "        _describe command items", "        return", "    fi",
            "    case \"$words[2] $words[3]\" in",
        ]
        for command in program.commands.sorted(by: { $0.path.count > $1.path.count }) {
            lines.append("    \(command.path.count > 1 ? "'\(command.name)'" : "'\(command.name) '*")) items=(")
            if command.path.count == 1 {
                for relative in program.commands where relative.path.count > 1 && relative.path[0] == command.path[0] {
                    lines.append("            " + described(relative.path[1], relative.summary))
                }
            }
            for option in command.allOptions {
                lines.append("            " + described("--" + option.name, option.help))
            }
            lines.append("            '--help:show this and do nothing' ) ;;")
        }
        for word in firstWords(program) where !program.commands.contains(where: { $0.path == [word] }) {
            lines.append("    '\(word) '*) items=(")
            for command in program.commands where command.path.count > 1 && command.path[0] == word {
                lines.append("            " + described(command.path[1], command.summary))
            }
            lines.append("        ) ;;")
        }
        lines += [
            "    esac", "    _describe -o option items", "    _files", "}", "_\(program.name) \"$@\"",
        ]
        return lines.joined(separator: "\n")
    }

    // MARK: fish

    private static func fish(_ program: Program) -> String {
        let name = program.name
        func text(_ value: String) -> String { "'" + quoted(quoted(value, "\\", "\\\\"), "'", "\\'") + "'" }
        var lines = ["# \(name) \(program.version): completions for fish"]
        for word in firstWords(program) {
            let summary = program.commands.first { $0.path == [word] }?.summary
            let shown = summary ?? seconds(of: word, program).joined(separator: ", ")
            lines.append("complete -c \(name) -f -n __fish_use_subcommand -a \(word) -d \(text(shown))")
        }
        for command in program.commands {
            let first = "__fish_seen_subcommand_from \(command.path[0])"
            var condition = first
            if command.path.count > 1 {
                let others = seconds(of: command.path[0], program).joined(separator: " ")
                lines.append(
                    "complete -c \(name) -f -n \(text("\(first); and not __fish_seen_subcommand_from \(others)")) "
                        + "-a \(command.path[1]) -d \(text(command.summary))")
                condition = "\(first); and __fish_seen_subcommand_from \(command.path[1])"
            }
            for option in command.allOptions {
                var line = "complete -c \(name) -n \(text(condition)) -l \(option.name) -d \(text(option.help))"
                if let letter = option.letter { line += " -s \(letter)" }
                let choices = choices(option)
                if !choices.isEmpty {
                    line += " -x -a \(text(choices.joined(separator: " ")))"
                } else if option.placeholder != nil {
                    line += " -r"
                }
                lines.append(line)
            }
        }
        return lines.joined(separator: "\n")
    }

    private static func quoted(_ text: String, _ character: String, _ replacement: String) -> String {
        text.replacing(character, with: replacement)
    }
}
