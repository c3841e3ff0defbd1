import JSON

/// Cronicle's two checks of parameters, with its words (cronicle.md §1.8): what must be there, looked at as text, and
/// what may be there, looked at by type first.
enum Validation {
    typealias Check = @Sendable (String) -> Bool

    struct Rule: Sendable {
        enum Kind: Sendable { case text, number, flag }
        let key: String
        let kind: Kind
        let check: Check

        static func text(_ key: String, _ check: @escaping Check) -> Rule { Rule(key: key, kind: .text, check: check) }
        static func number(_ key: String) -> Rule { Rule(key: key, kind: .number, check: isDigits) }
        static func number(_ key: String, _ check: @escaping Check) -> Rule {
            Rule(key: key, kind: .number, check: check)
        }
        static func flag(_ key: String) -> Rule { Rule(key: key, kind: .flag, check: isSwitch) }
    }

    static func require(_ values: JSONObject, _ rules: [(key: String, check: Check)]) throws(CronicleFailure) {
        for (key, check) in rules {
            guard let value = values[key] else { throw .missing(key) }
            if value.isNull { throw CronicleFailure("api", "Null parameter: \(key)") }
            guard check(value.scriptText) else { throw CronicleFailure("api", "Malformed parameter: \(key)") }
        }
    }

    /// The first rule that is broken counts, in the order of the rules.
    static func permit(_ values: JSONObject, _ rules: [Rule]) throws(CronicleFailure) {
        for rule in rules {
            guard let value = values[rule.key] else { continue }
            let type = value.scriptType
            let isRightType =
                switch rule.kind {
                case .text: type == "string"
                case .number: type == "number"
                case .flag: type == "boolean" || type == "number"
                }
            guard isRightType else {
                throw CronicleFailure("api", "Malformed parameter type: \(rule.key) (\(type))")
            }
            guard rule.check(value.scriptText) else {
                throw CronicleFailure("api", "Malformed parameter value: \(rule.key)")
            }
        }
    }

    static func refuseMarkup(_ values: JSONObject, _ keys: [String]) throws(CronicleFailure) {
        for key in keys {
            guard let text = values[key]?.stringValue, text.utf8.contains(where: { $0 == 0x3C || $0 == 0x3E }) else {
                continue
            }
            throw CronicleFailure("api", "Malformed \(key) parameter: Cannot contain HTML metacharacters")
        }
    }

    // MARK: Patterns, as Cronicle writes them

    /// `^\w+$`
    static let isWord: Check = { text in !text.isEmpty && text.utf8.allSatisfy(isWordByte) }
    /// `^\w*$`
    static let isWordOrEmpty: Check = { text in text.utf8.allSatisfy(isWordByte) }
    /// `\S`
    static let isNotBlank: Check = { text in text.contains { !$0.isWhitespace } }
    static let isAnything: Check = { _ in true }
    /// `^\d+$`
    static let isDigits: Check = { text in
        !text.isEmpty && text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    }
    /// `^(\d+|true|false)$`
    static let isSwitch: Check = { text in text == "true" || text == "false" || isDigits(text) }
    /// `^[1|0]$`, bar included.
    static let isOneOrZero: Check = { text in ["0", "1", "|"].contains(text) }
    /// `^[\w\-\.]+$`
    static let isHost: Check = { text in
        !text.isEmpty && text.utf8.allSatisfy { isWordByte($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: ".") }
    }
    /// `^[\w\-\@\.\,\s]*$`, and `+`, which addresses may have.
    static let isAddressList: Check = { text in
        text.unicodeScalars.allSatisfy { scalar in
            scalar.properties.isWhitespace
                || scalar.isASCII && (isWordByte(UInt8(scalar.value)) || "-@.,+".unicodeScalars.contains(scalar))
        }
    }
    /// `(^$|https?://\S+)$`, and `[header: …]` or `[data: …]` behind the address, as Cronicle documents them.
    static let isHook: Check = { text in
        if text.isEmpty { return true }
        let address = text.prefix { !$0.isWhitespace }
        let rest = text[address.endIndex...]
        guard rest.isEmpty || rest.drop(while: \.isWhitespace).hasPrefix("[") else { return false }
        let lower = address.lowercased()
        return ["http://", "https://"].contains { lower.hasPrefix($0) && lower.count > $0.count }
    }

    static func isWordByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
            true
        default: false
        }
    }
}
