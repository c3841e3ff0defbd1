// Arguments: from the command line, the environment and a configuration file to typed values.
//
// A command declares its options as values (`Option<Int>` and so on) and lists them; `Program.parse` is a pure function
// from words to an invocation, so that everything about usage is tested without a process. Each option is looked for
// on the command line, then in the environment (`CARILLON_` + its name in capitals), then in the file that `--config`
// names, then in its default. All values are checked before a command runs: a command never sees wrong usage.

/// The values that a command was called with.
struct Arguments: Sendable {
    /// Values as text, by option name, with the place that they come from.
    struct Given: Sendable {
        var texts: [String]
        /// For messages: `--port`, `CARILLON_PORT`, `carillon.conf:7`.
        var source: String
    }

    private let given: [String: Given]
    /// Words that are not options, in order; as many as the command declares.
    let positionals: [String]

    init(given: [String: Given], positionals: [String]) {
        self.given = given
        self.positionals = positionals
    }

    /// The option's value.
    /// - Throws: `UsageError` only for an option that the command does not list, since listed ones have been checked.
    func get<Value>(_ option: Option<Value>) throws(UsageError) -> Value {
        try option.read(given[option.declaration.name]?.texts ?? [])
    }

    /// A word that the command declares as optional and that may be missing.
    func positional(_ index: Int) -> String? {
        index < positionals.count ? positionals[index] : nil
    }
}

/// A command was called in a way that it does not understand. The message says what would be right.
struct UsageError: Error, Equatable, CustomStringConvertible {
    var message: String
    /// The words of the command whose help explains more; empty: the program's.
    var command: [String] = []

    init(_ message: String, command: [String] = []) {
        self.message = message
        self.command = command
    }

    var description: String { message }
}
