import Testing

@testable import Timetable

@Suite("Texts from outside")
struct RandomTextTests {
    static let seeds = [
        "R5/2014-10-10T18:32:00.123Z/P1Y2M3W4DT5H6M7.5S", "R/2014-W05-3T18,5+02:00/PT1S", "R//P1D",
        "R99/2014-200T18:32/PT2147483647H", "R/2199-12-31T23:59:59-0700/P1M",
    ]
    static let cronSeeds = ["*/5 1-20/3 L,15 jan-mar,7 mon-fri", "0 30 2 ? * sat-sun", "@daily", "59 23 31 12 7"]
    static let characters = Array("RPTWDHMSYZL0123456789/-+:.,* ?@#é\u{0}")

    static func mutated(_ text: String, _ random: inout SeededGenerator) -> String {
        var characters = Array(text)
        for _ in 0..<Int.random(in: 1...4, using: &random) {
            let place = Int.random(in: 0...characters.count, using: &random)
            let other = Self.characters[Int.random(in: 0..<Self.characters.count, using: &random)]
            switch Int.random(in: 0...2, using: &random) {
            case 0: characters.insert(other, at: place)
            case 1 where place < characters.count: characters.remove(at: place)
            case _ where place < characters.count: characters[place] = other
            default: characters.append(other)
            }
        }
        return String(characters)
    }

    /// What holds for any schedule that was accepted.
    static func check(_ schedule: Schedule, _ text: String) {
        let found = schedule.occurrences(from: 0, through: .distantFuture, limit: 4)
        let middle = Instant(seconds: 4_000_000_000)
        for occurrence in found + [schedule.next(after: middle), schedule.last(atOrBefore: middle)].compactMap(\.self) {
            guard occurrence.index >= 0, (0..<Limits.horizonMicroseconds).contains(occurrence.due.microseconds) else {
                Issue.record("\(text): \(occurrence)")
                continue
            }
            if schedule.last(atOrBefore: occurrence.due) != occurrence { Issue.record("\(text): last(atOrBefore:)") }
            if schedule.count(from: occurrence.index, through: occurrence.index) != 1 { Issue.record("\(text): count") }
            if schedule.remainingText(after: occurrence.index).isEmpty { Issue.record("\(text): remaining text") }
        }
        if let last = schedule.last(atOrBefore: .distantFuture), schedule.next(afterIndex: last.index) != nil {
            Issue.record("\(text): the last occurrence has a successor")
        }
    }

    @Test("damaged texts are refused with a message or give a schedule that agrees with itself")
    func damaged() {
        var random = SeededGenerator(seed: 77)
        var (accepted, refused) = (0, 0)
        for number in 0..<4_000 {
            let isCron = number % 2 == 0
            let seeds = isCron ? Self.cronSeeds : Self.seeds
            let text = Self.mutated(seeds[number / 2 % seeds.count], &random)
            do {
                let zone = number % 3 == 0 ? "Pacific/Apia" : ""
                Self.check(isCron ? try cron(text, zone: zone) : try repeating(text, zone: zone), text)
                accepted += 1
            } catch {
                #expect((error as? ScheduleError)?.message.isEmpty == false)
                refused += 1
            }
        }
        #expect(accepted > 100 && refused > 1_000, "\(accepted) accepted, \(refused) refused")
    }

    @Test("messages repeat only the beginning of a long text")
    func quoting() {
        let error = refusal { try cron(String(repeating: "x", count: 200)) }
        #expect((error?.message.utf8.count ?? 0) > 80)
        #expect((error?.message.utf8.count ?? 1_000) < 300)
    }
}
