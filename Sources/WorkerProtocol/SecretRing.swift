import Crypto
public import Domain

/// The cluster's shared secret, and during a rotation the one beside it.
///
/// The first signs, both are accepted. To rotate without a gap: add the new secret as second line everywhere, then swap
/// the lines everywhere, then remove the second. Its description never shows a secret.
public struct SecretRing: Sendable, CustomStringConvertible {
    struct Key: Sendable {
        /// Names the secret in a message without telling anything about it.
        let id: String
        private let secret: [UInt8]

        init(secret: [UInt8]) {
            self.secret = secret
            id = String(Hex.encode(MAC.hmacSHA256(key: secret, Array("carillon key id".utf8))).prefix(16))
        }

        /// The key for one purpose; no purpose's key says anything about another's.
        func derived(for purpose: String) -> [UInt8] {
            MAC.hmacSHA256(key: secret, Array("carillon \(WireLimits.keys) \(purpose)".utf8))
        }
    }

    private let keys: [Key]
    /// A secret is shorter than `WireLimits.secretAdvised`: its operator should be told.
    public let isShort: Bool

    /// Reads the text of a secret file: one or two lines, each a secret of 8 to 1024 printable characters. Empty lines
    /// and lines that begin with `#` do not count.
    /// - Throws: `DomainError.invalid` which never repeats what it read.
    public init(parsing text: String) throws(DomainError) {
        let lines = text.split(whereSeparator: \.isNewline).map { Self.trimmed($0) }
            .filter { !$0.isEmpty && !$0.hasPrefix("#") }
        guard (1...2).contains(lines.count) else {
            throw .invalid("a secret file has one line, or two during a rotation; this one has \(lines.count)")
        }
        for line in lines {
            guard (WireLimits.secretMinimum...WireLimits.secretMaximum).contains(line.utf8.count) else {
                throw .invalid(
                    "a secret has \(WireLimits.secretMinimum) to \(WireLimits.secretMaximum) characters; "
                        + "make one with: openssl rand -hex 32")
            }
            guard line.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
                throw .invalid("a secret consists of printable ASCII characters without blanks")
            }
        }
        isShort = lines.contains { $0.utf8.count < WireLimits.secretAdvised }
        guard Set(lines).count == lines.count else { throw .invalid("the two secrets are the same") }
        keys = lines.map { Key(secret: Array($0.utf8)) }
    }

    public static let advice =
        "the secret is shorter than \(WireLimits.secretAdvised) characters: make a better one with openssl rand -hex 32"

    /// The secret that signs.
    var current: Key { keys[0] }

    func key(id: String) -> Key? { keys.first { $0.id == id } }

    public var description: String { "SecretRing(\(keys.count))" }

    private static func trimmed(_ line: Substring) -> String {
        var line = line
        while let first = line.first, first.isWhitespace { line.removeFirst() }
        while let last = line.last, last.isWhitespace { line.removeLast() }
        return String(line)
    }
}
