/// Reads the text of a `Pattern`.
struct PatternParser {
    private let scalars: [Unicode.Scalar]
    private var position = 0
    private(set) var ignoresCase = false
    /// Highest count in `{m,n}`.
    static let repetitions = 1_000

    init(_ text: String) {
        var body = text[...]
        if text.hasPrefix("(?i)") {
            ignoresCase = true
            body = body.dropFirst(4)
        }
        scalars = Array(body.unicodeScalars)
    }

    private var current: Unicode.Scalar? { position < scalars.count ? scalars[position] : nil }

    private mutating func accept(_ scalar: Unicode.Scalar) -> Bool {
        guard current == scalar else { return false }
        position += 1
        return true
    }

    mutating func parse() throws(PatternError) -> PatternNode {
        let node = try choice()
        guard position == scalars.count else { throw PatternError("a ')' has no '('") }
        return node
    }

    private mutating func choice() throws(PatternError) -> PatternNode {
        var branches = [try sequence()]
        while accept("|") { branches.append(try sequence()) }
        return branches.count == 1 ? branches[0] : .choice(branches)
    }

    private mutating func sequence() throws(PatternError) -> PatternNode {
        var nodes: [PatternNode] = []
        while let scalar = current, scalar != "|", scalar != ")" {
            position += 1
            nodes.append(try quantified(try atom(scalar)))
        }
        return nodes.isEmpty ? .empty : .sequence(nodes)
    }

    private mutating func atom(_ scalar: Unicode.Scalar) throws(PatternError) -> PatternNode {
        switch scalar {
        case "(": return try group()
        case "[": return .scalar(try characterClass())
        case ".": return .scalar(ScalarSet.lineEnds.inverted)
        case "^": return .start
        case "$": return .end
        case "\\": return .scalar(try escape())
        case "*", "+", "?", "{": throw PatternError("'\(scalar)' has nothing to repeat")
        default: return .scalar(.only(folded(scalar)))
        }
    }

    private mutating func group() throws(PatternError) -> PatternNode {
        if accept("?") {
            guard accept(":") else {
                throw PatternError("of the groups with '(?' only '(?:' is supported, and '(?i)' at the start")
            }
        }
        let node = try choice()
        guard accept(")") else { throw PatternError("a '(' has no ')'") }
        return node
    }

    // MARK: Repetition

    private mutating func quantified(_ node: PatternNode) throws(PatternError) -> PatternNode {
        var result = node
        if accept("*") {
            result = .repeated(node, least: 0, most: nil)
        } else if accept("+") {
            result = .repeated(node, least: 1, most: nil)
        } else if accept("?") {
            result = .repeated(node, least: 0, most: 1)
        } else if accept("{") {
            result = try counted(node)
        } else {
            return node
        }
        // Lazy or not is the same for a match of the whole text; possessive is not.
        if accept("?") { return result }
        if current == "+" { throw PatternError("possessive repetition is not supported") }
        return result
    }

    private mutating func counted(_ node: PatternNode) throws(PatternError) -> PatternNode {
        let least = try number()
        var most: Int? = least
        if accept(",") { most = current == "}" ? nil : try number() }
        guard accept("}") else { throw PatternError("a '{' has no '}'") }
        if let most, most < least { throw PatternError("{\(least),\(most)} is turned around") }
        return .repeated(node, least: least, most: most)
    }

    private mutating func number() throws(PatternError) -> Int {
        var value = 0
        var digits = 0
        while let scalar = current, ScalarSet.digits.contains(scalar) {
            value = value * 10 + Int(scalar.value - 48)
            guard value <= Self.repetitions else {
                throw PatternError("a repetition may count to \(Self.repetitions)")
            }
            digits += 1
            position += 1
        }
        guard digits > 0 else { throw PatternError("a '{' needs a number") }
        return value
    }

    // MARK: Characters

    private func folded(_ scalar: Unicode.Scalar) -> Unicode.Scalar {
        guard ignoresCase else { return scalar }
        let lower = scalar.properties.lowercaseMapping.unicodeScalars
        return lower.count == 1 ? lower[lower.startIndex] : scalar
    }

    private mutating func escape() throws(PatternError) -> ScalarSet {
        guard let scalar = current else { throw PatternError("it ends with a single '\\'") }
        position += 1
        switch scalar {
        case "d": return .digits
        case "D": return .digits.inverted
        case "w": return .word
        case "W": return .word.inverted
        case "s": return .space
        case "S": return .space.inverted
        case "t": return .only("\t")
        case "n": return .only("\n")
        case "r": return .only("\r")
        case "a"..."z", "A"..."Z", "0"..."9": throw PatternError("'\\\(scalar)' is not supported")
        default: return .only(folded(scalar))
        }
    }

    private mutating func characterClass() throws(PatternError) -> ScalarSet {
        var set = ScalarSet()
        set.isNegated = accept("^")
        var isFirst = true
        while let scalar = current {
            position += 1
            if scalar == "]" {
                guard !isFirst else { throw PatternError("a class '[]' is empty") }
                return set
            }
            isFirst = false
            if scalar == "[" || (scalar == "&" && current == "&") {
                throw PatternError("classes within classes are not supported: write '\\\(scalar)' for the character")
            }
            try extend(&set, from: scalar)
        }
        throw PatternError("a '[' has no ']'")
    }

    private mutating func extend(_ set: inout ScalarSet, from scalar: Unicode.Scalar) throws(PatternError) {
        let low = try member(scalar)
        guard current == "-", position + 1 < scalars.count, scalars[position + 1] != "]" else {
            set.ranges += low.flattened
            return
        }
        position += 1
        guard let end = current else { return }
        position += 1
        let high = try member(end)
        guard low.ranges.count == 1, high.ranges.count == 1, !low.isNegated, !high.isNegated,
            low.ranges[0].count == 1, high.ranges[0].count == 1,
            low.ranges[0].lowerBound <= high.ranges[0].upperBound
        else { throw PatternError("a range in a class goes from a lower to a higher character") }
        set.ranges.append(low.ranges[0].lowerBound...high.ranges[0].upperBound)
    }

    private mutating func member(_ scalar: Unicode.Scalar) throws(PatternError) -> ScalarSet {
        scalar == "\\" ? try escape() : .only(folded(scalar))
    }
}
