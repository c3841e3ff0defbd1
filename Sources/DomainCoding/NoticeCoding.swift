public import Domain
public import JSON
import Timetable

/// Notices, with the run and the try that they tell of.
public enum NoticeCoding {
    public static func text(_ notice: Notice) -> String { encode(notice).text }

    public static func encode(_ notice: Notice) -> JSONValue {
        var object: JSONObject = [
            "kind": .string(notice.kind.rawValue), "job": .string(notice.job.rawValue),
            "definition": .object(JobDefinitionCoding.encode(notice.definition)),
            "reason": .string(notice.reason), "at_us": .integer(notice.at.microseconds),
        ]
        object["run"] = notice.run.map(encode)
        object["record"] = notice.record.map(encode)
        return .object(object)
    }

    public static func decode(_ value: JSONValue) throws(StoreError) -> Notice {
        let fields = try Fields(value, of: "a notice")
        guard let definition = fields["definition"] else { throw StoreError(.data, "a notice has no definition") }
        return Notice(
            kind: try fields.word("kind", else: .runEnded), job: JobID(try fields.string("job", else: "")),
            definition: try JobDefinitionCoding.decode(definition), run: try fields["run"].map(decodeRun),
            record: try fields["record"].map(decodeRecord), reason: try fields.string("reason", else: ""),
            at: try instant(fields, "at_us") ?? .distantPast)
    }

    public static func decodeCounters(_ value: JSONValue) throws(StoreError) -> JobCounters {
        let fields = try Fields(value, of: "the counters of a notice")
        var counters = JobCounters()
        counters.successes = try fields.integer("successes", else: 0)
        counters.errors = try fields.integer("errors", else: 0)
        counters.errorsSinceLastSuccess = try fields.integer("errors_since_success", else: 0)
        counters.lastSuccess = try instant(fields, "last_success_us")
        counters.lastError = try instant(fields, "last_error_us")
        return counters
    }

    private static func encode(_ run: Run) -> JSONValue {
        var object: JSONObject = [
            "id": .string(run.id.rawValue), "version": .integer(run.job.version), "job": .string(run.job.job.rawValue),
            "name": .string(run.jobName), "cause": .string(run.cause.text), "lane": .integer(Int64(run.lane)),
            "due_us": .integer(run.due.microseconds), "arguments": .string(run.adHocArguments),
            "state": .string(run.state.rawValue), "attempt": .integer(Int64(run.attempt)),
            "worker": .string(run.worker), "reason": .string(run.reason),
        ]
        object["started_us"] = run.startedAt.map { .integer($0.microseconds) }
        object["finished_us"] = run.finishedAt.map { .integer($0.microseconds) }
        object["context"] = run.context.map(RunContextCoding.encode)
        return .object(object)
    }

    private static func decodeRun(_ value: JSONValue) throws(StoreError) -> Run {
        let fields = try Fields(value, of: "the run of a notice")
        let cause = try fields.string("cause", else: "")
        guard let cause = Cause(text: cause) else {
            throw StoreError(.data, "the run of a notice has the unknown cause '\(cause)': use a newer carillon")
        }
        return Run(
            id: RunID(try fields.string("id", else: "")),
            job: JobVersion(
                job: JobID(try fields.string("job", else: "")), version: try fields.integer("version", else: 0)),
            jobName: try fields.string("name", else: ""), cause: cause,
            lane: Int(clamping: try fields.integer("lane", else: 0)),
            due: try instant(fields, "due_us") ?? .distantPast,
            adHocArguments: try fields.string("arguments", else: ""), state: try fields.word("state", else: .queued),
            attempt: Int(clamping: try fields.integer("attempt", else: 0)),
            worker: try fields.string("worker", else: ""), startedAt: try instant(fields, "started_us"),
            finishedAt: try instant(fields, "finished_us"), reason: try fields.string("reason", else: ""),
            context: try fields["context"].map(RunContextCoding.decode))
    }

    private static func encode(_ record: AttemptRecord) -> JSONValue {
        var object: JSONObject = [
            "run": .string(record.attempt.run.rawValue), "number": .integer(Int64(record.attempt.number)),
            "worker": .string(record.worker), "finished_us": .integer(record.finishedAt.microseconds),
            "state": .string(record.state.rawValue), "reason": .string(record.reason),
            "output_tail": .string(record.outputTail),
        ]
        object["started_us"] = record.startedAt.map { .integer($0.microseconds) }
        object["exit_code"] = record.exitCode.map { .integer(Int64($0)) }
        object["signal"] = record.signal.map { .integer(Int64($0)) }
        object["details"] = record.details.map(AttemptDetailsCoding.encode)
        return .object(object)
    }

    private static func decodeRecord(_ value: JSONValue) throws(StoreError) -> AttemptRecord {
        let fields = try Fields(value, of: "the try of a notice")
        var record = AttemptRecord(
            attempt: AttemptID(
                run: RunID(try fields.string("run", else: "")),
                number: Int(clamping: try fields.integer("number", else: 0))),
            worker: try fields.string("worker", else: ""), startedAt: try instant(fields, "started_us"),
            finishedAt: try instant(fields, "finished_us") ?? .distantPast,
            state: try fields.word("state", else: .failed), reason: try fields.string("reason", else: ""),
            outputTail: try fields.string("output_tail", else: ""),
            details: try fields["details"].map(AttemptDetailsCoding.decode))
        if fields["exit_code"] != nil { record.exitCode = Int(clamping: try fields.integer("exit_code", else: 0)) }
        if fields["signal"] != nil { record.signal = Int(clamping: try fields.integer("signal", else: 0)) }
        return record
    }

    private static func instant(_ fields: Fields, _ key: String) throws(StoreError) -> Instant? {
        guard fields[key] != nil else { return nil }
        return Instant(microseconds: try fields.integer(key, else: 0))
    }
}
