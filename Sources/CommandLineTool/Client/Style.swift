import Glibc
import JSON
import Timetable

/// How results look: on a terminal with colours and times as people say them, elsewhere plain and exact, so that what
/// is piped into other programs stays the same.
struct Style: Sendable {
    enum Colour: String, Sendable {
        case red = "31"
        case green = "32"
        case yellow = "33"
        case blue = "36"
        case bold = "1"
    }

    /// Nil: instants are written as they are.
    var now: Instant?
    var hasColours: Bool

    static let plain = Style(now: nil, hasColours: false)

    static func ofThisProcess() -> Style {
        guard isatty(STDOUT_FILENO) == 1 else { return .plain }
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        // https://no-color.org
        let isColourless = getenv("NO_COLOR").map { $0.pointee != 0 } ?? false
        let isDumb = getenv("TERM").map { String(cString: $0) == "dumb" } ?? true
        return Style(now: Instant(seconds: Int64(time.tv_sec)), hasColours: !isColourless && !isDumb)
    }

    func paint(_ text: String, _ colour: Colour?) -> String {
        guard hasColours, let colour else { return text }
        return "\u{1B}[\(colour.rawValue)m\(text)\u{1B}[0m"
    }

    /// What the words of states mean to whoever looks at a table.
    static func colour(of word: String) -> Colour? {
        switch word {
        case "succeeded", "success", "up", "launched", "ok": .green
        case "failed", "failure", "lost", "missed", "aborted", "silent", "error", "no leader": .red
        case "queued", "offered", "waiting", "draining", "skipped", "coalesced", "warning": .yellow
        case "started": .blue
        default: nil
        }
    }

    /// An instant as people say it, or as it is written.
    func when(_ value: JSONValue?) -> String {
        let text = ManagementTable.text(value)
        guard let now, let instant = Instant(iso8601: text) else { return text }
        return Self.relative(instant, now: now)
    }

    /// "3 min ago", "in 2 h"; the two largest units of what is far away.
    static func relative(_ instant: Instant, now: Instant) -> String {
        let (distance, overflows) = instant.seconds.subtractingReportingOverflow(now.seconds)
        guard !overflows else { return instant.iso8601 }
        if distance == 0 { return "now" }
        let text = length(distance.magnitude)
        return distance > 0 ? "in \(text)" : "\(text) ago"
    }

    static func length(_ seconds: UInt64) -> String {
        let units: [(UInt64, String)] = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")]
        guard let first = units.firstIndex(where: { seconds >= $0.0 }) else { return "0 s" }
        var text = "\(seconds / units[first].0) \(units[first].1)"
        let rest = seconds % units[first].0
        if first + 1 < units.count, rest / units[first + 1].0 > 0, first != 0 || seconds < 10 * 86_400 {
            text += " \(rest / units[first + 1].0) \(units[first + 1].1)"
        }
        return text
    }
}

/// What long work says of itself, on a terminal alone: a line that is written over and over.
final class Progress: Sendable {
    private let what: String
    private let isShown = isatty(STDERR_FILENO) == 1

    init(_ what: String) { self.what = what }

    /// - Parameter total: nil: not known.
    func show(_ done: Int, of total: Int? = nil) {
        guard isShown else { return }
        Console.error(bytes: Array("\r\u{1B}[K\(Self.text(what, done, of: total))".utf8))
    }

    func end() {
        guard isShown else { return }
        Console.error(bytes: Array("\r\u{1B}[K".utf8))
    }

    static let width = 30

    static func text(_ what: String, _ done: Int, of total: Int?) -> String {
        guard let total, total > 0 else { return "\(what): \(done)" }
        let share = min(1, max(0, Double(done) / Double(total)))
        let filled = Int(share * Double(width))
        let bar = String(repeating: "#", count: filled) + String(repeating: "-", count: width - filled)
        return "\(what) [\(bar)] \(done)/\(total)"
    }
}
