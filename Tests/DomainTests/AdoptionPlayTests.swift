import Testing
import Timetable

@testable import Domain

@Suite struct AdoptionPlayTests {
    @Test("a new leader goes on with runs in every state")
    func adoption() throws {
        let play = Play { $0.retryDelay = .seconds(30) }
        play.worker("w1")
        for name in ["queued", "offered", "started", "waiting"] {
            try play.job(name) {
                $0.retries = 1
                if name == "queued" { $0.resources.cpus = 100 }
            }
        }
        let waiting = try play.run("waiting")
        play.finish(1)
        let started = try play.run("started")
        play.claim()
        let offered = try play.run("offered")
        let queued = try play.run("queued")
        play.failover()
        #expect(
            play.database.runs.mapValues(\.state) == [
                waiting: .waiting, started: .started, offered: .offered, queued: .queued,
            ])
        // The offer is repeated under the same number, so the worker knows it.
        #expect(play.offers.map(\.offer.attempt) == [AttemptID(run: offered, number: 0)])
        play.finish()
        play.pass(.seconds(30))
        play.finish()
        #expect(play.database.history[waiting]?.state == .succeeded)
        #expect(play.database.history[started]?.state == .succeeded)
        #expect(play.database.history[offered]?.state == .succeeded)
        play.worker("big", cpus: 200)
        play.finish()
        #expect(play.database.history[queued]?.state == .succeeded)
    }

    @Test("a new leader keeps the runs of a job apart, whatever their order")
    func adoptionKeepsOverlap() throws {
        let play = Play()
        play.worker("w1")
        try play.job("a")
        let first = try play.run("a")
        play.claim()
        let second = try play.run("a")
        // The queued one has the earlier due instant.
        let queued = try #require(play.database.runs[second])
        play.database.runs[second] = Run(
            id: queued.id, job: queued.job, jobName: "a", cause: queued.cause,
            due: play.wall.advanced(by: .seconds(-9)),
            state: .queued)
        play.failover()
        #expect(play.database.runs[first]?.state == .started)
        #expect(play.database.runs[second]?.state == .queued)
    }

    @Test("a started run whose worker no leader knows is lost in the end")
    func unknownWorker() throws {
        let play = Play()
        play.worker("w1")
        try play.job("a")
        let id = try play.run("a")
        play.claim()
        play.database.workers = [:]
        play.alive = []
        play.failover()
        play.pass(.seconds(12))
        #expect(play.database.history[id]?.state == .lost)
    }

    @Test("a state that is read anew within an office gives away no identifier twice")
    func identifiersGoOn() throws {
        let play = Play()
        try play.job("a")
        let first = try play.run("a")
        play.state = LeaderState(
            snapshot: play.database.snapshot, term: play.state.term, node: Play.node, policy: play.policy,
            zones: play.zones, now: play.now, continuing: play.state)
        try play.job("b")
        #expect(Set(play.database.jobs.values.map(\.definition.name)) == ["a", "b"])
        let second = try play.run("a")
        #expect(first != second)
    }
}
