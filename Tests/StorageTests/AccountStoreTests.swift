import Domain
import Storage
import TestSupport
import Testing
import Timetable

@Suite("Users, sessions, keys and activity", .timeLimit(.minutes(3)))
struct AccountStoreTests {
    private let now = Instant(seconds: 1_795_292_057)

    private func jane() -> User {
        var user = User(username: "Jane", created: now)
        user.privileges = #"{"run_events":1,"admin":0,"cat_limit":true,"cat_general":1}"#
        user.password = "hash"
        return user
    }

    @Test("a user is found in any case, is made once, and is granted what is true")
    func users() async throws {
        try await withDatabase { database in
            let store = Stores(pool: database.pool).accounts
            try await store.insert(jane())
            let found = try #require(try await store.user("JANE"))
            #expect(found.username == "Jane")
            #expect(found.granted == ["run_events", "cat_limit", "cat_general"])
            #expect(found.principal.privileges == [.runEvents])
            #expect(found.principal.limits.categories == ["general"])
            await expectStoreError(.conflict) {
                try await store.insert(User(username: "jane", created: now))
            }
            #expect(try await store.userCount() == 1)
            #expect(try await store.delete("jANE"))
            #expect(try await !store.delete("jane"))
        }
    }

    @Test("more wrong passwords in an hour than allowed lock a user, those of another hour do not count")
    func lockOut() async throws {
        try await withDatabase { database in
            let store = Stores(pool: database.pool).accounts
            try await store.insert(jane())
            for _ in 0..<3 { #expect(try await !store.countFailure("jane", hour: 1, limit: 3)) }
            #expect(try await !store.countFailure("jane", hour: 2, limit: 3))
            for _ in 0..<2 { #expect(try await !store.countFailure("jane", hour: 2, limit: 3)) }
            #expect(try await store.countFailure("jane", hour: 2, limit: 3))
            #expect(try await store.user("jane")?.isLocked == true)
            #expect(try await !store.countFailure("nobody", hour: 2, limit: 3))
        }
    }

    @Test("a session ends at its instant, and outlives its user")
    func sessions() async throws {
        try await withDatabase { database in
            let store = Stores(pool: database.pool).accounts
            try await store.insert(jane())
            let session = Session(
                userKey: "jane", address: "::1", userAgent: "test", created: now,
                expires: now.advanced(by: .seconds(60)))
            try await store.insert(session, hash: [1, 2, 3])
            #expect(try await store.session(hash: [1, 2, 3], now: now)?.user?.username == "Jane")
            #expect(try await store.session(hash: [1, 2, 3], now: now.advanced(by: .seconds(60))) == nil)
            #expect(try await store.session(hash: [9], now: now) == nil)
            _ = try await store.delete("jane")
            let orphan = try #require(try await store.session(hash: [1, 2, 3], now: now))
            #expect(orphan.user == nil && orphan.session.userKey == "jane")
            try await store.deleteSession(hash: [1, 2, 3])
            #expect(try await store.session(hash: [1, 2, 3], now: now) == nil)
        }
    }

    @Test("a recovery's token works once, in its time, and so many times an hour")
    func recovery() async throws {
        try await withDatabase { database in
            let store = Stores(pool: database.pool).accounts
            try await store.insert(jane())
            let end = now.advanced(by: .seconds(60))
            #expect(try await store.startRecovery("jane", tokenHash: [1], expires: end, hour: 1, limit: 1))
            #expect(try await !store.startRecovery("jane", tokenHash: [2], expires: end, hour: 1, limit: 1))
            #expect(try await !store.recover("jane", tokenHash: [2], password: "new", now: now))
            #expect(try await !store.recover("jane", tokenHash: [1], password: "new", now: end))
            #expect(try await store.recover("jane", tokenHash: [1], password: "new", now: now))
            #expect(try await store.user("jane")?.password == "new")
            #expect(try await !store.recover("jane", tokenHash: [1], password: "again", now: now))
        }
    }

    @Test("activity is listed newest first")
    func activity() async throws {
        try await withDatabase { database in
            let store = Stores(pool: database.pool).activity
            for text in ["1", "2", "3"] { try await store.append(.init(at: now, text: text)) }
            #expect(try await store.page(offset: 0, limit: 2).map(\.text) == ["3", "2"])
            #expect(try await store.page(offset: 2, limit: 2).map(\.text) == ["1"])
            #expect(try await store.count() == 3)
            try await store.purge(before: .distantPast, keeping: 1)
            #expect(try await store.page(offset: 0, limit: 9).map(\.text) == ["3"])
        }
    }

    @Test("keys are managed by their identifiers, and two are never the same")
    func keys() async throws {
        try await withDatabase { database in
            let store = Stores(pool: database.pool).keys
            var key = StoredKey(prefix: "#aa", hash: [1], title: "chosen", privileges: [.admin], isActive: true)
            key.id = "k1"
            let record = KeyStore.Record(
                key: key, granted: ["admin", "grp_limit"], shown: "…", description: "d", username: "jane",
                fields: "{}", created: now, modified: now)
            try await store.insert(record)
            await expectStoreError(.conflict) { try await store.insert(record) }
            var found = try #require(try await store.record(id: "k1"))
            #expect(found.granted == ["admin", "grp_limit"] && found.key.limits.groups == [])
            #expect(try await store.find(prefix: "#aa")?.principal.owner == "jane")
            found.key.isActive = false
            #expect(try await store.update(found))
            #expect(try await store.find(prefix: "#aa")?.isActive == false)
            #expect(try await store.delete(id: "k1"))
            #expect(try await !store.delete(id: "k1"))
        }
    }
}
