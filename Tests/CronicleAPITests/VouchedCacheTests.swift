import Domain
import Operations
import Synchronization
import Testing
import Timetable

@Suite("What the leader vouches for")
struct VouchedCacheTests {
    private final class Office: LeaderOffice {
        private let mark = Mutex<DefinitionsMark?>(nil)
        var definitionsMark: DefinitionsMark? { mark.withLock { $0 } }
        func vouch(_ generation: UInt64?) {
            mark.withLock {
                $0 = generation.map { DefinitionsMark(term: Term(timeline: 1, epoch: 1), generation: $0) }
            }
        }
        func submit(_ command: LeaderCommand) async throws(DomainError) -> LeaderReply { .done }
    }

    private final class Clock: WallClock {
        private let time = Mutex(Instant(seconds: 1_000))
        func now() -> Instant { time.withLock { $0 } }
        func pass(_ duration: Duration) { time.withLock { $0 = $0.advanced(by: duration) } }
    }

    private let office = Office()
    private let clock = Clock()

    private func cache(limit: Int = 10) -> VouchedCache<String, Int> {
        VouchedCache(office: office, clock: clock, limit: limit)
    }

    @Test("what was read while nothing changed is kept until something does")
    func kept() {
        let cache = cache()
        office.vouch(1)
        let ticket = cache.ticket()
        cache.keep(7, for: "a", ticket)
        #expect(cache.value(for: "a", cache.ticket()) == 7)
        #expect(cache.value(for: "b", cache.ticket()) == nil)
        office.vouch(2)
        #expect(cache.value(for: "a", cache.ticket()) == nil)
    }

    @Test("what was read while something changed is not kept")
    func changed() {
        let cache = cache()
        office.vouch(1)
        let ticket = cache.ticket()
        office.vouch(2)
        cache.keep(7, for: "a", ticket)
        #expect(cache.value(for: "a", cache.ticket()) == nil)
        #expect(cache.value(for: "a", ticket) == nil)
    }

    @Test("where nobody vouches nothing is kept")
    func follower() {
        let cache = cache()
        let ticket = cache.ticket()
        cache.keep(7, for: "a", ticket)
        #expect(cache.value(for: "a", cache.ticket()) == nil)
        office.vouch(1)
        cache.keep(7, for: "a", ticket)
        #expect(cache.value(for: "a", cache.ticket()) == nil)
    }

    @Test("after a second, or when the clock was set back, one of those who ask reads anew")
    func age() {
        let cache = cache()
        office.vouch(1)
        cache.keep(7, for: "a", cache.ticket())
        clock.pass(.milliseconds(999))
        #expect(cache.value(for: "a", cache.ticket()) == 7)
        clock.pass(.milliseconds(1))
        #expect(cache.value(for: "a") == nil)
        #expect(cache.value(for: "a", cache.ticket()) == nil)
        #expect(cache.value(for: "a", cache.ticket()) == 7 && cache.value(for: "a") == 7)
        cache.keep(8, for: "a", cache.ticket())
        clock.pass(.seconds(-5))
        #expect(cache.value(for: "a", cache.ticket()) == nil)
    }

    @Test("no more is kept than the limit says")
    func limit() {
        let cache = cache(limit: 10)
        office.vouch(1)
        cache.keep(1, for: "huge", weight: 11, cache.ticket())
        #expect(cache.value(for: "huge", cache.ticket()) == nil)
        cache.keep(2, for: "a", weight: 6, cache.ticket())
        cache.keep(3, for: "b", weight: 6, cache.ticket())
        #expect(cache.value(for: "a", cache.ticket()) == nil && cache.value(for: "b", cache.ticket()) == 3)
    }
}
