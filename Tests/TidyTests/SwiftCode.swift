/// Blanks comments and string literals out of Swift text, so that a rule sees code only. It knows nested comments,
/// interpolations, multi-line and raw strings; it does not know regular expression literals, which the project
/// does not use.
struct SwiftCode {
    private enum State {
        /// Code; inside an interpolation `depth` counts its open parentheses.
        case code(interpolationDepth: Int?)
        case lineComment
        case blockComment(depth: Int)
        case string(quotes: Int, hashes: Int)
    }

    private static let quote = UInt8(ascii: "\"")
    private static let blank = UInt8(ascii: " ")

    private let text: [UInt8]
    private var position = 0
    private var output: [UInt8] = []
    private var states: [State] = [.code(interpolationDepth: nil)]

    /// The same number of bytes, with line ends where they were.
    static func blanked(_ text: [UInt8]) -> [UInt8] {
        var code = SwiftCode(text: text)
        code.run()
        return code.output
    }

    private init(text: [UInt8]) {
        self.text = text
        output.reserveCapacity(text.count)
    }

    private mutating func run() {
        while position < text.count {
            switch states[states.count - 1] {
            case .code(let depth): stepCode(depth)
            case .lineComment:
                if text[position] == newline { states.removeLast() }
                hide(1)
            case .blockComment(let depth): stepComment(depth)
            case .string(let quotes, let hashes): stepString(quotes, hashes)
            }
        }
    }

    private mutating func stepCode(_ depth: Int?) {
        switch text[position] {
        case UInt8(ascii: "/"), UInt8(ascii: "#"), Self.quote, UInt8(ascii: "("), UInt8(ascii: ")"): break
        default: return show(1)
        }
        if starts(with: "//") {
            states.append(.lineComment)
            hide(2)
        } else if starts(with: "/*") {
            states.append(.blockComment(depth: 1))
            hide(2)
        } else if let (quotes, hashes) = openingQuotes() {
            states.append(.string(quotes: quotes, hashes: hashes))
            show(quotes + hashes)
        } else if let depth, text[position] == UInt8(ascii: "(") {
            states[states.count - 1] = .code(interpolationDepth: depth + 1)
            show(1)
        } else if let depth, text[position] == UInt8(ascii: ")") {
            if depth == 1 {
                states.removeLast()
            } else {
                states[states.count - 1] = .code(interpolationDepth: depth - 1)
            }
            show(1)
        } else {
            show(1)
        }
    }

    private mutating func stepComment(_ depth: Int) {
        if starts(with: "/*") {
            states[states.count - 1] = .blockComment(depth: depth + 1)
            hide(2)
        } else if starts(with: "*/") {
            if depth == 1 { states.removeLast() } else { states[states.count - 1] = .blockComment(depth: depth - 1) }
            hide(2)
        } else {
            hide(1)
        }
    }

    private mutating func stepString(_ quotes: Int, _ hashes: Int) {
        let marks = String(repeating: "#", count: hashes)
        if starts(with: String(repeating: "\"", count: quotes) + marks) {
            states.removeLast()
            show(quotes + hashes)
        } else if starts(with: "\\" + marks + "(") {
            states.append(.code(interpolationDepth: 1))
            show(2 + hashes)
        } else if starts(with: "\\" + marks) {
            hide(2 + hashes)
        } else if quotes == 1, text[position] == newline {
            // A string on one line that does not end there is no Swift: go on as if it had.
            states.removeLast()
            show(1)
        } else {
            hide(1)
        }
    }

    private func openingQuotes() -> (quotes: Int, hashes: Int)? {
        var hashes = 0
        while position + hashes < text.count, text[position + hashes] == UInt8(ascii: "#") { hashes += 1 }
        var quotes = 0
        while quotes < 3, position + hashes + quotes < text.count, text[position + hashes + quotes] == Self.quote {
            quotes += 1
        }
        // Two quotes are an empty string: its end is found in the next step.
        return quotes == 0 ? nil : (quotes == 3 ? 3 : 1, hashes)
    }

    private func starts(with wanted: String) -> Bool {
        let wanted = wanted.utf8
        guard position + wanted.count <= text.count else { return false }
        return text[position..<(position + wanted.count)].elementsEqual(wanted)
    }

    private mutating func show(_ count: Int) {
        output.append(contentsOf: text[position..<min(text.count, position + count)])
        position += count
    }

    private mutating func hide(_ count: Int) {
        for byte in text[position..<min(text.count, position + count)] {
            output.append(byte == newline ? byte : Self.blank)
        }
        position += count
    }
}
