import Crypto
public import Domain
import Timetable

/// Finds out who asks, from the key that came with a request.
///
/// A key is looked up by its first characters, which are public, and compared by the hash of the whole, in a time that
/// depends neither on what differs nor on whether the prefix is known. Answers of the store are remembered for a second
/// at most: so long does a withdrawn key keep working.
public actor Authenticator {
    /// How long an answer of the store is good for.
    public static let cacheTime = Duration.seconds(1)
    /// Prefixes remembered, unknown ones included; beyond it all are forgotten.
    static let cacheLimit = 1_024

    private let keys: any KeyReading
    private let clock: any WallClock
    private let anonymous: Principal?
    private var cache: [String: Lookup] = [:]

    /// For tests of the bound.
    var remembered: Int { cache.count }

    private struct Lookup {
        let key: StoredKey?
        let at: Instant
    }

    /// - Parameter anonymous: what may be done without a key; nil: nothing, not even reading.
    public init(keys: any KeyReading, clock: any WallClock, anonymous: Set<Privilege>? = nil) {
        self.keys = keys
        self.clock = clock
        self.anonymous = anonymous.map { Principal(name: "anonymous", privileges: $0) }
    }

    /// - Parameter key: as the client sent it; nil or empty when it sent none. A wrong key is an error even where
    ///   anonymous requests are allowed: its sender believes in a privilege.
    /// - Throws: `DomainError.unauthenticated`, or `.unavailable` when the store does not answer.
    public func principal(key: String?) async throws(DomainError) -> Principal {
        guard let key, !key.isEmpty else {
            guard let anonymous else {
                throw DomainError(.unauthenticated, "this request needs an API key")
            }
            return anonymous
        }
        guard let stored = try await find(key) else { throw DomainError(.unauthenticated, "the API key is not valid") }
        guard stored.isActive else { throw DomainError(.unauthenticated, "the API key has been disabled") }
        return stored.principal
    }

    /// The key, active or not; nil for one that does not exist.
    /// - Throws: `.unavailable` when the store does not answer.
    public func find(_ key: String) async throws(DomainError) -> StoredKey? {
        // What cannot be a key is not worth a question to the store.
        guard APIKey.isPossible(key) else { return nil }
        let hash = APIKey.hash(of: key)
        for prefix in APIKey.lookUps(of: key) {
            let stored = try await lookUp(prefix)
            if constantTimeEqual(hash, stored?.hash ?? APIKey.hashOfNothing) { return stored }
        }
        return nil
    }

    /// What names the key without telling it, for `principal(prefix:hash:)`.
    public func identity(of key: String) async throws(DomainError) -> (prefix: String, hash: [UInt8])? {
        try await find(key).map { ($0.prefix, $0.hash) }
    }

    /// Who sent a request whose key was seen before and kept only as its hash.
    /// - Throws: as above.
    public func principal(prefix: String, hash: [UInt8]) async throws(DomainError) -> Principal {
        let stored = try await lookUp(prefix)
        guard let stored, constantTimeEqual(hash, stored.hash), stored.isActive else {
            throw DomainError(.unauthenticated, "the API key of the stored request is no longer valid")
        }
        return stored.principal
    }

    /// Keys have been changed here: this node asks the store again at once.
    public func forget() { cache.removeAll(keepingCapacity: true) }

    private func lookUp(_ prefix: String) async throws(DomainError) -> StoredKey? {
        let asked = clock.now()
        if let known = cache[prefix], isFresh(known, now: asked) { return known.key }
        let key: StoredKey?
        do { key = try await keys.key(prefix: prefix) } catch { throw DomainError(error) }
        if cache.count >= Self.cacheLimit { cache.removeAll(keepingCapacity: true) }
        // Dated by the question, not by the answer: the answer may be as old as that.
        cache[prefix] = Lookup(key: key, at: asked)
        return key
    }

    /// A clock that was set back makes an answer stale, not eternal.
    private func isFresh(_ lookup: Lookup, now: Instant) -> Bool {
        let age = lookup.at.duration(to: now)
        return age >= .zero && age < Self.cacheTime
    }
}
