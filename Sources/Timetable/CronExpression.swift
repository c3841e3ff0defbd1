// Cron expressions as crontab(5) of Vixie's cron describes them, with an optional leading field of seconds, `?` for a
// star in the two day fields and `L` for the last day of the month.
//
// Days: when both day fields are restricted, a day that matches either of them is due. A field that begins with a star
// is not restricted, not even `*/2`; that is Vixie's reading, others differ.
extension CalendarFields {
    /// Throws `.syntax`, `.outOfRange` or `.unsupported`.
    init(cron text: String) throws(ScheduleError) {
        guard text.utf8.count <= Limits.textLength else {
            throw ScheduleError(
                code: .syntax, message: "a cron expression has at most \(Limits.textLength) characters")
        }
        var fields = text.split(whereSeparator: { $0 == " " || $0 == "\t" }).map(String.init)
        if let name = fields.first, name.hasPrefix("@") {
            guard fields.count == 1 || name.lowercased() == "@every" else {
                throw CronField.refusal(text, "\(quoted(name)) stands alone")
            }
            fields = try CronField.macro(name, in: text)
        }
        guard fields.count == 5 || fields.count == 6 else {
            let hint = fields.first.map { $0.contains("=") } ?? false ? "; give the time zone in its own field" : ""
            throw CronField.refusal(
                text,
                "it has \(fields.count) fields, not minute, hour, day, month and weekday"
                    + " (or six with leading seconds)\(hint)")
        }
        if fields.count == 6 {
            seconds = try CronField.second.parse(fields.removeFirst(), in: text).mask
        }
        minutes = try CronField.minute.parse(fields[0], in: text).mask
        hours = try CronField.hour.parse(fields[1], in: text).mask
        let day = try CronField.day.parse(fields[2], in: text)
        days = day.mask
        lastDay = day.hasLast
        months = try CronField.month.parse(fields[3], in: text).mask
        let weekday = try CronField.weekday.parse(fields[4], in: text)
        // Bit 7 is Sunday again.
        weekdays = (weekday.mask | weekday.mask >> 7) & 0x7F
        dayRule = day.isStar || weekday.isStar ? .both : .either
    }
}

/// The grammar of one field of a cron expression.
private struct CronField {
    let name: String
    let range: ClosedRange<Int>
    /// Names of the values from the range's lower bound on.
    var names: [String] = []
    var isDay = false

    static let second = CronField(name: "second", range: 0...59)
    static let minute = CronField(name: "minute", range: 0...59)
    static let hour = CronField(name: "hour", range: 0...23)
    static let day = CronField(name: "day of the month", range: 1...31, isDay: true)
    static let month = CronField(
        name: "month", range: 1...12,
        names: ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"])
    static let weekday = CronField(
        name: "weekday", range: 0...7, names: ["sun", "mon", "tue", "wed", "thu", "fri", "sat"], isDay: true)

    struct Value {
        var mask: UInt64 = 0
        var isStar = false
        var hasLast = false
    }

    static func refusal(
        _ text: String, _ reason: String, code: ScheduleError.Code = .syntax
    ) -> ScheduleError {
        ScheduleError(
            code: code, message: "the cron expression \(quoted(text)) is not like \"30 2 * * mon-fri\": \(reason)")
    }

    static func macro(_ name: String, in text: String) throws(ScheduleError) -> [String] {
        switch name.lowercased() {
        case "@yearly", "@annually": return ["0", "0", "1", "1", "*"]
        case "@monthly": return ["0", "0", "1", "*", "*"]
        case "@weekly": return ["0", "0", "*", "*", "0"]
        case "@daily", "@midnight": return ["0", "0", "*", "*", "*"]
        case "@hourly": return ["0", "*", "*", "*", "*"]
        case "@reboot":
            throw refusal(text, "a cluster has no reboot to run after; give a time", code: .unsupported)
        case "@every":
            throw refusal(text, "write a repeating interval such as R//PT90M instead", code: .unsupported)
        default:
            throw refusal(text, "of the names there are @yearly, @monthly, @weekly, @daily and @hourly")
        }
    }

    func parse(_ field: String, in text: String) throws(ScheduleError) -> Value {
        var value = Value(isStar: field.hasPrefix("*") || field == "?")
        for item in field.split(separator: ",", omittingEmptySubsequences: false) {
            if item.uppercased() == "L", name == Self.day.name {
                value.hasLast = true
            } else {
                value.mask |= try mask(of: item, in: text)
            }
        }
        return value
    }

    /// One item of a list: `*`, `?`, `n`, `n-m`, each with `/step`.
    private func mask(of item: Substring, in text: String) throws(ScheduleError) -> UInt64 {
        let parts = item.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count <= 2, let base = parts.first, !base.isEmpty else {
            throw Self.refusal(text, "the \(name) field has an empty or malformed item \(quoted(item))")
        }
        let bounds = try range(of: base, hasStep: parts.count == 2, in: text)
        var step = 1
        if parts.count == 2 {
            guard let number = Self.number(parts[1]), number >= 1, number <= range.upperBound else {
                throw Self.refusal(
                    text, "the step \(quoted(parts[1])) of the \(name) must be in 1-\(range.upperBound)",
                    code: .outOfRange)
            }
            step = number
        }
        return stride(from: bounds.lowerBound, through: bounds.upperBound, by: step)
            .reduce(0) { $0 | 1 << UInt64($1) }
    }

    private func range(
        of base: Substring, hasStep: Bool, in text: String
    ) throws(ScheduleError) -> ClosedRange<Int> {
        // Seven is Sunday again: a star over it would let */7 match Sunday twice, which changes nothing.
        let full = name == Self.weekday.name ? 0...6 : range
        if base == "*" { return full }
        if base == "?" {
            guard isDay else { throw Self.refusal(text, "? is for the two day fields; write * for the \(name)") }
            return full
        }
        let ends = base.split(separator: "-", omittingEmptySubsequences: false)
        guard ends.count <= 2 else { throw Self.refusal(text, "the \(name) \(quoted(base)) is not a range") }
        let low = try value(ends[0], in: text)
        guard ends.count == 2 else { return hasStep ? low...max(low, full.upperBound) : low...low }
        var high = try value(ends[1], in: text)
        // sat-sun
        if high == 0, low > 0, name == Self.weekday.name { high = 7 }
        guard low <= high else {
            throw Self.refusal(
                text,
                "the \(name) range \(quoted(base)) runs backwards; write \(ends[0])-\(full.upperBound),"
                    + "\(full.lowerBound)-\(ends[1])", code: .outOfRange)
        }
        return low...high
    }

    private func value(_ word: Substring, in text: String) throws(ScheduleError) -> Int {
        if let number = Self.number(word) {
            guard range.contains(number) else {
                throw Self.refusal(
                    text, "the \(name) must be in \(range.lowerBound)-\(range.upperBound), \(number) is not",
                    code: .outOfRange)
            }
            return number
        }
        if let index = names.firstIndex(of: word.lowercased()) {
            return index + range.lowerBound
        }
        if word.contains(where: { "LlWw#".contains($0) }) {
            throw Self.refusal(
                text, "of L, W and # only L as a day of the month is known", code: .unsupported)
        }
        throw Self.refusal(text, "\(quoted(word)) is not a \(name)")
    }

    /// Up to nine digits and nothing else.
    private static func number(_ text: Substring) -> Int? {
        var scanner = TextScanner(text)
        guard let digits = scanner.takeDigits(limit: 9), scanner.isAtEnd else { return nil }
        return Int(digits.value)
    }
}
