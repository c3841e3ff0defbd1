/// One option of a command, typed: `arguments.get(option)` gives its value.
struct Option<Value: Sendable>: Sendable {
    let declaration: OptionDeclaration
    /// From the texts that were given (none: the option is absent) to the value. The error does not name the option.
    let read: @Sendable ([String]) throws(UsageError) -> Value

    fileprivate init(
        _ declaration: OptionDeclaration, read: @escaping @Sendable ([String]) throws(UsageError) -> Value
    ) {
        var declaration = declaration
        declaration.check = { texts throws(UsageError) in _ = try read(texts) }
        self.declaration = declaration
        self.read = read
    }
}

/// What the parser and the help need to know of an option, whatever its type.
struct OptionDeclaration: Sendable {
    /// Without the dashes.
    let name: String
    /// What stands for the value in the help; nil: a flag, which needs none.
    let placeholder: String?
    let help: String
    /// What the help says after the text: the default, the range.
    var notes: [String] = []
    /// Short form of a flag: `-f`.
    var letter: Character?
    var isRepeatable = false
    var isRequired = false
    /// Set by `Option`.
    fileprivate(set) var check: @Sendable ([String]) throws(UsageError) -> Void = { _ in }
    /// A name that the environment variable has besides the regular one, looked for first.
    var otherEnvironmentName: String?

    init(_ name: String, _ placeholder: String?, _ help: String) {
        self.name = name
        self.placeholder = placeholder
        self.help = help
    }

    var environmentNames: [String] {
        [otherEnvironmentName, "CARILLON_" + name.uppercased().map { $0 == "-" ? "_" : String($0) }.joined()]
            .compactMap { $0 }
    }
}

// MARK: Text

extension Option where Value == String {
    static func text(_ name: String, _ placeholder: String, _ help: String, default fallback: String) -> Self {
        var declaration = OptionDeclaration(name, placeholder, help)
        if !fallback.isEmpty { declaration.notes.append("default \(fallback)") }
        return Option(declaration) { texts in texts.last ?? fallback }
    }

    static func requiredText(_ name: String, _ placeholder: String, _ help: String) -> Self {
        var declaration = OptionDeclaration(name, placeholder, help)
        declaration.isRequired = true
        return Option(declaration) { texts throws(UsageError) in
            guard let text = texts.last, !text.isEmpty else { throw UsageError("must not be empty") }
            return text
        }
    }

    /// One of a few words.
    static func choice(
        _ name: String, _ choices: [String], _ help: String, default fallback: String
    ) -> Self {
        var declaration = OptionDeclaration(name, choices.joined(separator: "|"), help)
        declaration.notes.append("default \(fallback)")
        return Option(declaration) { texts throws(UsageError) in
            guard let text = texts.last else { return fallback }
            guard choices.contains(text) else {
                throw UsageError("'\(text)' is none of \(choices.joined(separator: ", "))")
            }
            return text
        }
    }
}

extension Option where Value == String? {
    static func optionalText(
        _ name: String, _ placeholder: String, _ help: String, environment: String? = nil
    ) -> Self {
        var declaration = OptionDeclaration(name, placeholder, help)
        declaration.otherEnvironmentName = environment
        return Option(declaration) { texts in texts.last }
    }
}

extension Option where Value == [String] {
    /// An option that may be given several times; in the environment its values are separated by commas.
    static func list(
        _ name: String, _ placeholder: String, _ help: String, isRequired: Bool = false
    ) -> Self {
        var declaration = OptionDeclaration(name, placeholder, help)
        declaration.isRepeatable = true
        declaration.isRequired = isRequired
        declaration.notes.append("repeatable")
        return Option(declaration) { texts throws(UsageError) in
            guard !texts.contains("") else { throw UsageError("must not be empty") }
            return texts
        }
    }
}

// MARK: Numbers

extension Option where Value == Int {
    static func integer(
        _ name: String, _ placeholder: String, _ help: String, in range: ClosedRange<Int>, default fallback: Int
    ) -> Self {
        var declaration = OptionDeclaration(name, placeholder, help)
        declaration.notes = ["\(range.lowerBound) to \(range.upperBound)", "default \(fallback)"]
        return Option(declaration) { texts throws(UsageError) in
            guard let text = texts.last else { return fallback }
            return try Parse.integer(text, in: range)
        }
    }
}

extension Option where Value == Int? {
    static func optionalInteger(
        _ name: String, _ placeholder: String, _ help: String, in range: ClosedRange<Int>
    ) -> Self {
        var declaration = OptionDeclaration(name, placeholder, help)
        declaration.notes = ["\(range.lowerBound) to \(range.upperBound)"]
        return Option(declaration) { texts throws(UsageError) in
            guard let text = texts.last else { return nil }
            return try Parse.integer(text, in: range)
        }
    }
}

extension Option where Value == Double {
    static func number(
        _ name: String, _ placeholder: String, _ help: String, in range: ClosedRange<Double>, default fallback: Double
    ) -> Self {
        var declaration = OptionDeclaration(name, placeholder, help)
        declaration.notes = [
            "\(Parse.text(range.lowerBound)) to \(Parse.text(range.upperBound))", "default \(Parse.text(fallback))",
        ]
        return Option(declaration) { texts throws(UsageError) in
            guard let text = texts.last else { return fallback }
            return try Parse.number(text, in: range)
        }
    }
}

extension Option where Value == Double? {
    static func optionalNumber(
        _ name: String, _ placeholder: String, _ help: String, in range: ClosedRange<Double>
    ) -> Self {
        var declaration = OptionDeclaration(name, placeholder, help)
        declaration.notes = ["\(Parse.text(range.lowerBound)) to \(Parse.text(range.upperBound))"]
        return Option(declaration) { texts throws(UsageError) in
            guard let text = texts.last else { return nil }
            return try Parse.number(text, in: range)
        }
    }
}

extension Option where Value == Duration {
    /// A length of time in seconds, with decimals if wanted.
    static func seconds(
        _ name: String, _ help: String, in range: ClosedRange<Double>, default fallback: Double
    ) -> Self {
        let number = Option<Double>.number(name, "SECONDS", help, in: range, default: fallback)
        return Option(number.declaration) { texts throws(UsageError) in .seconds(try number.read(texts)) }
    }
}

// MARK: Flags

extension Option where Value == Bool {
    /// - Parameter letter: its short form.
    static func flag(_ name: String, letter: Character? = nil, _ help: String) -> Self {
        var declaration = OptionDeclaration(name, nil, help)
        declaration.letter = letter
        if let letter { declaration.notes.append("short: -\(letter)") }
        return Option(declaration) { texts throws(UsageError) in
            switch texts.last?.lowercased() {
            case nil, "false", "no", "off", "0": false
            case "true", "yes", "on", "1": true
            case let text?: throw UsageError("'\(text)' is neither true nor false")
            }
        }
    }
}

/// Numbers as people write them.
private enum Parse {
    static func integer(_ text: String, in range: ClosedRange<Int>) throws(UsageError) -> Int {
        guard let value = Int(text), range.contains(value) else {
            throw UsageError("'\(text)' is not a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return value
    }

    static func number(_ text: String, in range: ClosedRange<Double>) throws(UsageError) -> Double {
        // Not "nan", "inf" or "0x10", which Double would read.
        let isDecimal = text.utf8.allSatisfy {
            (48...57).contains($0) || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "-")
        }
        guard isDecimal, let value = Double(text), range.contains(value) else {
            let bounds = "\(Parse.text(range.lowerBound)) to \(Parse.text(range.upperBound))"
            throw UsageError("'\(text)' is not a number from \(bounds), such as 1 or 2.5")
        }
        return value
    }

    static func text(_ value: Double) -> String {
        value == value.rounded() && abs(value) < 1e15 ? String(Int64(value)) : String(value)
    }
}
