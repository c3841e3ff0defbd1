import PostgresClient
import Runtime

/// Rows that would take hours to make over the API, in the form in which Carillon itself writes them.
enum Filling {
    /// Copies of a job that exists, under other names, titles and identities, with their versions and eras.
    static func copyJob(_ cluster: Cluster, named name: String, count: Int) async throws {
        try await cluster.execute(
            """
            INSERT INTO carillon.jobs (id, name, version, definition, enabled, disabled_reason, trigger,
                decided_through, next_index, next_due, successes, errors, errors_since_success, last_success,
                last_error, created, modified)
              SELECT 'bench' || i, '\(name)-' || i, j.version,
                jsonb_set(jsonb_set(j.definition, '{name}', to_jsonb('\(name)-' || i)), '{title}',
                    to_jsonb(coalesce(j.definition ->> 'title', '') || ' ' || i), false),
                j.enabled, j.disabled_reason, j.trigger, j.decided_through, j.next_index, j.next_due, j.successes,
                j.errors, j.errors_since_success, j.last_success, j.last_error, j.created, j.modified
              FROM carillon.jobs j, generate_series(1, \(count)) i WHERE j.name = '\(name)';
            INSERT INTO carillon.job_versions (job_id, version, definition)
              SELECT id, version, definition FROM carillon.jobs WHERE id LIKE 'bench%';
            INSERT INTO carillon.eras (job_id, version, job_name, notation, schedule, zone, anchor, first_index, closed)
              WITH source AS MATERIALIZED (SELECT * FROM carillon.eras WHERE job_name = '\(name)')
              SELECT j.id, j.version, j.name, e.notation, e.schedule, e.zone, e.anchor, e.first_index, e.closed
                FROM carillon.jobs j, source e WHERE j.id LIKE 'bench%';
            """)
        try await cluster.execute("VACUUM ANALYZE carillon.jobs")
    }

    /// Ended runs of the last month, with their tries and verdicts.
    static func addHistory(_ cluster: Cluster, count: Int) async throws {
        let share = 500_000
        for first in stride(from: 0, to: count, by: share) {
            let rows = min(share, count - first)
            try await cluster.execute(
                """
                INSERT INTO carillon.run_history (id, job_id, job_version, job_name, cause, lane, due, arguments,
                    high_priority, is_last, abort_requested, state, attempt, worker, offered_at, started_at,
                    finished_at, reason)
                SELECT 'bench' || (\(first) + i), 'old' || i % 1000, 1, 'old-' || i % 1000, 's' || (\(first) + i), 0, t,
                       '', false, false, false, 'succeeded', 0, 'worker-1', t, t, t, ''
                  FROM generate_series(1, \(rows)) i, LATERAL (SELECT now() - (\(first) + i) * interval '0.2 s') x(t);
                INSERT INTO carillon.attempts (run_id, number, worker, started_at, finished_at, state, exit_code,
                    signal, reason, output_tail)
                SELECT 'bench' || (\(first) + i), 0, 'worker-1', t, t, 'succeeded', 0, NULL, '', ''
                  FROM generate_series(1, \(rows)) i, LATERAL (SELECT now() - (\(first) + i) * interval '0.2 s') x(t);
                INSERT INTO carillon.ledger (job_id, version, job_name, first_index, last_index, first_due, last_due,
                    count, verdict, reason, run_id, recorded)
                SELECT 'old' || i % 1000, 1, 'old-' || i % 1000, \(first) + i, \(first) + i, t, t, 1, 'launched', '',
                       'bench' || (\(first) + i), t
                  FROM generate_series(1, \(rows)) i, LATERAL (SELECT now() - (\(first) + i) * interval '0.2 s') x(t);
                """)
        }
        try await cluster.execute("VACUUM ANALYZE carillon.run_history")
    }
}
