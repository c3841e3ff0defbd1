import Foundation
import Synchronization
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
    private let known = Known()

    /// What was read already: a long test has many thousands of lines.
    private final class Known: Sendable {
        struct Contents {
            var entries: [Entry] = []
            var offset: UInt64 = 0
        }
        let contents = Mutex(Contents())
    }

    init(in folder: String) { path = folder + "/starts" }

    /// Appends one line, as a whole.
    var command: String {
        #"echo "$mesos_task_id $CHRONOS_JOB_NAME $CHRONOS_JOB_RUN_TIME $(date +%s%3N) $CHRONOS_JOB_RUN_ATTEMPT" >> "#
            + path
    }

    func entries() throws -> [Entry] {
        try known.contents.withLock { known in
            // Nothing was started yet.
            guard let file = FileHandle(forReadingAtPath: path) else { return [] }
            defer { try? file.close() }  // It was only read.
            try file.seek(toOffset: known.offset)
            let bytes = try file.readToEnd() ?? Data()
            // A line that is being written is read next time.
            guard let end = bytes.lastIndex(of: 10) else { return known.entries }
            let lines = bytes[...end]
            known.offset += UInt64(lines.count)
            known.entries += try lines.split(separator: 10).map(Self.entry)
            return known.entries
        }
    }

    private static func entry(_ line: Data) throws -> Entry {
        let words = line.split(separator: 32).map { String(decoding: $0, as: UTF8.self) }
        guard words.count == 5, let due = Int64(words[2]), let started = Int64(words[3]), let attempt = Int(words[4])
        else { throw Cluster.Failure(description: "'\(String(decoding: line, as: UTF8.self))' is no line of a start") }
        return Entry(taskID: words[0], job: words[1], due: due, started: started, attempt: attempt)
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
