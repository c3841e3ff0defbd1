import CCrypt
import Glibc

/// Hashes of passwords, as libcrypt makes and checks them: yescrypt for new ones; whatever it knows (bcrypt among it)
/// for those that were imported.
///
/// Both functions take tens of milliseconds and megabytes on purpose: call them on a thread that may block.
public enum PasswordHash {
    /// Bytes of a password. libcrypt takes 512; a longer one is refused rather than cut.
    public static let maximumBytes = 500
    private static let scheme = "$y$"

    /// What a password is compared with where there is no user, so that an answer takes as long as with one: the hash
    /// of a password that nobody knows. Made at the first use.
    public static let ofNobody: String = {
        // Without a random source there is no login either: `make` fails as well.
        let unknown = (try? RandomBytes.make(32)).map(Base64URL.encode) ?? "unknown"
        return make(unknown) ?? scheme
    }()

    /// A new hash with a salt of its own; nil for a password that cannot be hashed, or without a random source.
    public static func make(_ password: String) -> String? {
        guard isPossible(password) else { return nil }
        var setting = [CChar](repeating: 0, count: Int(CRYPT_GENSALT_OUTPUT_SIZE))
        guard crypt_gensalt_rn(scheme, 0, nil, 0, &setting, Int32(setting.count)) != nil else { return nil }
        return hash(password, setting: text(setting))
    }

    /// Whether it is the password of the hash.
    public static func verify(_ password: String, against stored: String) -> Bool {
        guard isPossible(password), let found = hash(password, setting: stored) else { return false }
        return constantTimeEqual(Array(found.utf8), Array(stored.utf8))
    }

    private static func isPossible(_ password: String) -> Bool {
        !password.isEmpty && password.utf8.count <= maximumBytes && !password.utf8.contains(0)
    }

    private static func hash(_ password: String, setting: String) -> String? {
        // 32 KiB: too much for a stack of unknown depth. `crypt_ra` allocates, grows and keeps it for us.
        var memory: UnsafeMutableRawPointer?
        var size: Int32 = 0
        let found = crypt_ra(password, setting, &memory, &size).map { String(cString: $0) }
        if let memory {
            explicit_bzero(memory, Int(size))
            free(memory)
        }
        guard let found, !found.hasPrefix("*") else { return nil }
        return found
    }

    private static func text(_ characters: [CChar]) -> String {
        String(decoding: characters.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
