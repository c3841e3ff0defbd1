import HTTP
import Runtime
import Synchronization

/// Prints a run's log until the run has ended, at whichever node answers: when one goes away, another one goes on
/// where it stopped.
struct LogFollower: Sendable {
    let client: APIClient

    /// What has come of the stream of events so far.
    struct Reader: Sendable {
        private var buffer: [UInt8] = []
        private var data: [[UInt8]] = []
        private var event = ""
        /// Of the event that is coming in.
        private var id: String?
        /// Up to which the whole events so far have told the log.
        private(set) var position: String?
        /// The state in which the run ended.
        private(set) var end: String?
        /// Longer lines are no events.
        static let longestLine = 1 << 20

        /// Takes bytes, and returns the lines of the log that are whole now.
        mutating func take(_ bytes: [UInt8]) -> [UInt8] {
            buffer += bytes
            var text: [UInt8] = []
            while let newline = buffer.firstIndex(of: UInt8(ascii: "\n")) {
                let line = Array(buffer[..<newline])
                buffer.removeSubrange(...newline)
                if line.isEmpty { text += dispatch() } else { read(line) }
            }
            if buffer.count > Self.longestLine { buffer.removeAll() }
            return text
        }

        private mutating func read(_ line: [UInt8]) {
            func value(_ name: String) -> [UInt8]? {
                line.starts(with: Array("\(name): ".utf8)) ? Array(line.dropFirst(name.utf8.count + 2)) : nil
            }
            if let value = value("data") {
                data.append(value)
            } else if let value = value("id") {
                id = String(decoding: value, as: UTF8.self)
            } else if let value = value("event") {
                event = String(decoding: value, as: UTF8.self)
            }
        }

        private mutating func dispatch() -> [UInt8] {
            defer {
                data = []
                event = ""
            }
            position = id ?? position
            guard event != "end" else {
                end = data.first.map { String(decoding: $0, as: UTF8.self) } ?? ""
                return []
            }
            return data.flatMap { $0 + [UInt8(ascii: "\n")] }
        }

        /// A connection that broke off in the middle of an event: the next one begins with a whole one.
        mutating func restart() {
            buffer = []
            data = []
            event = ""
            id = nil
        }
    }

    /// - Returns: the state in which the run ended.
    /// - Throws: `APIClient.Failure` when no node answers for as long as the client is patient.
    @discardableResult
    func follow(_ run: String, attempt: Int?) async throws -> String {
        let reader = Mutex(Reader())
        var number = 0
        var brokenSince: MonotonicInstant?
        while true {
            let before = reader.withLock { $0.position }
            do {
                let target = ManagementRoute.log(run, attempt: attempt, follows: true, from: before)
                try await client.stream(target, at: number) { bytes in
                    let lines = reader.withLock { $0.take(bytes) }
                    if !lines.isEmpty { Console.out(bytes: lines) }
                }
                if let end = reader.withLock({ $0.end }) { return end }
            } catch let failure as APIClient.Failure {
                // A refusal is an answer; only where none came, or it broke off, another try may help.
                let isRefusal = failure.status.map { $0 < 500 } ?? false
                let hasMoved = reader.withLock { $0.position } != before
                if hasMoved { brokenSince = nil }
                let now = client.timekeeper.monotonicNow
                let since = brokenSince ?? now
                brokenSince = since
                guard !isRefusal, since.duration(to: now) < client.patience, hasMoved || client.urls.count > 1 else {
                    throw failure
                }
            }
            reader.withLock { $0.restart() }
            number += 1
            try await client.timekeeper.sleep(for: APIClient.shortestPause)
        }
    }
}
