extension MinuteMatrix {
    /// Reads what `description` writes: `every minute`, or names of fields each followed by its values, such as
    /// `hours 2,14 minutes 30`.
    ///
    /// - Throws: `ScheduleError` naming the part that is wrong.
    public init(text: String) throws(ScheduleError) {
        var lists: [String: [Int]] = [:]
        if text != "every minute" {
            let words = text.split(separator: " ").map(String.init)
            guard words.count.isMultiple(of: 2), !words.isEmpty else {
                throw Self.malformed(text)
            }
            for index in stride(from: 0, to: words.count, by: 2) {
                let values = words[index + 1].split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
                guard Self.fieldNames.contains(words[index]), lists[words[index]] == nil, !values.contains(nil) else {
                    throw Self.malformed(text)
                }
                lists[words[index]] = values.compactMap { $0 }
            }
        }
        try self.init(
            years: lists["years"] ?? [], months: lists["months"] ?? [], days: lists["days"] ?? [],
            weekdays: lists["weekdays"] ?? [], hours: lists["hours"] ?? [], minutes: lists["minutes"] ?? [])
    }

    private static let fieldNames = ["years", "months", "days", "weekdays", "hours", "minutes"]

    private static func malformed(_ text: String) -> ScheduleError {
        ScheduleError(
            code: .syntax,
            message: "'\(text)' is not a minute matrix: write 'every minute', or such as 'hours 2,14 minutes 30'")
    }
}
