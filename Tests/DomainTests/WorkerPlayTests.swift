import Testing
import Timetable

@testable import Domain

@Suite struct WorkerPlayTests {
    @Test("runs of a worker that falls silent are lost and repeated; its late result stands in history too")
    func lost() throws {
        let play = Play { $0.retryDelay = .seconds(1) }
        play.worker("w1")
        try play.job("a") { $0.retries = 1 }
        let id = try play.run("a")
        play.claim()
        play.pass(.seconds(20))
        #expect(play.database.runs[id]?.state == .started)
        play.alive = []
        play.pass(.seconds(13))
        #expect(play.database.runs[id]?.attempt == 1)
        #expect(play.database.attempts.map(\.state) == [.lost])
        play.turn([play.report(AttemptID(run: id, number: 0), .exited(code: 0))])
        play.turn([play.report(AttemptID(run: id, number: 0), .exited(code: 0))])
        #expect(play.database.attempts.map(\.state) == [.lost, .succeeded])
        #expect(play.database.runs[id]?.attempt == 1)
        // It is back: its silence is watched again.
        play.alive = ["w1"]
        play.pass(.seconds(2))
        play.claim()
        play.alive = []
        play.pass(.seconds(14))
        #expect(play.database.history[id]?.state == .lost)
        #expect(play.named("a")?.counters.errors == 1)
    }

    @Test("a started try that its worker twice does not name is lost")
    func forgotten() throws {
        let play = Play()
        play.worker("w1")
        try play.job("a")
        let id = try play.run("a")
        play.claim()
        play.alive = []
        let empty = WorkerHeartbeat(worker: "w1", boot: "1", held: [], freeDisk: 1)
        play.turn([.heartbeat(empty)])
        play.pass(.seconds(5))
        play.turn([.heartbeat(empty)])
        #expect(play.database.runs[id] != nil)
        play.turn([.heartbeat(empty)])
        #expect(play.database.history[id]?.state == .lost)
    }

    @Test("a worker that was started anew must register, and loses what it does not know")
    func reboot() throws {
        let play = Play()
        play.worker("w1")
        try play.job("a")
        let id = try play.run("a")
        play.claim()
        guard case .heartbeat(let reply) = try play.tell(.heartbeat(play.beat("w1", boot: "2"))) else { return }
        #expect(reply.mustRegister)
        play.worker("w1", boot: "2")
        play.alive = []
        play.pass(.seconds(5))
        let empty = WorkerHeartbeat(worker: "w1", boot: "2", held: [], freeDisk: 1)
        play.turn([.heartbeat(empty)])
        play.turn([.heartbeat(empty)])
        #expect(play.database.history[id]?.state == .lost)
    }

    @Test("a claim that only the heartbeat tells of is believed")
    func claimedElsewhere() throws {
        let play = Play()
        play.worker("w1")
        try play.job("a")
        let id = try play.run("a")
        let isGranted = play.database.claim(AttemptID(run: id, number: 0), by: "w1", at: play.wall)
        #expect(isGranted)
        play.pass(.seconds(10))
        #expect(play.state.runs[id]?.run.state == .started)
        #expect(play.database.runs[id]?.state == .started)
    }

    private func refused(_ play: Play, permanent: Bool) -> OfferReply {
        .taken(
            boot: "1",
            refused: play.offers.map { OfferRefusal(attempt: $0.offer.attempt, reason: "no", isPermanent: permanent) })
    }

    @Test("a try that was refused for now is offered again after a pause")
    func refusedForNow() throws {
        let play = Play()
        play.worker("w1")
        try play.job("a")
        let id = try play.run("a")
        play.answer(refused(play, permanent: false))
        #expect(play.database.runs[id]?.state == .queued)
        play.pass(.seconds(1))
        #expect(play.database.runs[id]?.state == .offered)
    }

    @Test("a try that every worker refuses for good fails with their word")
    func refusedForGood() throws {
        let play = Play()
        play.worker("w1")
        play.worker("w2")
        try play.job("a")
        let id = try play.run("a")
        play.answer(refused(play, permanent: true))
        #expect(play.database.runs[id]?.state == .offered)
        play.answer(refused(play, permanent: true))
        #expect(play.database.history[id]?.state == .failed)
        #expect(play.database.history[id]?.reason.contains("refused it: no") == true)
    }

    @Test("a refusal for good is no failure while another worker is only silent for a moment")
    func refusedWhileOtherIsAway() throws {
        let play = Play()
        play.worker("w1")
        play.worker("w2", cpus: 1)
        play.alive = ["w1"]
        play.pass(.seconds(5))
        try play.job("a")
        try play.job("b")
        let id = try play.run("a")
        play.answer(refused(play, permanent: true))
        #expect(play.database.runs[id]?.state == .queued)
        // It does not keep others of its shape waiting.
        let other = try play.run("b")
        #expect(play.database.runs[other]?.state == .offered)
        play.alive = ["w1", "w2"]
        play.pass(.seconds(1))
        #expect(play.database.runs[id]?.worker == "w2")
    }

    @Test("a drained worker gets nothing new, keeps what it has, and gets again after")
    func drain() throws {
        let play = Play()
        play.worker("w1")
        try play.job("a") { $0.overlap = .allow }
        let first = try play.run("a")
        play.claim()
        try play.tell(.drainWorker(name: "w1", isDrained: true))
        let second = try play.run("a")
        #expect(play.database.runs[second]?.state == .queued)
        let reason = play.state.explanation(of: second)
        #expect(reason == "every worker that could take it takes nothing now: w1 is drained")
        play.turn([play.report(AttemptID(run: first, number: 0), .exited(code: 0))])
        #expect(play.database.history[first]?.state == .succeeded)
        try play.tell(.drainWorker(name: "w1", isDrained: false))
        #expect(play.database.runs[second]?.state == .offered)
        #expect(throws: DomainError.self) { try play.tell(.drainWorker(name: "w9", isDrained: true)) }
    }
}
