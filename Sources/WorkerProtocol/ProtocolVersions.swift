/// The versions of the protocol that one side speaks. Each message says them, so that neighbouring releases find the
/// newest one that both know; written `1-2`.
public struct ProtocolVersions: Hashable, Sendable, CustomStringConvertible {
    public let oldest: Int
    public let newest: Int

    /// What this program speaks. A release that changes the meaning of a message speaks the former version as well.
    public static let own = ProtocolVersions(oldest: 1, newest: 1)

    public init(oldest: Int, newest: Int) {
        self.oldest = min(oldest, newest)
        self.newest = max(oldest, newest)
    }

    /// Nil where the text is not of the form that `description` writes.
    public init?(_ text: String) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2, let oldest = Self.number(String(parts[0])), let newest = Self.number(String(parts[1])),
            oldest <= newest
        else { return nil }
        self.init(oldest: oldest, newest: newest)
    }

    public var description: String { "\(oldest)-\(newest)" }

    public func contains(_ version: Int) -> Bool { (oldest...newest).contains(version) }

    /// The newest version that both speak; nil: they cannot talk to each other.
    public func common(with other: ProtocolVersions) -> Int? {
        let version = min(newest, other.newest)
        return version >= max(oldest, other.oldest) ? version : nil
    }

    private static let largest = 1_000_000

    /// One spelling only: a version in other letters would be another message of the same meaning.
    static func number(_ text: String) -> Int? {
        guard let number = Int(text), String(number) == text, (1...largest).contains(number) else { return nil }
        return number
    }
}

/// Which version each peer is spoken to in: the newest of one's own until it says what it speaks.
///
/// What a peer says of itself is not signed where it refuses a message. Whoever forges it brings about another try in a
/// version that both speak, and nothing else.
public struct PeerVersions: Sendable {
    private let own: ProtocolVersions
    private var known: [String: Int] = [:]
    /// Peers that are remembered; a cluster has fewer.
    static let capacity = 10_000

    public init(own: ProtocolVersions = .own) {
        self.own = own
    }

    public func version(for peer: String) -> Int { known[peer] ?? own.newest }

    /// Takes note of what a peer's answer says.
    /// - Parameters:
    ///   - version: of the message that it answered.
    ///   - text: what it speaks; nil: it did not say.
    /// - Returns: the version in which a message that it refused should be sent again; nil: that would be of no use.
    public mutating func answered(by peer: String, to version: Int, speaking text: String?) -> Int? {
        guard let theirs = text.flatMap({ ProtocolVersions($0) }), let common = own.common(with: theirs) else {
            return nil
        }
        if known.count >= Self.capacity, known[peer] == nil { known.removeAll() }
        // The newest of one's own is what is assumed anyway.
        known[peer] = common == own.newest ? nil : common
        return common < version ? common : nil
    }
}
