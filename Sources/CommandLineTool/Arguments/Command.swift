/// One command of the program: what it is called, what it takes and what it does.
struct Command: Sendable {
    /// A word that is not an option.
    struct Positional: Sendable {
        let name: String
        let help: String
        var isOptional = false
    }

    /// One or two words, as in `job list`.
    let path: [String]
    /// One line for the list of commands.
    let summary: String
    /// Paragraphs for the command's own help, separated by empty lines.
    var details = ""
    /// Lines of the help that show how it is called.
    var examples: [String] = []
    var positionals: [Positional] = []
    var options: [OptionDeclaration] = []
    /// Performs it and returns the exit status. Errors are reported by the program: status 2 for `UsageError`, else 1.
    let run: @Sendable (Arguments) throws -> Int32

    var name: String { path.joined(separator: " ") }

    /// Its own options and those that every command has.
    var allOptions: [OptionDeclaration] { options + [Program.configOption.declaration] }
}
