/// A regular expression that is matched in time proportional to its size times the text's, whatever both are.
///
/// Constraints come from clients and are matched in the leader's turn: with a matcher that backtracks, `(a+)+b` against
/// thirty a's would stop the whole cluster. So a pattern becomes a small automaton of which all states are followed at
/// once. What only backtracking can do (back references, looking around, possessive repetition) is refused, with a
/// message. The dialect is the common part of Java's: literals, `.`, classes, `\d \w \s`, groups, alternatives,
/// `* + ? {m,n}`, `^ $`, and `(?i)` at the start.
struct Pattern: Sendable {
    /// Steps of the automaton after counted repetitions are written out.
    static let steps = 4_096

    enum Step: Sendable {
        case scalar(ScalarSet)
        /// Both ways at once.
        case split(Int, Int)
        case start
        case end
        case accept
    }

    private let program: [Step]
    private let ignoresCase: Bool

    /// - Throws: `PatternError` that says what is wrong and where.
    init(_ text: String) throws(PatternError) {
        var parser = PatternParser(text)
        let node = try parser.parse()
        ignoresCase = parser.ignoresCase
        var compiler = PatternCompiler()
        try compiler.emit(node)
        try compiler.append(.accept)
        program = compiler.program
    }

    /// Matches wherever the pattern occurs in a text, as an unanchored search does.
    /// - Throws: `PatternError`, as if the pattern had been given alone.
    init(anywhere text: String) throws(PatternError) {
        _ = try Pattern(text)
        let folds = text.hasPrefix("(?i)")
        let body = folds ? String(text.dropFirst(4)) : text
        try self.init((folds ? "(?i)" : "") + "(?:.|\\n|\\r)*(?:" + body + ")(?:.|\\n|\\r)*")
    }

    /// Whether the pattern matches the whole text.
    func matches(_ text: String) -> Bool {
        let scalars = Array((ignoresCase ? text.lowercased() : text).unicodeScalars)
        var marks = [Int](repeating: -1, count: program.count)
        var current: [Int] = []
        follow(0, at: 0, of: scalars.count, &marks, &current)
        for (position, scalar) in scalars.enumerated() {
            var next: [Int] = []
            for index in current {
                guard case .scalar(let set) = program[index], set.contains(scalar) else { continue }
                follow(index + 1, at: position + 1, of: scalars.count, &marks, &next)
            }
            if next.isEmpty { return false }
            current = next
        }
        return current.contains { if case .accept = program[$0] { true } else { false } }
    }

    /// Whether the pattern matches some part of the text.
    func occurs(in text: String) -> Bool {
        let scalars = Array((ignoresCase ? text.lowercased() : text).unicodeScalars)
        var marks = [Int](repeating: -1, count: program.count)
        var current: [Int] = []
        for position in 0...scalars.count {
            // A match may begin here as well as at every place before.
            follow(0, at: position, of: scalars.count, &marks, &current)
            if current.contains(where: { if case .accept = program[$0] { true } else { false } }) { return true }
            guard position < scalars.count else { break }
            var next: [Int] = []
            for index in current {
                guard case .scalar(let set) = program[index], set.contains(scalars[position]) else { continue }
                follow(index + 1, at: position + 1, of: scalars.count, &marks, &next)
            }
            current = next
        }
        return false
    }

    /// Adds all steps that are reached from `first` without reading a character; each at most once for a position.
    private func follow(_ first: Int, at position: Int, of count: Int, _ marks: inout [Int], _ list: inout [Int]) {
        var stack = [first]
        while let index = stack.popLast() {
            guard marks[index] != position else { continue }
            marks[index] = position
            switch program[index] {
            case .split(let left, let right): stack += [right, left]
            case .start: if position == 0 { stack.append(index + 1) }
            case .end: if position == count { stack.append(index + 1) }
            case .scalar, .accept: list.append(index)
            }
        }
    }
}

struct PatternError: Error, Hashable, Sendable {
    let message: String
    init(_ message: String) { self.message = message }
}

/// A set of characters as ranges.
struct ScalarSet: Sendable, Hashable {
    var ranges: [ClosedRange<UInt32>] = []
    var isNegated = false

    func contains(_ scalar: Unicode.Scalar) -> Bool {
        ranges.contains { $0.contains(scalar.value) } != isNegated
    }

    static func only(_ scalar: Unicode.Scalar) -> Self { Self(ranges: [scalar.value...scalar.value]) }

    static let digits = Self(ranges: [48...57])
    static let word = Self(ranges: [48...57, 65...90, 95...95, 97...122])
    static let space = Self(ranges: [9...13, 32...32])
    static let lineEnds = Self(ranges: [10...10, 13...13, 0x85...0x85, 0x2028...0x2029])

    var inverted: Self { Self(ranges: ranges, isNegated: !isNegated) }

    /// The same without negation, for use inside a class.
    var flattened: [ClosedRange<UInt32>] {
        guard isNegated else { return ranges }
        var gaps: [ClosedRange<UInt32>] = []
        var from: UInt32 = 0
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if range.lowerBound > from { gaps.append(from...range.lowerBound - 1) }
            from = max(from, range.upperBound + 1)
        }
        gaps.append(from...0x10FFFF)
        return gaps
    }
}

indirect enum PatternNode: Sendable {
    case empty
    case scalar(ScalarSet)
    case sequence([PatternNode])
    case choice([PatternNode])
    case repeated(PatternNode, least: Int, most: Int?)
    case start
    case end
}

private struct PatternCompiler {
    var program: [Pattern.Step] = []

    mutating func append(_ step: Pattern.Step) throws(PatternError) {
        guard program.count < Pattern.steps else {
            throw PatternError("it is too large once its counted repetitions are written out")
        }
        program.append(step)
    }

    mutating func emit(_ node: PatternNode) throws(PatternError) {
        switch node {
        case .empty: break
        case .scalar(let set): try append(.scalar(set))
        case .start: try append(.start)
        case .end: try append(.end)
        case .sequence(let nodes): for node in nodes { try emit(node) }
        case .choice(let nodes): try emitChoice(nodes[...])
        case .repeated(let node, let least, let most):
            for _ in 0..<least { try emit(node) }
            if let most {
                for _ in 0..<(most - least) { try emitOptional(node) }
            } else {
                try emitLoop(node)
            }
        }
    }

    private mutating func emitChoice(_ nodes: ArraySlice<PatternNode>) throws(PatternError) {
        var ends: [Int] = []
        for (offset, node) in nodes.enumerated() {
            guard offset < nodes.count - 1 else {
                try emit(node)
                break
            }
            let split = program.count
            try append(.split(split + 1, split + 1))
            try emit(node)
            ends.append(program.count)
            try append(.split(0, 0))  // a jump to the end, filled in below
            program[split] = .split(split + 1, program.count)
        }
        for end in ends { program[end] = .split(program.count, program.count) }
    }

    private mutating func emitOptional(_ node: PatternNode) throws(PatternError) {
        let split = program.count
        try append(.split(split + 1, split + 1))
        try emit(node)
        program[split] = .split(split + 1, program.count)
    }

    private mutating func emitLoop(_ node: PatternNode) throws(PatternError) {
        let split = program.count
        try append(.split(split + 1, split + 1))
        try emit(node)
        try append(.split(split, split))
        program[split] = .split(split + 1, program.count)
    }
}
