import Testing
import Timetable

@testable import Domain

/// Timeouts that bound all tries of a run together.
@Suite struct OvertimePlayTests {
    private func stage(delay: Duration, retriesAfterLimit: Bool = false) throws -> Play {
        let play = Play()
        play.worker("w1")
        try play.job("after")
        try play.job("a") {
            $0.timeout = .seconds(60)
            $0.retries = 5
            $0.retryDelay = delay
            $0.retriesAfterLimit = retriesAfterLimit
            $0.onFailure = "after"
        }
        return play
    }

    /// The first try began now and fails after that time.
    private func fail(_ play: Play, after duration: Duration) throws -> RunID {
        let run = try play.run("a")
        play.claim()
        let start = play.wall
        play.pass(duration)
        play.turn([
            .reports([
                AttemptReport(
                    attempt: AttemptID(run: run, number: 0), worker: "w1", boot: "1", startedAt: start,
                    finishedAt: play.wall, outcome: .exited(code: 3), reason: "", outputTail: "")
            ])
        ])
        return run
    }

    @Test("a later try has what the earlier ones and the delays have left, also under the next leader")
    func left() throws {
        let play = try stage(delay: .seconds(10))
        _ = try fail(play, after: .seconds(20))
        play.failover()
        play.pass(.seconds(10))
        #expect(play.offers.last?.offer.timeout == .seconds(30))
        #expect(play.active("a").first?.attempt == 1)
    }

    @Test("a try that would be too late does not begin: the run ends when its time is over")
    func late() throws {
        let play = try stage(delay: .seconds(300))
        let run = try fail(play, after: .seconds(20))
        play.pass(.seconds(39))
        #expect(play.active("a").first?.state == .waiting)
        play.pass(.seconds(2))
        let ended = try #require(play.ended("a").first)
        #expect(ended.id == run && ended.state == .failed && ended.reason == "Exceeded maximum run time (1 minute)")
        #expect(play.active("after").first?.context?.chain?.code == "1")
    }

    @Test("a try that is ended for its time tells that of the whole run")
    func words() throws {
        let play = try stage(delay: .zero)
        let run = try fail(play, after: .seconds(20))
        play.pass(.seconds(1))
        play.claim()
        play.turn([play.report(AttemptID(run: run, number: 1), .timedOut)])
        #expect(play.ended("a").first?.reason == "Exceeded maximum run time (1 minute)")
    }

    @Test("where a timeout is followed by another try it bounds each of them")
    func each() throws {
        let play = try stage(delay: .seconds(10), retriesAfterLimit: true)
        _ = try fail(play, after: .seconds(20))
        play.pass(.seconds(10))
        #expect(play.offers.last?.offer.timeout == .seconds(60))
    }
}
