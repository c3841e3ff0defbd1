import Domain
import DomainCoding
import PostgresClient
import Timetable

/// Statements on jobs and what hangs on them: versions, eras, edges, counters; and on workers.
enum JobSQL {
    static func put(_ jobs: [Job]) -> Statement {
        Statement(
            putJobs,
            .textArray(jobs.map(\.id.rawValue)),
            .textArray(jobs.map(\.definition.name)),
            .intArray(jobs.map(\.version)),
            .textArray(jobs.map { JobDefinitionCoding.text($0.definition) }),
            .boolArray(jobs.map(\.isEnabled)),
            .textArray(jobs.map(\.disabledReason)),
            .textArray(jobs.map(\.definition.trigger.kind)),
            .intArray(jobs.map(\.decidedThrough)),
            .intArray(jobs.map { $0.next?.index }),
            .timestampArray(jobs.map { $0.next?.due.microseconds }),
            .intArray(jobs.map(\.counters.successes)),
            .intArray(jobs.map(\.counters.errors)),
            .intArray(jobs.map(\.counters.errorsSinceLastSuccess)),
            .timestampArray(jobs.map(\.counters.lastSuccess.microseconds)),
            .timestampArray(jobs.map(\.counters.lastError.microseconds)),
            .timestampArray(jobs.map(\.created.microseconds)),
            .timestampArray(jobs.map(\.modified.microseconds)))
    }

    static func open(_ eras: [ScheduleEra]) -> Statement {
        Statement(
            openEras,
            .textArray(eras.map(\.job.job.rawValue)),
            .intArray(eras.map(\.job.version)),
            .textArray(eras.map(\.jobName)),
            .textArray(eras.map(\.schedule.notation.rawValue)),
            .textArray(eras.map(\.schedule.text)),
            .textArray(eras.map(\.schedule.zone)),
            .timestampArray(eras.map(\.schedule.anchor.microseconds)),
            .intArray(eras.map(\.firstIndex)),
            .timestampArray(eras.map(\.closed.microseconds)))
    }

    static func close(_ eras: [(job: JobVersion, at: Instant)]) -> Statement {
        Statement(
            closeEras, .textArray(eras.map(\.job.job.rawValue)), .intArray(eras.map(\.job.version)),
            .timestampArray(eras.map(\.at.microseconds)))
    }

    static func delete(_ jobs: [JobID]) -> Statement {
        Statement(deleteJobs, .textArray(jobs.map(\.rawValue)))
    }

    static func replaceEdges(_ replaced: [(child: JobID, edges: [Edge])]) -> Statement {
        let edges = replaced.flatMap(\.edges)
        return Statement(
            replaceEdges, .textArray(replaced.map(\.child.rawValue)), .textArray(edges.map(\.parent.rawValue)),
            .textArray(edges.map(\.child.rawValue)), .boolArray(edges.map(\.isSatisfied)))
    }

    static func update(_ edges: [Edge]) -> Statement {
        Statement(
            updateEdges, .textArray(edges.map(\.parent.rawValue)), .textArray(edges.map(\.child.rawValue)),
            .boolArray(edges.map(\.isSatisfied)))
    }

    static func advance(_ advances: [Advance]) -> Statement {
        Statement(
            advanceJobs,
            .textArray(advances.map(\.job.job.rawValue)),
            .intArray(advances.map(\.job.version)),
            .intArray(advances.map(\.decidedThrough)),
            .intArray(advances.map { $0.next?.index }),
            .timestampArray(advances.map { $0.next?.due.microseconds }),
            .int(Int64(advances.count)))
    }

    static func add(_ sums: [TallySum]) -> Statement {
        Statement(
            addTallies,
            .textArray(sums.map(\.job.rawValue)),
            .intArray(sums.map(\.successes)),
            .intArray(sums.map(\.errors)),
            .intArray(sums.map(\.errorsSinceSuccess)),
            .timestampArray(sums.map(\.lastSuccess.microseconds)),
            .timestampArray(sums.map(\.lastError.microseconds)))
    }

    static func disable(_ jobs: [(job: JobVersion, reason: String)]) -> Statement {
        Statement(
            disableJobs, .textArray(jobs.map(\.job.job.rawValue)), .intArray(jobs.map(\.job.version)),
            .textArray(jobs.map(\.reason.withoutNUL)))
    }

    static func put(_ workers: [Worker]) -> Statement {
        let descriptions = workers.map(\.description)
        return Statement(
            putWorkers,
            .textArray(descriptions.map(\.name)),
            .textArray(descriptions.map(\.url)),
            .textArray(descriptions.map(\.boot)),
            .doubleArray(descriptions.map(\.capacity.cpus)),
            .doubleArray(descriptions.map(\.capacity.memory)),
            .doubleArray(descriptions.map(\.capacity.disk)),
            .textArray(descriptions.map { WorkerRow.attributesText($0.attributes) }),
            .textArray(descriptions.map(\.version)),
            .boolArray(workers.map(\.isDrained)),
            .timestampArray(workers.map(\.registered.microseconds)))
    }

    // MARK: SQL

    /// The unique constraint on names does the refusing; the statement replaces by identity only.
    static let putJobs = """
        WITH input AS (
          SELECT i.id, i.name, i.version, i.definition::jsonb AS definition, i.enabled, i.disabled_reason, i.trigger,
                 i.decided_through, i.next_index, i.next_due, i.successes, i.errors, i.errors_since_success,
                 i.last_success, i.last_error, i.created, i.modified
            FROM unnest($1::text[], $2::text[], $3::int8[], $4::text[], $5::bool[], $6::text[], $7::text[], $8::int8[],
                        $9::int8[], $10::timestamptz[], $11::int8[], $12::int8[], $13::int8[], $14::timestamptz[],
                        $15::timestamptz[], $16::timestamptz[], $17::timestamptz[])
              AS i(id, name, version, definition, enabled, disabled_reason, trigger, decided_through, next_index,
                   next_due, successes, errors, errors_since_success, last_success, last_error, created, modified)
        ), superseded AS (
          UPDATE carillon.job_versions v SET superseded = now() FROM input i
           WHERE v.job_id = i.id AND v.version <> i.version AND v.superseded IS NULL
        ), kept AS (
          INSERT INTO carillon.job_versions AS v (job_id, version, definition)
          SELECT i.id, i.version, i.definition FROM input i
          ON CONFLICT (job_id, version) DO UPDATE SET definition = EXCLUDED.definition, superseded = NULL
           WHERE v.definition <> EXCLUDED.definition OR v.superseded IS NOT NULL
        )
        INSERT INTO carillon.jobs (id, name, version, definition, enabled, disabled_reason, trigger, decided_through,
                                   next_index, next_due, successes, errors, errors_since_success, last_success,
                                   last_error, created, modified)
        SELECT i.id, i.name, i.version, i.definition, i.enabled, i.disabled_reason, i.trigger, i.decided_through,
               i.next_index, i.next_due, i.successes, i.errors, i.errors_since_success, i.last_success,
               i.last_error, i.created, i.modified
          FROM input i
        ON CONFLICT (id) DO UPDATE SET
          name = EXCLUDED.name, version = EXCLUDED.version, definition = EXCLUDED.definition,
          enabled = EXCLUDED.enabled, disabled_reason = EXCLUDED.disabled_reason, trigger = EXCLUDED.trigger,
          decided_through = EXCLUDED.decided_through, next_index = EXCLUDED.next_index, next_due = EXCLUDED.next_due,
          successes = EXCLUDED.successes, errors = EXCLUDED.errors,
          errors_since_success = EXCLUDED.errors_since_success, last_success = EXCLUDED.last_success,
          last_error = EXCLUDED.last_error, created = EXCLUDED.created, modified = EXCLUDED.modified
        """

    static let openEras = """
        INSERT INTO carillon.eras (job_id, version, job_name, notation, schedule, zone, anchor, first_index, closed)
        SELECT * FROM unnest($1::text[], $2::int8[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[],
                             $8::int8[], $9::timestamptz[])
        """

    /// An era that is closed stays closed at its first instant.
    static let closeEras = """
        UPDATE carillon.eras e SET closed = i.closed
          FROM unnest($1::text[], $2::int8[], $3::timestamptz[]) AS i(job_id, version, closed)
         WHERE e.job_id = i.job_id AND e.version = i.version AND e.closed IS NULL
        """

    static let deleteJobs = """
        WITH children AS (
          DELETE FROM carillon.edges WHERE child = ANY ($1::text[])
        ), parents AS (
          DELETE FROM carillon.edges WHERE parent = ANY ($1::text[]) AND child <> ALL ($1::text[])
        ), superseded AS (
          UPDATE carillon.job_versions SET superseded = now() WHERE job_id = ANY ($1::text[]) AND superseded IS NULL
        )
        DELETE FROM carillon.jobs WHERE id = ANY ($1::text[])
        """

    /// No row is deleted and inserted by the same statement: which would come first is not defined.
    static let replaceEdges = """
        WITH input AS (
          SELECT * FROM unnest($2::text[], $3::text[], $4::bool[]) AS i(parent, child, satisfied)
        ), gone AS (
          DELETE FROM carillon.edges e WHERE e.child = ANY ($1::text[])
             AND NOT EXISTS (SELECT FROM input i WHERE i.child = e.child AND i.parent = e.parent)
        )
        INSERT INTO carillon.edges (parent, child, satisfied) SELECT i.parent, i.child, i.satisfied FROM input i
        ON CONFLICT (child, parent) DO UPDATE SET satisfied = EXCLUDED.satisfied
        """

    static let updateEdges = """
        UPDATE carillon.edges e SET satisfied = i.satisfied
          FROM unnest($1::text[], $2::text[], $3::bool[]) AS i(parent, child, satisfied)
         WHERE e.child = i.child AND e.parent = i.parent
        """

    /// `decided_through` only grows: an occurrence that has a verdict can get no second one, whoever decides.
    static let advanceJobs = """
        WITH input AS (
          SELECT * FROM unnest($1::text[], $2::int8[], $3::int8[], $4::int8[], $5::timestamptz[])
            AS i(id, version, decided_through, next_index, next_due)
        ), advanced AS (
          UPDATE carillon.jobs j
             SET decided_through = i.decided_through, next_index = i.next_index, next_due = i.next_due
            FROM input i
           WHERE j.id = i.id AND j.version = i.version
             AND (j.decided_through IS NULL OR j.decided_through < i.decided_through)
          RETURNING j.id
        )
        SELECT carillon.expect((SELECT count(*) FROM advanced), $6::int8, 'jobs to advance'
          || \(SQL.missing(from: "advanced")))
        """

    static let addTallies = """
        UPDATE carillon.jobs j
           SET successes = j.successes + i.successes, errors = j.errors + i.errors,
               errors_since_success =
                 CASE WHEN i.successes > 0 THEN 0 ELSE j.errors_since_success END + i.errors_since_success,
               last_success = greatest(j.last_success, i.last_success),
               last_error = greatest(j.last_error, i.last_error)
          FROM unnest($1::text[], $2::int8[], $3::int8[], $4::int8[], $5::timestamptz[], $6::timestamptz[])
            AS i(id, successes, errors, errors_since_success, last_success, last_error)
         WHERE j.id = i.id
        """

    static let disableJobs = """
        UPDATE carillon.jobs j SET enabled = false, disabled_reason = i.reason
          FROM unnest($1::text[], $2::int8[], $3::text[]) AS i(id, version, reason)
         WHERE j.id = i.id AND j.version = i.version
        """

    static let putWorkers = """
        INSERT INTO carillon.workers (name, url, boot, cpus, memory, disk, attributes, version, drained, registered)
        SELECT i.name, i.url, i.boot, i.cpus, i.memory, i.disk, i.attributes::jsonb, i.version, i.drained, i.registered
          FROM unnest($1::text[], $2::text[], $3::text[], $4::float8[], $5::float8[], $6::float8[], $7::text[],
                      $8::text[], $9::bool[], $10::timestamptz[])
            AS i(name, url, boot, cpus, memory, disk, attributes, version, drained, registered)
        ON CONFLICT (name) DO UPDATE SET
          url = EXCLUDED.url, boot = EXCLUDED.boot, cpus = EXCLUDED.cpus, memory = EXCLUDED.memory,
          disk = EXCLUDED.disk, attributes = EXCLUDED.attributes, version = EXCLUDED.version,
          drained = EXCLUDED.drained, registered = EXCLUDED.registered
        """
}

/// Pieces that several statements share.
enum SQL {
    /// Names a few rows of `input` that are not among the changed ones, for the message of a conflict; '' if there are
    /// none.
    static func missing(from changed: String, where condition: String = "true") -> String {
        """
        coalesce(' (not as expected: ' || (SELECT string_agg(m.id, ', ') FROM (
            SELECT i.id FROM input i WHERE \(condition) AND NOT EXISTS (SELECT FROM \(changed) c WHERE c.id = i.id)
             LIMIT \(StorageLimits.namedInConflict)) m) || ')', '')
        """
    }
}
