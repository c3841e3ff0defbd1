import Testing
import Timetable

@testable import Domain

/// Occurrences that are not launched: who is told, and what follows.
@Suite struct RefusalPlayTests {
    /// A job of every minute that is told by mail, of which one run is active already.
    private func stage(
        _ change: @escaping (inout JobDefinition) -> Void = { _ in }
    ) throws -> Play {
        let play = Play(at: "2026-01-01T00:00:30Z") { policy in
            policy.notifications.hasMail = true
            policy.notifications.keepsActivity = true
        }
        play.worker("w1")
        try play.job("cleaner")
        try play.job("a", .schedule(text("R/2026-01-01T00:01:00Z/PT1M"))) {
            $0.title = "The A"
            $0.overlap = .skip
            $0.catchUp = .none
            $0.maximumActive = 1
            $0.notifications.mailOnFailure = "ops@x"
            $0.onFailure = "cleaner"
            change(&$0)
        }
        try play.run("a")
        play.claim()
        return play
    }

    private func told(_ play: Play) -> [String] {
        play.database.outbox.filter { $0.notice.kind == .launchRefused }.map {
            "\($0.channel.rawValue):\($0.destination): \($0.notice.reason)"
        }
    }

    @Test("an occurrence for which there is no room is told once, and what follows a failure follows it")
    func refused() throws {
        let play = try stage()
        play.pass(.seconds(40))
        #expect(play.verdicts("a") == [.skipped])
        let reason = "Maximum of 1 job already running for event: The A"
        #expect(told(play) == ["mail:ops@x: \(reason)", "activity:: \(reason)"])
        let next = try #require(play.active("cleaner").first)
        #expect(next.context?.source == "Chain Reaction (The A)")
        let link = try #require(next.context?.chain)
        #expect(link.code == "\"job_launch_failure\"" && link.description == reason && link.run.rawValue.isEmpty)
        play.pass(.seconds(60))
        #expect(told(play).count == 4)
    }

    @Test("an occurrence that a job with full catch-up keeps for later is told once, over other turns as well")
    func held() throws {
        let play = try stage { $0.catchUp = .all }
        play.pass(.seconds(40))
        #expect(play.verdicts("a").isEmpty && told(play).count == 2)
        try play.catalogue(.group(WorkerGroup(id: "g", title: "g", pattern: "x", authorship: Play.authorship)))
        play.pass(.seconds(5))
        #expect(told(play).count == 2)
    }

    @Test("a queue that is full is told so, and a job is not followed by itself")
    func queue() throws {
        let play = try stage {
            $0.overlap = .queue
            $0.queueLimit = 1
            $0.onFailure = "a"
        }
        play.pass(.seconds(40))
        #expect(play.verdicts("a") == [.launched] && told(play).isEmpty)
        play.pass(.seconds(60))
        #expect(told(play).first == "mail:ops@x: Job could not be queued: Event queue reached max of 1 items")
        #expect(play.active("a").count == 2)
    }

    @Test("what a queue has taken stays in it for longer than the minute it was due")
    func patience() throws {
        let play = try stage {
            $0.overlap = .queue
            $0.queueLimit = 10
        }
        play.pass(.seconds(200))
        #expect(play.active("a").filter { $0.state == .queued }.count == 3)
        #expect(play.verdicts("a") == [.launched, .launched, .launched])
    }

    @Test("what is switched off skips occurrences without a word")
    func suspended() throws {
        let play = try stage()
        try play.tell(.setScheduling(isEnabled: false))
        play.pass(.seconds(60))
        #expect(play.verdicts("a") == [.skipped] && told(play).isEmpty)
    }

    @Test("an occurrence that no worker could take in its minute is told as one that was not launched")
    func nowhere() throws {
        let play = try stage { $0.overlap = .allow }
        try play.tell(.drainWorker(name: "w1", isDrained: true))
        play.pass(.seconds(95))
        #expect(told(play).first?.hasPrefix("mail:ops@x: its start window closed") == true)
        #expect(play.active("cleaner").first?.context?.chain?.code == "\"job_launch_failure\"")
        #expect(!play.database.outbox.contains { $0.notice.kind == .runEnded })
    }
}
