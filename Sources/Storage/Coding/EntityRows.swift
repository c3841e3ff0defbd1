import Domain
import DomainCoding
import JSON
import PostgresClient
import Timetable

// The columns of each entity, in the order in which it is read, beside the reading itself.

enum JobRow {
    /// Of the table under the alias `j`.
    static let columns = """
        j.id, j.version, j.definition::text, j.enabled, j.disabled_reason, j.decided_through, j.next_index, \
        j.next_due, j.successes, j.errors, j.errors_since_success, j.last_success, j.last_error, j.created, j.modified
        """

    static func read(_ row: inout RowReader) throws -> Job {
        let id = JobID(try row.text())
        let version = try row.integer()
        let definition = try JobDefinitionCoding.decode(try row.json())
        var job = Job(
            id: id, version: version, definition: definition, isEnabled: try row.bool(),
            disabledReason: try row.text(), decidedThrough: try row.optionalInteger(), created: .distantPast,
            modified: .distantPast)
        let index = try row.optionalInteger()
        let due = try row.optionalInstant()
        if let index, let due { job.next = Occurrence(index: index, due: due) }
        job.counters.successes = try row.integer()
        job.counters.errors = try row.integer()
        job.counters.errorsSinceLastSuccess = try row.integer()
        job.counters.lastSuccess = try row.optionalInstant()
        job.counters.lastError = try row.optionalInstant()
        job.created = try row.instant()
        job.modified = try row.instant()
        return job
    }
}

enum RunRow {
    /// Of `runs` or `run_history` under the alias `r`.
    static let columns = """
        r.id, r.job_id, r.job_version, r.job_name, r.cause, r.lane, r.due, r.arguments, r.high_priority, r.is_last, \
        r.abort_requested, r.state, r.attempt, r.not_before, r.start_deadline, r.worker, r.offered_at, \
        r.started_at, r.finished_at, r.reason, r.context::text
        """

    static func read(_ row: inout RowReader) throws -> Run {
        let id = RunID(try row.text())
        let job = JobVersion(job: JobID(try row.text()), version: try row.integer())
        let jobName = try row.text()
        let causeText = try row.text()
        guard let cause = Cause(text: causeText) else {
            throw StoreError(.data, "run \(id) has the unknown cause '\(causeText)': use a newer carillon")
        }
        return Run(
            id: id, job: job, jobName: jobName, cause: cause, lane: try row.int(), due: try row.instant(),
            adHocArguments: try row.text(), isHighPriority: try row.bool(), isLast: try row.bool(),
            isAbortRequested: try row.bool(), state: try row.word(of: RunState.self), attempt: try row.int(),
            notBefore: try row.optionalInstant(),
            startDeadline: try row.optionalInstant(), worker: try row.text(), offeredAt: try row.optionalInstant(),
            startedAt: try row.optionalInstant(), finishedAt: try row.optionalInstant(), reason: try row.text(),
            context: try row.optionalJSON().map(RunContextCoding.decode))
    }
}

enum AttemptRow {
    static let columns = """
        a.run_id, a.number, a.worker, a.started_at, a.finished_at, a.state, a.exit_code, a.signal, a.reason, \
        a.output_tail, a.details::text
        """

    static func read(_ row: inout RowReader) throws -> AttemptRecord {
        AttemptRecord(
            attempt: AttemptID(run: RunID(try row.text()), number: try row.int()), worker: try row.text(),
            startedAt: try row.optionalInstant(), finishedAt: try row.instant(),
            state: try row.word(of: RunState.self), exitCode: try row.optionalInt(), signal: try row.optionalInt(),
            reason: try row.text(), outputTail: try row.text(),
            details: try row.optionalJSON().map(AttemptDetailsCoding.decode))
    }
}

enum EdgeRow {
    static let columns = "e.parent, e.child, e.satisfied"

    static func read(_ row: inout RowReader) throws -> Edge {
        Edge(parent: JobID(try row.text()), child: JobID(try row.text()), isSatisfied: try row.bool())
    }
}

enum WorkerRow {
    static let columns = """
        w.name, w.url, w.boot, w.cpus, w.memory, w.disk, w.attributes::text, w.version, w.drained, w.registered
        """

    static func attributesText(_ attributes: [String: String]) -> String {
        JSONValue.object(JSONObject(attributes.sorted { $0.key < $1.key }.map { ($0.key, .string($0.value)) })).text
    }

    static func read(_ row: inout RowReader) throws -> Worker {
        let name = try row.text()
        let url = try row.text()
        let boot = try row.text()
        let capacity = Resources(cpus: try row.double(), memory: try row.double(), disk: try row.double())
        var attributes: [String: String] = [:]
        for (key, value) in try row.json().objectValue ?? [:] { attributes[key] = value.stringValue }
        let description = WorkerDescription(
            name: name, url: url, boot: boot, capacity: capacity, attributes: attributes, version: try row.text())
        return Worker(description: description, isDrained: try row.bool(), registered: try row.instant())
    }
}

enum LeaderRow {
    static let columns = "l.timeline, l.epoch, l.node, l.url, l.boot, l.resigned"

    /// Nil before the first election.
    static func read(_ row: inout RowReader) throws -> LeaderRecord? {
        let record = LeaderRecord(
            term: Term(timeline: try row.integer(), epoch: try row.integer()), node: try row.text(),
            url: try row.text(), boot: try row.text(), resigned: try row.bool())
        return record.term.epoch == 0 ? nil : record
    }
}

enum EraRow {
    /// Of `eras` under the alias `e`, with `j` where the era ends before it is closed.
    static let columns = """
        e.job_id, e.version, e.job_name, e.notation, e.schedule, e.zone, e.anchor, e.first_index, \
        coalesce(e.closed, j.next_due - interval '1 microsecond')
        """

    static func read(_ row: inout RowReader) throws -> ScheduleEra {
        let job = JobVersion(job: JobID(try row.text()), version: try row.integer())
        let name = try row.text()
        let schedule = ScheduleText(
            notation: try row.word(of: ScheduleText.Notation.self), text: try row.text(), zone: try row.text(),
            anchor: try row.instant())
        return ScheduleEra(
            job: job, jobName: name, schedule: schedule, firstIndex: try row.integer(),
            closed: try row.optionalInstant())
    }
}

enum LedgerRow {
    static let columns = """
        g.job_id, g.version, g.job_name, g.first_index, g.last_index, g.first_due, g.last_due, g.count, g.verdict, \
        g.reason, g.run_id, g.recorded
        """

    static func read(_ row: inout RowReader) throws -> LedgerEntry {
        LedgerEntry(
            job: JobVersion(job: JobID(try row.text()), version: try row.integer()), jobName: try row.text(),
            firstIndex: try row.integer(), lastIndex: try row.integer(), firstDue: try row.instant(),
            lastDue: try row.instant(), count: try row.integer(), verdict: try row.word(of: Verdict.self),
            reason: try row.text(), run: try row.optionalText().map { RunID($0) }, recorded: try row.instant())
    }
}
