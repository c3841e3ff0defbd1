import Testing
import Timetable

@testable import Domain

@Suite struct ChancePlayTests {
    @Test("used capacity is the sum of what is held, whatever happens", arguments: 0..<8)
    func chance(seed: UInt64) throws {
        var chance = Seeded(seed)
        let play = Play { $0.retryDelay = .seconds(3) }
        for name in ["w1", "w2", "w3"] { play.worker(name, cpus: 1) }
        for number in 0..<5 {
            try play.job("j\(number)", .schedule(text("R/2026-01-01T00:00:05Z/PT\(number + 3)S"))) {
                $0.overlap = OverlapPolicy.allCases.randomElement(using: &chance) ?? .skip
                $0.startWindow = Bool.random(using: &chance) ? .seconds(4) : nil
                $0.retries = Int.random(in: 0...2, using: &chance)
                $0.resources.cpus = 0.3
            }
        }
        for _ in 0..<150 {
            switch Int.random(in: 0..<12, using: &chance) {
            case 0...2: play.claim()
            case 3: play.answer(nil)
            case 4: play.answer(refused(play, permanent: Bool.random(using: &chance)))
            case 5: play.alive = Set(["w1", "w2", "w3"].filter { _ in Int.random(in: 0..<4, using: &chance) > 0 })
            case 6:
                try play.tell(.killRuns(jobName: "j\(Int.random(in: 0..<5, using: &chance))", includingQueued: true))
            case 7: play.failover()
            case 8: play.worker("w2", cpus: 1, boot: "\(Int.random(in: 1..<3, using: &chance))")
            default: play.finish(Int.random(in: 0...1, using: &chance))
            }
            play.pass(.milliseconds(Int.random(in: 1...2_500, using: &chance)))
        }
        play.alive = ["w1", "w2", "w3"]
        for name in play.alive.sorted() { play.worker(name, cpus: 1) }
        // Whatever was going on, it comes to an end when nothing new begins.
        for number in 0..<5 { try play.tell(.deleteJob(name: "j\(number)")) }
        for _ in 0..<40 {
            play.finish()
            play.pass(.seconds(1))
        }
        #expect(play.database.runs.isEmpty)
        #expect(play.state.runsOfWorker.isEmpty && play.state.runsOfJob.isEmpty)
        for era in play.database.eras.values { try audit(era, of: play) }
    }

    private func refused(_ play: Play, permanent: Bool) -> OfferReply {
        .taken(
            boot: "1",
            refused: play.offers.map { OfferRefusal(attempt: $0.offer.attempt, reason: "no", isPermanent: permanent) })
    }

    /// Each occurrence of the era has exactly one verdict.
    private func audit(_ era: ScheduleEra, of play: Play) throws {
        var audit = try LedgerAudit(
            era, from: .distantPast, through: era.closed ?? play.wall, zones: play.zones)
        let entries = play.database.ledger.filter { $0.job == era.job }.sorted { $0.firstIndex < $1.firstIndex }
        for entry in entries { audit.take(entry) }
        let finding = audit.finish()
        #expect(finding.holes.isEmpty, "\(finding.holes)")
        #expect(finding.expected > 0)
    }
}
