import Domain
import DomainCoding
import PostgresClient
import Timetable

/// Statements on runs, tries and the ledger.
enum RunSQL {
    static func begin(_ runs: [Run]) -> Statement {
        Statement(beginRuns, parameters: columns(runs))
    }

    /// In the order of the runs, as claims are: two transactions that lock the same rows must not meet head-on.
    static func update(_ updates: [RunUpdate]) -> Statement {
        let updates = updates.sorted { $0.run.id < $1.run.id }
        let runs = updates.map(\.run)
        return Statement(
            updateRuns,
            .textArray(runs.map(\.id.rawValue)),
            .textArray(runs.map(\.state.rawValue)),
            .intArray(runs.map { Int64($0.attempt) }),
            .timestampArray(runs.map(\.notBefore.microseconds)),
            .timestampArray(runs.map(\.startDeadline.microseconds)),
            .textArray(runs.map(\.worker)),
            .timestampArray(runs.map(\.offeredAt.microseconds)),
            .timestampArray(runs.map(\.startedAt.microseconds)),
            .textArray(runs.map(\.reason.withoutNUL)),
            .boolArray(runs.map(\.isLast)),
            .boolArray(runs.map(\.isAbortRequested)),
            .textArray(updates.map(\.expectation)),
            .intArray(updates.map { Int64($0.expectedAttempt) }),
            .int(Int64(updates.count)))
    }

    static func finish(_ updates: [RunUpdate]) -> Statement {
        let updates = updates.sorted { $0.run.id < $1.run.id }
        return Statement(
            finishRuns,
            parameters: columns(updates.map(\.run)) + [
                .textArray(updates.map(\.expectation)),
                .intArray(updates.map { Int64($0.expectedAttempt) }),
                .int(Int64(updates.count { !$0.expectedStates.isEmpty })),
            ])
    }

    static func record(_ attempts: [AttemptRecord]) -> Statement {
        Statement(
            recordAttempts,
            .textArray(attempts.map(\.attempt.run.rawValue)),
            .intArray(attempts.map { Int64($0.attempt.number) }),
            .textArray(attempts.map(\.worker)),
            .timestampArray(attempts.map(\.startedAt.microseconds)),
            .timestampArray(attempts.map(\.finishedAt.microseconds)),
            .textArray(attempts.map(\.state.rawValue)),
            .intArray(attempts.map { $0.exitCode.map { Int64($0) } }),
            .intArray(attempts.map { $0.signal.map { Int64($0) } }),
            .textArray(attempts.map(\.reason.withoutNUL)),
            .textArray(attempts.map(\.outputTail.withoutNUL)),
            .textArray(attempts.map { $0.details.map(AttemptDetailsCoding.text) }))
    }

    static func record(_ entries: [LedgerEntry]) -> Statement {
        Statement(
            recordLedger,
            .textArray(entries.map(\.job.job.rawValue)),
            .intArray(entries.map(\.job.version)),
            .textArray(entries.map(\.jobName)),
            .intArray(entries.map(\.firstIndex)),
            .intArray(entries.map(\.lastIndex)),
            .timestampArray(entries.map(\.firstDue.microseconds)),
            .timestampArray(entries.map(\.lastDue.microseconds)),
            .intArray(entries.map(\.count)),
            .textArray(entries.map(\.verdict.rawValue)),
            .textArray(entries.map(\.reason.withoutNUL)),
            .textArray(entries.map { $0.run?.rawValue }),
            .timestampArray(entries.map(\.recorded.microseconds)))
    }

    static func revise(_ revised: [(run: RunID, verdict: Verdict, reason: String)]) -> Statement {
        Statement(
            reviseVerdicts, .textArray(revised.map(\.run.rawValue)), .textArray(revised.map(\.verdict.rawValue)),
            .textArray(revised.map(\.reason.withoutNUL)))
    }

    /// The 21 columns of `input`, below.
    private static func columns(_ runs: [Run]) -> [PostgresValue] {
        [
            .textArray(runs.map(\.id.rawValue)),
            .textArray(runs.map(\.job.job.rawValue)),
            .intArray(runs.map(\.job.version)),
            .textArray(runs.map(\.jobName)),
            .textArray(runs.map(\.cause.text)),
            .intArray(runs.map { Int64($0.lane) }),
            .timestampArray(runs.map(\.due.microseconds)),
            .textArray(runs.map(\.adHocArguments)),
            .boolArray(runs.map(\.isHighPriority)),
            .boolArray(runs.map(\.isLast)),
            .boolArray(runs.map(\.isAbortRequested)),
            .textArray(runs.map(\.state.rawValue)),
            .intArray(runs.map { Int64($0.attempt) }),
            .timestampArray(runs.map(\.notBefore.microseconds)),
            .timestampArray(runs.map(\.startDeadline.microseconds)),
            .textArray(runs.map(\.worker)),
            .timestampArray(runs.map(\.offeredAt.microseconds)),
            .timestampArray(runs.map(\.startedAt.microseconds)),
            .timestampArray(runs.map(\.finishedAt.microseconds)),
            .textArray(runs.map(\.reason.withoutNUL)),
            .textArray(runs.map { $0.context.map(RunContextCoding.text) }),
        ]
    }

    // MARK: SQL

    private static let names = """
        id, job_id, job_version, job_name, cause, lane, due, arguments, high_priority, is_last, abort_requested, \
        state, attempt, not_before, start_deadline, worker, offered_at, started_at, finished_at, reason, context
        """

    private static let arrays = """
        $1::text[], $2::text[], $3::int8[], $4::text[], $5::text[], $6::int8[], $7::timestamptz[], $8::text[], \
        $9::bool[], $10::bool[], $11::bool[], $12::text[], $13::int8[], $14::timestamptz[], $15::timestamptz[], \
        $16::text[], $17::timestamptz[], $18::timestamptz[], $19::timestamptz[], $20::text[], \
        $21::text[]
        """

    static let beginRuns = """
        INSERT INTO carillon.runs (\(names))
        SELECT i.id, i.job_id, i.job_version, i.job_name, i.cause, i.lane, i.due, i.arguments, i.high_priority,
               i.is_last, i.abort_requested, i.state, i.attempt, i.not_before, i.start_deadline, i.worker,
               i.offered_at, i.started_at, i.finished_at, i.reason, i.context::jsonb
          FROM unnest(\(arrays)) AS i(\(names))
        """

    /// A new try has been claimed by nobody.
    static let updateRuns = """
        WITH input AS (
          SELECT * FROM unnest($1::text[], $2::text[], $3::int8[], $4::timestamptz[], $5::timestamptz[], $6::text[],
                               $7::timestamptz[], $8::timestamptz[], $9::text[], $10::bool[], $11::bool[], $12::text[],
                               $13::int8[])
            AS i(id, state, attempt, not_before, start_deadline, worker, offered_at, started_at, reason, is_last,
                 abort_requested, expected, expected_attempt)
        ), updated AS (
          UPDATE carillon.runs r
             SET state = i.state, attempt = i.attempt, not_before = i.not_before, start_deadline = i.start_deadline,
                 worker = i.worker, offered_at = i.offered_at, started_at = i.started_at, reason = i.reason,
                 is_last = i.is_last, abort_requested = i.abort_requested,
                 claimed_by_boot =
                   CASE WHEN i.state = 'started' AND i.attempt = r.attempt THEN r.claimed_by_boot END
            FROM input i
           WHERE r.id = i.id AND r.attempt = i.expected_attempt AND r.state = ANY (string_to_array(i.expected, ','))
          RETURNING r.id
        )
        SELECT carillon.expect((SELECT count(*) FROM updated), $14::int8, 'runs to update'
          || \(SQL.missing(from: "updated")))
        """

    /// A run that expects no state was never in the hot table; it must not be there under another identity either.
    static let finishRuns = """
        WITH input AS (
          SELECT * FROM unnest(\(arrays), $22::text[], $23::int8[]) AS i(\(names), expected, expected_attempt)
        ), gone AS (
          DELETE FROM carillon.runs r USING input i
           WHERE r.id = i.id AND r.attempt = i.expected_attempt AND r.state = ANY (string_to_array(i.expected, ','))
          RETURNING r.id, r.claimed_by_boot
        ), moved AS (
          INSERT INTO carillon.run_history (\(names), claimed_by_boot)
          SELECT i.id, i.job_id, i.job_version, i.job_name, i.cause, i.lane, i.due, i.arguments, i.high_priority,
                 i.is_last, i.abort_requested, i.state, i.attempt, i.not_before, i.start_deadline, i.worker,
                 i.offered_at, i.started_at, i.finished_at, i.reason, i.context::jsonb, g.claimed_by_boot
            FROM input i LEFT JOIN gone g ON g.id = i.id
        )
        SELECT carillon.expect((SELECT count(*) FROM gone), $24::int8, 'runs to finish'
                 || \(SQL.missing(from: "gone", where: "i.expected <> ''"))),
               carillon.expect((SELECT count(*) FROM input i JOIN carillon.runs r
                                   ON r.job_id = i.job_id AND r.cause = i.cause AND r.lane = i.lane
                                 WHERE i.expected = ''), 0, 'active runs with the cause of a new one')
        """

    static let recordAttempts = """
        INSERT INTO carillon.attempts (run_id, number, worker, started_at, finished_at, state, exit_code, signal,
                                       reason, output_tail, details)
        SELECT i.run_id, i.number, i.worker, i.started_at, i.finished_at, i.state, i.exit_code, i.signal, i.reason,
               i.output_tail, i.details::jsonb
          FROM unnest($1::text[], $2::int8[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::text[],
                      $7::int8[], $8::int8[], $9::text[], $10::text[], $11::text[])
            AS i(run_id, number, worker, started_at, finished_at, state, exit_code, signal, reason, output_tail,
                 details)
        """

    static let recordLedger = """
        INSERT INTO carillon.ledger (job_id, version, job_name, first_index, last_index, first_due, last_due, count,
                                     verdict, reason, run_id, recorded)
        SELECT * FROM unnest($1::text[], $2::int8[], $3::text[], $4::int8[], $5::int8[], $6::timestamptz[],
                             $7::timestamptz[], $8::int8[], $9::text[], $10::text[], $11::text[], $12::timestamptz[])
        """

    /// Occurrences that were coalesced into the run keep their verdict, which says whose run stood for them.
    static let reviseVerdicts = """
        UPDATE carillon.ledger g SET verdict = i.verdict, reason = i.reason
          FROM unnest($1::text[], $2::text[], $3::text[]) AS i(run_id, verdict, reason)
         WHERE g.run_id = i.run_id AND g.verdict = 'launched'
        """
}

extension RunUpdate {
    /// The states that it expects as one text, for `string_to_array`: an array of arrays must be rectangular.
    fileprivate var expectation: String { expectedStates.map(\.rawValue).joined(separator: ",") }
}
