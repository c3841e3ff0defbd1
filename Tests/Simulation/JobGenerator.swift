import Domain
import Timetable

/// Jobs by chance.
struct JobGenerator {
    func definition(
        _ name: String, parents: [String], now: Instant, _ chance: inout SeededGenerator
    ) -> JobDefinition {
        var job = JobDefinition(name: name)
        job.command = "run \(chance.number(0...2_500)) exit \(chance.happens(0.2) ? 1 : 0)"
        if chance.happens(0.1) { job.command += " stubborn" }
        job.retries = chance.number(0...2)
        job.retryDelay = chance.happens(0.7) ? chance.duration(200...2_000) : nil
        job.timeout = chance.happens(0.2) ? .seconds(chance.number(1...3)) : nil
        job.startWindow = chance.happens(0.5) ? .seconds(chance.number(2...20)) : nil
        job.overlap = chance.pick([.skip, .queue, .allow, .allow])
        job.catchUp = chance.pick([.none, .latest, .all])
        job.highPriority = chance.happens(0.1)
        job.softError = chance.happens(0.2)
        job.resources.cpus = chance.pick([0.1, 0.2, 0.5])
        job.trigger = trigger(parents, now: now, &chance)
        return job
    }

    private func trigger(_ parents: [String], now: Instant, _ chance: inout SeededGenerator) -> Trigger {
        if parents.count > 1, chance.happens(0.2) {
            let first = chance.pick(parents)
            let second = chance.pick(parents)
            return .parents(first == second ? [first] : [first, second])
        }
        if chance.happens(0.1) { return .manual }
        let count = chance.happens(0.5) ? "" : String(chance.number(1...12))
        let start = Instant(milliseconds: now.milliseconds + Int64(chance.number(-2_000...5_000)))
        return .schedule(
            ScheduleText(
                notation: .iso8601, text: "R\(count)/\(start.iso8601)/PT\(chance.number(1...10))S", zone: "",
                anchor: now))
    }
}
