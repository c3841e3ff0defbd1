import Crypto
public import Domain

/// A new key: the text that is shown once, and what is stored of it.
public struct APIKey: Sendable {
    /// Random bytes of a key.
    static let byteCount = 32
    /// Characters of a key: `byteCount` bytes in base64url without padding.
    public static let length = 43
    /// Characters by which a key is looked up. They are no secret: 210 bits remain.
    public static let prefixLength = 8
    /// What a presented key is compared with when its prefix is unknown. No key hashes to it.
    static let hashOfNothing = [UInt8](repeating: 0, count: 32)

    /// The whole key. It is nowhere else and cannot be had again.
    public let secret: String
    public let stored: StoredKey

    /// - Throws: `.invalid` for an unusable title, `.unavailable` when the system has no random bytes.
    public init(title: String, privileges: Set<Privilege>) throws(DomainError) {
        guard !title.isEmpty, title.utf8.count <= Limits.jobName, title.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F })
        else {
            throw .invalid("a key needs a title of 1 to \(Limits.jobName) bytes without control characters")
        }
        var text = ""
        // On a command line one that began with a dash would be taken for an option.
        while text.isEmpty || text.hasPrefix("-") {
            do { text = Base64URL.encode(try RandomBytes.make(Self.byteCount)) } catch {
                throw .unavailable("no key can be made: \(error)")
            }
        }
        secret = text
        stored = StoredKey(
            prefix: String(secret.prefix(Self.prefixLength)), hash: Self.hash(of: secret), title: title,
            privileges: privileges, isActive: true)
    }

    static func hash(of key: String) -> [UInt8] { Digest.sha256(Array(key.utf8)) }

    static func isWellFormed(_ key: String) -> Bool {
        key.utf8.count == length && Base64URL.decode(key)?.count == byteCount
    }
}
