import Domain
import JSON

/// Cronicle's test plugin: takes its time, tells how far it is, and ends as it is told. As a script of its own process,
/// so that limits, abortion and measuring work on it as on any other.
enum TestPlugin {
    /// Parts of the whole after which progress is told, at most.
    private static let steps = 100
    private static let longest: Double = 31_622_400

    static func script(_ parameters: PluginParameters) -> String {
        let seconds = duration(parameters)
        // Not more often than four times a second.
        let count = max(1, min(steps, Int(seconds * 4)))
        let pause = seconds / Double(count)
        let milliseconds = max(1, Int((pause * 1000).rounded()))
        let wait = "sleep \(milliseconds / 1000).\(String(1000 + milliseconds % 1000).dropFirst())"
        let tell =
            parameters.flag("progress")
            ? #"p=$((i * 100 / n)); printf '{"progress":%d.%02d}\n' $((p / 100)) $((p % 100))"# : ":"
        let burn = parameters.flag("burn") ? "dd if=/dev/zero of=/dev/null bs=128M 2>/dev/null &\nburner=$!" : ":"
        return """
            trap 'kill $burner 2>/dev/null; exit 143' TERM
            echo 'This is the test plugin: it takes \(seconds) seconds.'
            \(burn)
            n=\(count); i=0
            while [ $i -lt $n ]; do \(wait) & wait $!; i=$((i + 1)); \(tell); done
            [ -z "$burner" ] || kill $burner
            \(ending(parameters.text("action"), seconds))
            """
    }

    /// `5`, or `5-10` for any time between.
    private static func duration(_ parameters: PluginParameters) -> Double {
        let bounds = parameters.text("duration").split(separator: "-").compactMap { part -> Double? in
            let number = Double(part.filter { !$0.isWhitespace })
            return number.flatMap { $0.isFinite && $0 >= 0 ? min($0, longest) : nil }
        }
        guard let low = bounds.first, let high = bounds.last else { return 0 }
        return low < high ? Double.random(in: low...high) : low
    }

    private static func ending(_ action: String, _ seconds: Double) -> String {
        switch action {
        case "Failure":
            return say([
                "complete": 1, "code": 999, "description": "Simulating an error message here.  Something went wrong!",
                "perf": perf(seconds),
            ])
        case "Crash": return "echo 'Test Crash' >&2; exit 1"
        default:
            return say([
                "complete": 1, "code": 0, "description": "Success!",
                "perf": perf(seconds), "table": table, "html": html,
            ])
        }
    }

    private static func perf(_ seconds: Double) -> JSONValue {
        .string("scale=1&total=\(seconds)&db_query=0.019&db_connect=0.078&log_read=0.094&http_post=0.186")
    }

    private static func say(_ message: JSONObject) -> String {
        let text = JSONValue.object(message).text
        var quoted = ""
        for character in text { quoted += character == "'" ? #"'\''"# : String(character) }
        return "printf '%s\\n' '\(quoted)'"
    }

    private static let table: JSONValue = [
        "title": "Sample Job Stats",
        "header": ["IP Address", "DNS Lookup", "Flag", "Count", "Percentage"],
        "rows": [
            ["192.0.2.7", "host3.example.org", "Example-One", 138, "0.0032%"],
            ["192.0.2.10", "host7.example.org", "Example-Two", 84, "0.0019%"],
            ["192.0.2.2", "host6.example.org", "Example-Three", 20, "0.00046%"],
        ],
        "caption": "This is an example of a table that a task can report.",
    ]

    private static let html: JSONValue = [
        "title": "Sample Job Report",
        "content": "<pre>This is an example of a text report that a task can make; it may be HTML too.</pre>",
        "caption": "This is the caption under the report.",
    ]
}
