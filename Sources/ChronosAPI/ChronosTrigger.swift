import Domain
import JSON
import Operations
import Timetable

/// What starts a posted job: its schedule or its parents.
///
/// A schedule is an ISO 8601 repeating interval, as Chronos has it, or a cron expression, or in words the fields that
/// another dialect has given the job, as the listing shows them.
struct ChronosTrigger {
    let existing: Job?
    let zones: any ZoneDatabase
    let now: Instant

    func decode(_ body: ChronosBody, as kind: ChronosJobCoding.Kind) throws(DomainError) -> Trigger {
        let schedule = try body.text("schedule")
        let parents = try body.texts("parents")
        let hasSchedule = schedule.map { !$0.allSatisfy(\.isWhitespace) } ?? false
        guard parents.isEmpty || !hasSchedule else {
            throw .invalid(
                "a job has either a schedule, and is posted to …/iso8601, or parents, and is posted to …/dependency:"
                    + " leave one of the two out")
        }
        switch kind {
        case .scheduled:
            guard parents.isEmpty else {
                throw .invalid("a job with parents is posted to …/dependency, not to …/iso8601")
            }
            let text = schedule ?? ChronosJobCoding.onceNow
            if text == ChronosJobCoding.never, existing?.definition.trigger == .manual { return .manual }
            let posted = ScheduleText(
                notation: Self.notation(of: text), text: text, zone: try body.text("scheduleTimeZone") ?? "",
                anchor: now)
            return .schedule(continued(posted) ?? posted)
        case .dependent:
            guard !parents.isEmpty else {
                throw .invalid(
                    hasSchedule
                        ? "a job with a schedule is posted to …/iso8601, not to …/dependency"
                        : "a dependent job needs parents: an array with the name of at least one job")
            }
            // A set in Chronos.
            var seen: Set<String> = []
            return .parents(parents.filter { seen.insert($0).inserted })
        }
    }

    /// No cron expression begins with an R, and no field of one is the name of a list.
    private static func notation(of text: String) -> ScheduleText.Notation {
        if text.hasPrefix("R") { return .iso8601 }
        if (try? MinuteMatrix(text: text)) != nil { return .minutes }  // whatever else it is, it is not that
        let fields = text.split(whereSeparator: { $0 == " " || $0 == "\t" })
        return text.hasPrefix("@") || fields.count == 5 || fields.count == 6 ? .cron : .iso8601
    }

    /// The schedule that the job has already, where what was posted is that, or what a listing showed of its rest.
    ///
    /// A client that reads a job, changes something and posts it back does not want its schedule to begin anew: the
    /// original keeps the day of the month and the occurrences that have been decided meanwhile.
    private func continued(_ posted: ScheduleText) -> ScheduleText? {
        guard let existing, existing.next != nil, case .schedule(let stored) = existing.definition.trigger,
            stored.notation == posted.notation, stored.zone == posted.zone
        else { return nil }
        if stored.text == posted.text { return stored }
        // What cannot be read is for the validator to refuse.
        guard let schedule = try? stored.schedule(zones: zones), let start = try? posted.schedule(zones: zones).anchor,
            let occurrence = schedule.last(atOrBefore: start), occurrence.due == start
        else { return nil }
        return schedule.remainingText(after: occurrence.index - 1) == posted.text ? stored : nil
    }
}
