import Foundation
import Synchronization

/// A client that posts a new job to one node again and again, with `curl -L`, each once; it repeats a request only as
/// README.md says: after 503, and where the connection failed.
final class SteadyClient: Sendable {
    struct Outcome {
        /// Jobs whose request was answered 204.
        var acknowledged: [String] = []
        var repetitions = 0
        /// Milliseconds from a request's first try to its acknowledgement, at worst.
        var longest: Int64 = 0
        /// Answers that no client should have got.
        var surprises: [String] = []
    }

    private struct State {
        var outcome = Outcome()
        var isWanted = true
        var isRunning = true
    }

    private let state = Mutex(State())
    /// Between two requests, so that a test's machine has time for other things.
    private static let pauseMicroseconds: UInt32 = 30_000
    private static let seconds = 30.0
    private let repeated: Set<String>

    /// - Parameters:
    ///   - url: of the node, or of what stands before it.
    ///   - repeated: answers after which a request is sent again.
    init(_ name: String, url: String, key: String, repeating repeated: Set<String> = ["503"]) {
        self.repeated = repeated
        Thread.detachNewThread { [self] in
            var number = 0
            while state.withLock({ $0.isWanted }) {
                number += 1
                submit("\(name)-\(number)", url: url, key: key)
                usleep(Self.pauseMicroseconds)
            }
            state.withLock { $0.isRunning = false }
        }
    }

    var acknowledged: Int { state.withLock { $0.outcome.acknowledged.count } }

    /// Ends it, after the request at hand.
    func stop() -> Outcome {
        state.withLock { $0.isWanted = false }
        while state.withLock({ $0.isRunning }) { usleep(5_000) }
        return state.withLock { $0.outcome }
    }

    private func submit(_ job: String, url: String, key: String) {
        let begin = Clock.now
        let end = Date().addingTimeInterval(Self.seconds)
        while true {
            let answer = post(job, url: url, key: key)
            if answer == "204" {
                return state.withLock {
                    $0.outcome.acknowledged.append(job)
                    $0.outcome.longest = max($0.outcome.longest, Clock.now - begin)
                }
            }
            guard repeated.contains(answer) || answer.hasPrefix("connection"), Date() < end else {
                return state.withLock { $0.outcome.surprises.append("\(job): \(answer)") }
            }
            state.withLock { $0.outcome.repetitions += 1 }
            usleep(Self.pauseMicroseconds)
        }
    }

    /// The status, or what curl says.
    private func post(_ job: String, url: String, key: String) -> String {
        let words = [
            "-L", "-sS", "-m", "10", "-X", "POST", "-w", "\n%{http_code}", "-H", "X-API-Key: \(key)", "-H",
            "Content-Type: application/json", "-d",
            #"{"name": "\#(job)", "command": "true", "schedule": "R0//PT1H"}"#, url + "/v1/scheduler/iso8601",
        ]
        do {
            let result = try Executable.run("/usr/bin/curl", words)
            // Could not connect, no answer, sending or receiving failed.
            if [7, 52, 55, 56].contains(result.status) { return "connection: \(result.errors)" }
            let lines = result.output.split(separator: "\n", omittingEmptySubsequences: false)
            guard result.status == 0, let status = lines.last else { return "curl \(result.status): \(result.errors)" }
            return status == "204" || repeated.contains(String(status)) ? String(status) : result.output
        } catch {
            return "\(error)"
        }
    }
}
