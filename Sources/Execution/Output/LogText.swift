import Domain
import Glibc
import JSON
import Timetable

/// The lines that Carillon puts around a try's output, in Cronicle's words (cronicle.md §3.1).
enum LogText {
    static func header(_ order: LaunchOrder, now: Instant) -> String {
        let offer = order.offer
        let title = offer.extras?.plugin?.jobTitle ?? ""
        return """
            # Job ID: \(offer.attempt.run)
            # Event Title: \(oneLine(title.isEmpty ? offer.jobName : title))
            # Hostname: \(oneLine(order.hostName))
            # Date/Time: \(date(now))


            """
    }

    /// The output behind a header that the text begins with.
    static func withoutHeader(_ text: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        guard text.starts(with: "# Job ID: ".utf8) else { return text }
        let newline = UInt8(ascii: "\n")
        let end = text.indices.dropLast().first { text[$0] == newline && text[$0 + 1] == newline }
        return end.map { text[($0 + 2)...] } ?? text
    }

    /// What follows a try that has failed.
    struct Retry {
        /// How many tries may still follow, at least one.
        let left: Int
        /// Seconds until the next one.
        let delay: Int64

        init(left: Int, delay: Int64 = 0) {
            self.left = left
            self.delay = delay
        }

        /// Nil where none follows.
        init?(_ offer: Offer) {
            guard let plugin = offer.extras?.plugin, plugin.retriesLeft > 0 else { return nil }
            // Only shown; the leader knows when the next try is due.
            let kept = (try? JSONValue(parsing: Array(plugin.dialectFields.utf8)))?["cronicle"]
            self.init(left: plugin.retriesLeft, delay: kept?["retry_delay"]?.int64Value ?? 0)
        }

        fileprivate var text: String {
            "# \(left) retries remain" + (delay > 0 ? " (\(Self.short(delay)) delay)" : "")
        }

        /// The two greatest units: `30 sec`, `1 min, 30 sec`, `2 hr`.
        private static func short(_ seconds: Int64) -> String {
            let units: [(name: String, seconds: Int64)] = [("day", 86_400), ("hr", 3_600), ("min", 60), ("sec", 1)]
            guard let first = units.firstIndex(where: { seconds >= $0.seconds }) else { return "0 sec" }
            let text = "\(seconds / units[first].seconds) \(units[first].name)"
            guard first + 1 < units.count else { return text }
            let rest = seconds % units[first].seconds / units[first + 1].seconds
            return rest == 0 ? text : "\(text), \(rest) \(units[first + 1].name)"
        }
    }

    /// - Parameter retry: of a failed try; its log goes on with the next one's then.
    static func footer(
        isSuccess: Bool, code: String? = nil, description: String, retry: Retry? = nil, now: Instant
    ) -> String {
        let description = oneLine(description).trimmingBlanks
        let error = "\(code.map { " \(oneLine($0))" } ?? ""): \(description)"
        if !isSuccess, let retry { return "\n# Job failed with error\(error)\n\(retry.text)\n" }
        var lines = [""]
        if isSuccess {
            lines.append("# Job completed successfully at \(date(now)).")
            if !description.isEmpty { lines.append("# Description: \(description)") }
        } else {
            lines.append("# Job failed at \(date(now)).")
            lines.append("# Error\(error)")
        }
        lines.append("# End of log.")
        return lines.joined(separator: "\n") + "\n"
    }

    /// `2026/11/21 20:14:31 (GMT+0)`, in the machine's own zone.
    static func date(_ instant: Instant) -> String {
        let (stamp, zone) = stampAndZone(instant)
        return "\(stamp) (GMT\(zone))"
    }

    /// `2026/11/21 20:14:31`.
    static func stamp(_ instant: Instant) -> String { stampAndZone(instant).stamp }

    private static func stampAndZone(_ instant: Instant) -> (stamp: String, zone: String) {
        var seconds = time_t(instant.microseconds / 1_000_000)
        var parts = tm()
        localtime_r(&seconds, &parts)
        func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let day = "\(Int(parts.tm_year) + 1900)/\(two(parts.tm_mon + 1))/\(two(parts.tm_mday))"
        let minutes = parts.tm_gmtoff / 60
        let fraction = abs(minutes % 60)
        let hours = "\(minutes < 0 ? "-" : "+")\(abs(minutes / 60))"
        return (
            "\(day) \(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec))",
            fraction == 0 ? hours : "\(hours):\(two(Int32(fraction)))"
        )
    }

    /// A title with a line break in it must not pass for a line of its own.
    private static func oneLine(_ text: String) -> String {
        var line = ""
        for scalar in text.unicodeScalars {
            line.unicodeScalars.append(scalar.properties.generalCategory == .control ? " " : scalar)
        }
        return line
    }
}

extension String {
    fileprivate var trimmingBlanks: String {
        var text = self[...]
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }
}
