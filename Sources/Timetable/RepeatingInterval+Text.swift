extension RepeatingInterval {
    /// Reads `Rn/start/period`. Throws for what the grammar or calendar.md's rule 7 refuses.
    init(_ text: String, zone: String, created: Instant, zones: some ZoneDatabase) throws(ScheduleError) {
        guard text.utf8.count <= Limits.textLength else {
            throw Self.refusal(text, "it is longer than \(Limits.textLength) characters")
        }
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 3 else { throw Self.refusal(text, "it must have three parts separated by slashes") }
        let repetitions = try Self.repetitions(parts[0], in: text)
        let period = try ISODuration(String(parts[2]))
        try Self.check(period, written: parts[2])
        let named = zone.isEmpty ? nil : try ZoneName.resolve(zone, in: zones, as: .chronos)
        let anchor: Instant
        let local: CivilDateTime
        let rules: ZoneRules
        if parts[1].isEmpty {
            rules = named ?? .utc
            anchor = created
            local = rules.local(at: created)
        } else {
            let start = try StartText(parts[1])
            rules = named ?? .fixed(offsetSeconds: start.offset ?? 0)
            local = start.local
            anchor = rules.resolve(local).chosen
        }
        guard (0..<Limits.horizonMicroseconds).contains(anchor.microseconds) else {
            throw ScheduleError(
                code: .outOfRange,
                message: "the start \(quoted(parts[1].isEmpty ? Substring(created.iso8601) : parts[1])) must lie in the"
                    + " years \(Limits.firstYear)-\(Limits.lastYear)")
        }
        self.init(repetitions: repetitions, anchor: anchor, local: local, period: period, zone: rules)
    }

    private static func refusal(_ text: String, _ reason: String) -> ScheduleError {
        ScheduleError(
            code: .syntax,
            message: "the schedule \(quoted(text)) is not a repeating interval such as"
                + " R5/2026-11-21T22:00:00Z/PT1H: \(reason)")
    }

    private static func repetitions(_ part: Substring, in text: String) throws(ScheduleError) -> Int64? {
        var scanner = TextScanner(part)
        guard scanner.take("R") else { throw refusal(text, "it must begin with a capital R") }
        if scanner.isAtEnd { return nil }
        guard let count = scanner.takeNumber(), scanner.isAtEnd else {
            throw refusal(text, "after R there may only be digits; R alone repeats for ever")
        }
        guard count < Int64.max else {
            throw ScheduleError(
                code: .outOfRange, message: "the count of \(quoted(text)) is too large; R alone repeats for ever")
        }
        return count
    }

    private static func check(_ period: ISODuration, written: Substring) throws(ScheduleError) {
        func refusal(_ reason: String) -> ScheduleError {
            ScheduleError(code: .period, message: "the period \(quoted(written)) \(reason), such as PT1S, PT30M or P1D")
        }
        guard !period.hasNegativePart else { throw refusal("has a negative part; it must go forward") }
        guard period.calendarMonths == 0, period.calendarDays == 0 else { return }
        guard period.elapsedMicroseconds > 0 else { throw refusal("is zero; it must be at least a second") }
        guard period.elapsedMicroseconds >= Limits.shortestPeriod else {
            throw refusal("is too short; it must be at least a second")
        }
    }

    /// See `Schedule.remainingText(after:)`. The next slot of an exhausted schedule is shown too, with `R0`.
    func remainingText(after index: Int64) -> String {
        var next = max(0, min(index, Int64.max - 2 - Int64(dropped.count)) + 1)
        while dropped.contains(next) { next += 1 }
        let due = self.due(next) ?? self.due(lastIndex) ?? anchor
        var writer = TextWriter()
        writer.write("R")
        if let repetitions { writer.write(String(max(0, repetitions - next))) }
        writer.write("/")
        writer.write(zone.local(at: due))
        writer.write(offset: zone.offset(at: due))
        writer.write("/")
        writer.write(period.normalizedText)
        return writer.text
    }
}
