import Foundation

/// README.md's code blocks, and whether an output has the form of the one that is shown there.
struct Readme {
    struct Block {
        var language: String
        var text: String
        /// Of its first line in the file, for messages.
        var line: Int
        /// What it prints, where a `text` block shows it.
        var output: String?
    }

    /// `bash` blocks in order, each with the `text` block that follows before the next one under the same heading.
    let commands: [Block]
    let root: String

    init() throws {
        root =
            URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent().path
        commands = Self.commands(in: try String(contentsOfFile: root + "/README.md", encoding: .utf8))
    }

    static func commands(in text: String) -> [Block] {
        var commands: [Block] = []
        var open: Block?
        // Whether a text block that comes next would belong to the last command.
        var isExpecting = false
        for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            if var block = open {
                guard line == "```" else {
                    block.text += line + "\n"
                    open = block
                    continue
                }
                open = nil
                if block.language == "bash" {
                    commands.append(block)
                    isExpecting = true
                } else if block.language == "text", isExpecting {
                    commands[commands.count - 1].output = block.text
                    isExpecting = false
                }
            } else if line.hasPrefix("```") {
                open = Block(language: String(line.dropFirst(3)), text: "", line: number + 2)
            } else if line.hasPrefix("#") {
                isExpecting = false
            }
        }
        return commands
    }

    /// A text's lines without what differs from run to run: instants, numbers, keys, paths, and who leads.
    static func form(_ text: String) -> [String] {
        let rules = [
            (#"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"#, "INSTANT"), (#"\br[0-9a-z]{12}\b"#, "RUN"),
            (#"/\S*carillon-data"#, "DATA"), (#"[A-Za-z0-9_-]{43}"#, "KEY"), (#"\bleads\b"#, ""),
            (#""tzdata":"[^"]*""#, #""tzdata":"RELEASE""#), (#""version":"[^"]*""#, #""version":"RELEASE""#),
            (#"\d+"#, "N"), (#"[ \t]+"#, " "),
        ]
        return text.split(separator: "\n").map { line in
            rules.reduce(String(line)) {
                $0.replacingOccurrences(of: $1.0, with: $1.1, options: .regularExpression)
            }.trimmingCharacters(in: .whitespaces)
        }.filter { !$0.isEmpty }
    }
}
