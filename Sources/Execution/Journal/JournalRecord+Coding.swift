import Domain
import DomainCoding
import JSON
import Timetable

// Records as JSON texts: an operator can read the file with `strings`.
extension JournalRecord {
    var encoded: [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        switch self {
        case .accepted(let attempts, let term):
            writer.attempts("accepted", attempts)
            writer.term(term)
        case .forgotten(let attempts): writer.attempts("forgotten", attempts)
        case .started(let attempt, let process, let at):
            writer.member("started", attempt.description)
            writer.member("process", Int64(process.process))
            writer.member("startTime", Int64(clamping: process.startTime))
            writer.member("machineBoot", process.machineBoot)
            writer.member("at", at.microseconds)
        case .finished(let report): Self.write(report, &writer)
        case .acknowledged(let attempts): writer.attempts("acknowledged", attempts)
        case .term(let term): writer.term(term)
        case .executed(let attempts): writer.attempts("executed", attempts)
        }
        writer.endObject()
        return writer.bytes
    }

    /// Nil for what is no record: of a later version, or damaged in spite of its checksum.
    init?(decoding bytes: [UInt8]) {
        // The reason does not matter: whatever is no record is skipped.
        guard let value = try? JSONValue(parsing: bytes) else { return nil }
        if let attempts = Self.attempts(value["accepted"]) {
            guard let term = Self.term(value["term"]) else { return nil }
            self = .accepted(attempts, term: term)
        } else if let attempts = Self.attempts(value["forgotten"]) {
            self = .forgotten(attempts)
        } else if let attempts = Self.attempts(value["acknowledged"]) {
            self = .acknowledged(attempts)
        } else if let attempts = Self.attempts(value["executed"]) {
            self = .executed(attempts)
        } else if value["started"] != nil {
            guard let attempt = Self.attempt(value["started"]),
                let process = value["process"]?.int64Value.flatMap(Int32.init(exactly:)),
                let startTime = value["startTime"]?.int64Value.flatMap(UInt64.init(exactly:)),
                let machineBoot = value["machineBoot"]?.stringValue, let at = value["at"]?.int64Value
            else { return nil }
            self = .started(
                attempt,
                process: ProcessIdentity(process: process, startTime: startTime, machineBoot: machineBoot),
                at: Instant(microseconds: at))
        } else if value["finished"] != nil {
            guard let report = Self.report(value) else { return nil }
            self = .finished(report)
        } else if let term = Self.term(value["term"]) {
            self = .term(term)
        } else {
            return nil
        }
    }

    private static func write(_ report: AttemptReport, _ writer: inout JSONWriter) {
        writer.member("finished", report.attempt.description)
        writer.member("worker", report.worker)
        writer.member("boot", report.boot)
        if let started = report.startedAt { writer.member("startedAt", started.microseconds) }
        writer.member("finishedAt", report.finishedAt.microseconds)
        switch report.outcome {
        case .exited(let code): writer.member("exited", Int64(code))
        case .signalled(let number): writer.member("signalled", Int64(number))
        case .timedOut: writer.member("outcome", "timedOut")
        case .exceeded(let limit): writer.member("exceeded", limit.rawValue)
        case .reported(let isSuccess): writer.member("outcome", isSuccess ? "reportedSuccess" : "reportedFailure")
        case .aborted: writer.member("outcome", "aborted")
        case .notStarted: writer.member("outcome", "notStarted")
        case .interrupted: writer.member("outcome", "interrupted")
        }
        writer.member("reason", report.reason)
        writer.member("outputTail", report.outputTail)
        if let details = report.details { writer.member("details", AttemptDetailsCoding.text(details)) }
    }

    private static func report(_ value: JSONValue) -> AttemptReport? {
        guard let attempt = attempt(value["finished"]), let worker = value["worker"]?.stringValue,
            let boot = value["boot"]?.stringValue, let finishedAt = value["finishedAt"]?.int64Value,
            let outcome = outcome(value), let reason = value["reason"]?.stringValue,
            let outputTail = value["outputTail"]?.stringValue
        else { return nil }
        return AttemptReport(
            attempt: attempt, worker: worker, boot: boot,
            startedAt: value["startedAt"]?.int64Value.map { Instant(microseconds: $0) },
            finishedAt: Instant(microseconds: finishedAt), outcome: outcome, reason: reason, outputTail: outputTail,
            details: details(value["details"]))
    }

    /// Details that cannot be read are left out: the end of the try matters more.
    private static func details(_ value: JSONValue?) -> AttemptDetails? {
        guard let text = value?.stringValue, let parsed = try? JSONValue(parsing: Array(text.utf8)) else { return nil }
        return try? AttemptDetailsCoding.decode(parsed)
    }

    private static func outcome(_ value: JSONValue) -> AttemptOutcome? {
        if let code = value["exited"]?.int64Value { return .exited(code: Int(code)) }
        if let number = value["signalled"]?.int64Value { return .signalled(Int(number)) }
        if let word = value["exceeded"]?.stringValue { return ExceededLimit(rawValue: word).map { .exceeded($0) } }
        switch value["outcome"]?.stringValue {
        case "reportedSuccess": return .reported(isSuccess: true)
        case "reportedFailure": return .reported(isSuccess: false)
        case "timedOut": return .timedOut
        case "aborted": return .aborted
        case "notStarted": return .notStarted
        case "interrupted": return .interrupted
        default: return nil
        }
    }

    private static func attempts(_ value: JSONValue?) -> [AttemptID]? {
        guard let items = value?.arrayValue else { return nil }
        let attempts = items.compactMap { attempt($0) }
        return attempts.count == items.count ? attempts : nil
    }

    private static func attempt(_ value: JSONValue?) -> AttemptID? {
        guard let parts = value?.stringValue?.split(separator: "/", omittingEmptySubsequences: false), parts.count == 2,
            !parts[0].isEmpty, let number = Int(parts[1])
        else { return nil }
        return AttemptID(run: RunID(String(parts[0])), number: number)
    }

    private static func term(_ value: JSONValue?) -> Term? {
        guard let parts = value?.arrayValue, parts.count == 2, let timeline = parts[0].int64Value,
            let epoch = parts[1].int64Value
        else { return nil }
        return Term(timeline: timeline, epoch: epoch)
    }
}

extension JSONWriter {
    fileprivate mutating func member(_ name: String, _ value: String) {
        key(name)
        string(value)
    }

    fileprivate mutating func member(_ name: String, _ value: Int64) {
        key(name)
        integer(value)
    }

    fileprivate mutating func attempts(_ name: String, _ attempts: [AttemptID]) {
        key(name)
        beginArray()
        for attempt in attempts { string(attempt.description) }
        endArray()
    }

    fileprivate mutating func term(_ term: Term) {
        key("term")
        beginArray()
        integer(term.timeline)
        integer(term.epoch)
        endArray()
    }
}
