import Domain
import DomainCoding
import JSON
import Testing
import Timetable

@testable import Storage

@Suite("Outbox")
struct OutboxTests {
    private static func message(_ id: String, _ job: Job, at instant: Instant) -> OutboxMessage {
        OutboxMessage(
            id: id, channel: .webHook, destination: "http://h/\(id)",
            notice: Notice(
                kind: .runEnded, job: job.id, definition: job.definition,
                run: .full("r1", of: job).becoming(.failed), record: .failed("r1", 0, at: instant, tail: "tail\0"),
                reason: "because", at: instant))
    }

    @Test("a notice survives the way to text and back")
    func notices() throws {
        var notice = Self.message("m1", .scheduled("e1"), at: at(5)).notice
        notice.record?.outputTail = "tail"
        var decoded = try NoticeCoding.decode(JSONValue(parsing: Array(NoticeCoding.text(notice).utf8)))
        // What no message shows is not kept of a run.
        #expect(decoded.run?.id == notice.run?.id && decoded.run?.context == notice.run?.context)
        #expect(decoded.run?.startedAt == notice.run?.startedAt && decoded.run?.state == .failed)
        decoded.run = notice.run
        #expect(decoded == notice)
    }

    @Test("a message waits with the counters from before its commit, until it is sent or given up")
    func life() async throws {
        try await withDatabase { database in
            try await database.setTerm(.first)
            let store = PostgresClusterStore(pool: database.pool)
            let stores = Stores(pool: database.pool)
            let job = Job.scheduled("e1")
            var changes = Changes()
            changes.putJobs = [job]
            try await store.commit(.first, changes)
            changes = Changes()
            changes.tallies = [Tally(job: job.id, isSuccess: false, at: at(1))]
            changes.outbox = [Self.message("m1", job, at: at(2)), Self.message("m2", job, at: at(3))]
            try await store.commit(.first, changes)
            #expect(try await stores.outbox.due(now: at(1), limit: 10).isEmpty)
            var waiting = try await stores.outbox.due(now: at(4), limit: 10)
            #expect(waiting.map(\.message.id) == ["m1", "m2"])
            #expect(waiting.map(\.counters.errors) == [0, 0])
            #expect(waiting[0].message.notice.record?.outputTail == "tail\u{FFFD}")
            try await stores.outbox.sent(["m2"])
            try await stores.outbox.failed("m1", error: "no\0", retry: at(9), now: at(4))
            #expect(try await stores.outbox.due(now: at(8), limit: 10).isEmpty)
            waiting = try await stores.outbox.due(now: at(9), limit: 10)
            #expect(waiting.map(\.message.id) == ["m1"] && waiting.first?.tries == 1)
            try await stores.outbox.failed("m1", error: "gone", retry: nil, now: at(10))
            #expect(try await stores.outbox.due(now: at(99), limit: 10).isEmpty)
            #expect(try await stores.outbox.depth() == .init(waiting: 0, buried: 1))
            try await stores.upkeep.maintain(now: at(100), retention: Retention(history: .seconds(50)))
            #expect(try await stores.outbox.depth() == .init(waiting: 0, buried: 0))
        }
    }
}
