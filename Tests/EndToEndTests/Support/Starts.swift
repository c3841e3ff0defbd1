import Foundation
import Testing

/// The record that commands themselves keep of when they were started: the only witness that cannot be mistaken.
struct Starts {
    struct Entry: Hashable {
        var taskID: String
        var job: String
        /// Milliseconds since 1970.
        var due: Int64
        var started: Int64
        var attempt: Int
    }

    let path: String

    init(in folder: String) { path = folder + "/starts" }

    /// Appends one line, as a whole.
    var command: String {
        #"echo "$mesos_task_id $CHRONOS_JOB_NAME $CHRONOS_JOB_RUN_TIME $(date +%s%3N) $CHRONOS_JOB_RUN_ATTEMPT" >> "#
            + path
    }

    func entries() throws -> [Entry] {
        // Nothing was started yet.
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { return [] }
        return try text.split(separator: "\n").map { line in
            let words = line.split(separator: " ")
            guard words.count == 5, let due = Int64(words[2]), let started = Int64(words[3]),
                let attempt = Int(words[4])
            else { throw Cluster.Failure(description: "'\(line)' is no line of a start") }
            return Entry(
                taskID: String(words[0]), job: String(words[1]), due: due, started: started, attempt: attempt)
        }
    }

    /// Task ids that stand there more than once.
    func doubles() throws -> [String] {
        Dictionary(grouping: try entries(), by: \.taskID).filter { $0.value.count > 1 }.keys.sorted()
    }
}

/// A job that is due at a fixed grid, and what its ledger must show.
struct Ticking {
    let name: String
    /// Milliseconds since 1970.
    let start: Int64
    let interval: Int64

    func due(_ index: Int64) -> Int64 { start + index * interval }

    /// The last index that is due at or before the instant.
    func lastIndex(at instant: Int64) -> Int64 { instant < start ? -1 : (instant - start) / interval }

    var schedule: String { "R/\(Clock.iso8601(start))/PT\(interval / 1_000)S" }
}

enum Clock {
    /// Milliseconds since 1970.
    static var now: Int64 { Int64((Date().timeIntervalSince1970 * 1_000).rounded(.down)) }

    static func iso8601(_ milliseconds: Int64) -> String {
        let formatter = ISO8601DateFormatter()
        formatter.formatOptions = [.withInternetDateTime, .withFractionalSeconds]
        return formatter.string(from: Date(timeIntervalSince1970: Double(milliseconds) / 1_000))
    }
}
