import Domain
import Synchronization
import Testing
import Timetable

@testable import Operations

/// Keys in memory, and how often one was asked for.
private final class FakeKeys: KeyReading, KeyWriting {
    struct State {
        var keys: [String: StoredKey] = [:]
        var questions = 0
        var failure: StoreError?
        var conflicts = 0
    }
    let state = Mutex(State())
    var questions: Int { state.withLock { $0.questions } }

    func key(prefix: String) async throws(StoreError) -> StoredKey? {
        let result: Result<StoredKey?, StoreError> = state.withLock { state in
            state.questions += 1
            return state.failure.map { .failure($0) } ?? .success(state.keys[prefix])
        }
        return try result.get()
    }

    func insert(_ key: StoredKey) async throws(StoreError) {
        let result: Result<Void, StoreError> = state.withLock { state in
            if state.conflicts > 0 {
                state.conflicts -= 1
                return .failure(StoreError(.conflict, "prefix taken"))
            }
            state.keys[key.prefix] = key
            return .success(())
        }
        try result.get()
    }
}

private final class TestClock: WallClock {
    private let instant = Mutex(Instant.testNow)
    func now() -> Instant { instant.withLock { $0 } }
    func advance(by duration: Duration) { instant.withLock { $0 = $0.advanced(by: duration) } }
}

@Suite("Keys")
struct AuthenticatorTests {
    private let keys = FakeKeys()
    private let clock = TestClock()

    private func authenticator(anonymous: Set<Privilege>? = nil) -> Authenticator {
        Authenticator(keys: keys, clock: clock, anonymous: anonymous)
    }

    private func makeKey(_ privileges: Set<Privilege> = [.runEvents]) async throws -> APIKey {
        try await KeyOperations(writing: keys).create(.admin, title: "test", privileges: privileges)
    }

    private func isRefused(_ authenticator: Authenticator, _ key: String?) async -> Bool {
        do {
            _ = try await authenticator.principal(key: key)
            return false
        } catch {
            return error.code == .unauthenticated
        }
    }

    @Test("a key is 43 characters of base64url, and only its prefix and hash are stored")
    func form() async throws {
        let key = try await makeKey()
        #expect(key.secret.utf8.count == 43)
        #expect(key.secret.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-" || $0 == "_") })
        let stored = try #require(keys.state.withLock { $0.keys[String(key.secret.prefix(8))] })
        #expect(stored.hash.count == 32)
        #expect(stored.isActive && stored.title == "test" && stored.privileges == [.runEvents])
        #expect(try await makeKey().secret != key.secret)
    }

    @Test("a key makes its title and privileges the principal")
    func valid() async throws {
        let key = try await makeKey([.runEvents, .abortEvents])
        let principal = try await authenticator().principal(key: key.secret)
        #expect(principal.name == "test" && principal.privileges == [.runEvents, .abortEvents])
        guard case .key = principal.identity else {
            Issue.record("the principal is no key")
            return
        }
    }

    @Test("whatever is not exactly a key is refused")
    func invalid() async throws {
        let key = try await makeKey().secret
        let authenticator = authenticator()
        let other = try APIKey(title: "x", privileges: [.admin]).secret
        // The prefix is known, the rest is another key's.
        let mixed = String(key.prefix(8) + other.dropFirst(8))
        for wrong in [
            other, mixed, String(key.dropLast()), key + "A", key + "=", "é", "a", " " + key, key.uppercased(),
        ] {
            #expect(await isRefused(authenticator, wrong), "\(wrong)")
        }
        #expect(await isRefused(authenticator, nil))
        #expect(await isRefused(authenticator, ""))
    }

    @Test("what cannot be a key is no question to the store")
    func malformed() async {
        for wrong in ["sh ort", String(repeating: "x", count: 100_000), String(repeating: "*", count: 43)] {
            #expect(await isRefused(authenticator(), wrong))
        }
        #expect(keys.questions == 0)
    }

    @Test("without a key one is anonymous where that is allowed, but a wrong key is wrong there too")
    func anonymous() async throws {
        let open = authenticator(anonymous: [.runEvents])
        #expect(try await open.principal(key: nil) == Principal(name: "anonymous", privileges: [.runEvents]))
        #expect(await isRefused(open, try APIKey(title: "x", privileges: []).secret))
    }

    @Test("the store is asked once a second, and a key that was disabled stops working then")
    func cache() async throws {
        let key = try await makeKey()
        let authenticator = authenticator()
        for _ in 0..<5 { _ = try await authenticator.principal(key: key.secret) }
        #expect(keys.questions == 1)
        keys.state.withLock { $0.keys[key.stored.prefix]?.isActive = false }
        clock.advance(by: .milliseconds(999))
        _ = try await authenticator.principal(key: key.secret)
        clock.advance(by: .milliseconds(1))
        #expect(await isRefused(authenticator, key.secret))
        #expect(keys.questions == 2)
    }

    @Test("a clock that was set back does not keep a key alive")
    func clockSetBack() async throws {
        let key = try await makeKey()
        let authenticator = authenticator()
        _ = try await authenticator.principal(key: key.secret)
        keys.state.withLock { $0.keys = [:] }
        clock.advance(by: .seconds(-3_600))
        #expect(await isRefused(authenticator, key.secret))
    }

    @Test("no key begins with what a command line takes for an option")
    func firstCharacter() throws {
        for _ in 0..<2_000 {
            let key = try APIKey(title: "x", privileges: []).secret
            #expect(!key.hasPrefix("-") && key.utf8.count == APIKey.length)
        }
    }

    @Test("unknown prefixes do not fill the memory")
    func flood() async throws {
        let authenticator = authenticator()
        for _ in 0..<(Authenticator.cacheLimit + 10) {
            #expect(await isRefused(authenticator, try APIKey(title: "x", privileges: []).secret))
        }
        #expect(await authenticator.remembered <= Authenticator.cacheLimit)
    }

    @Test("a store that does not answer makes a key neither valid nor invalid")
    func storeFails() async throws {
        let key = try await makeKey()
        keys.state.withLock { $0.failure = StoreError(.connection, "gone") }
        await #expect { try await authenticator().principal(key: key.secret) } throws: { error in
            (error as? DomainError)?.code == .unavailable
        }
    }

    @Test("making a key needs the privilege of an administrator, a title, and patience with a prefix in use")
    func create() async throws {
        let operations = KeyOperations(writing: keys)
        await #expect(throws: DomainError.self) {
            try await operations.create(.holding(.editEvents), title: "x", privileges: [])
        }
        for title in ["", "a\nb", String(repeating: "x", count: 256)] {
            await #expect(throws: DomainError.self) {
                try await operations.create(.admin, title: title, privileges: [])
            }
        }
        keys.state.withLock { $0.conflicts = 2 }
        _ = try await operations.create(.admin, title: "x", privileges: [])
        keys.state.withLock { $0.conflicts = 3 }
        await #expect { try await operations.create(.admin, title: "x", privileges: []) } throws: { error in
            (error as? DomainError)?.code == .conflict
        }
    }
}
