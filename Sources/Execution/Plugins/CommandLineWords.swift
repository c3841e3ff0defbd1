/// Splits a plugin's command into words, as a POSIX shell does, without being one: blanks separate, quotes and
/// backslashes protect, `$NAME` and `${NAME}` stand for variables (not within single quotes). Nothing else means
/// anything: no globs, pipes, redirections or substitutions.
enum CommandLineWords {
    /// - Throws: `LaunchError` for a quote that is not closed, and for too many words.
    static func split(_ text: String, variable: (String) -> String?) throws(LaunchError) -> [String] {
        var words: [String] = []
        var word: String?
        var quote: Character?
        var rest = text[...]
        while let character = rest.popFirst() {
            switch (character, quote) {
            case ("'", "'"), ("\"", "\""): quote = nil
            case (_, "'"): word = (word ?? "") + String(character)
            case ("\\", "\""):
                let protected: Set<Character> = ["\\", "\"", "$", "`", "\n"]
                let next = rest.first.flatMap { protected.contains($0) ? rest.popFirst() : nil }
                if next != "\n" { word = (word ?? "") + String(next ?? "\\") }
            case ("\\", nil):
                let next = rest.popFirst() ?? "\\"
                if next != "\n" { word = (word ?? "") + String(next) }
            case ("$", _): word = (word ?? "") + expansion(&rest, variable)
            case ("'", nil), ("\"", nil):
                quote = character
                word = word ?? ""
            case (_, nil) where character.isWhitespace:
                if let ended = word { words.append(ended) }
                word = nil
            default: word = (word ?? "") + String(character)
            }
        }
        guard quote == nil else { throw LaunchError("the plugin's command has a quote that is not closed") }
        if let ended = word { words.append(ended) }
        guard !words.isEmpty else { throw LaunchError("the plugin's command is empty") }
        guard words.count <= PluginLimits.words else {
            throw LaunchError("the plugin's command has more than \(PluginLimits.words) words")
        }
        return words
    }

    /// `$NAME` replaced by its value, `\$` by a dollar sign; unknown names by nothing.
    static func expand(_ text: String, variable: (String) -> String?) -> String {
        guard text.utf8.contains(UInt8(ascii: "$")) else { return text }
        var result = ""
        var rest = text[...]
        while let character = rest.popFirst() {
            switch character {
            case "\\" where rest.first == "$":
                rest.removeFirst()
                result += "$"
            case "$": result += expansion(&rest, variable)
            default: result.append(character)
            }
        }
        return result
    }

    /// What follows a dollar sign. One that no name follows is itself.
    private static func expansion(_ rest: inout Substring, _ variable: (String) -> String?) -> String {
        func isName(_ character: Character) -> Bool {
            character.isASCII && (character.isLetter || character.isNumber || character == "_")
        }
        if rest.first == "{", let end = rest.firstIndex(of: "}") {
            let name = rest[rest.index(after: rest.startIndex)..<end]
            guard !name.isEmpty, name.allSatisfy(isName) else { return "$" }
            rest = rest[rest.index(after: end)...]
            return variable(String(name)) ?? ""
        }
        let name = rest.prefix(while: isName)
        guard let first = name.first, !first.isNumber else { return "$" }
        rest = rest[name.endIndex...]
        return variable(String(name)) ?? ""
    }
}
