import Domain
import Glibc
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

    /// - Parameter retriesLeft: of a failed try, how many may follow it.
    static func footer(
        isSuccess: Bool, code: String? = nil, description: String, retriesLeft: Int = 0, now: Instant
    ) -> String {
        let description = oneLine(description)
        var lines = [""]
        if isSuccess {
            lines.append("# Job completed successfully at \(date(now)).")
            if !description.isEmpty { lines.append("# Description: \(description)") }
        } else {
            lines.append("# Job failed at \(date(now)).")
            lines.append("# Error\(code.map { " \(oneLine($0))" } ?? ""): \(description)")
            if retriesLeft > 0 {
                lines.append("# \(retriesLeft) \(retriesLeft == 1 ? "retry remains" : "retries remain").")
            }
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
