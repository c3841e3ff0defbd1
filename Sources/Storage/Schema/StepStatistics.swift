extension Schema {
    /// Durations of a job's last successes without reading its history, and what data jobs count.
    static let statisticsStep = """
        CREATE INDEX run_history_successes ON carillon.run_history (job_id, finished_at DESC) INCLUDE (started_at)
          WHERE state = 'succeeded' AND started_at IS NOT NULL;

        CREATE TABLE carillon.task_progress (
          run_id text NOT NULL,
          attempt int4 NOT NULL,
          elements int8 NOT NULL,
          updated timestamptz NOT NULL,
          PRIMARY KEY (run_id, attempt)
        ) WITH (fillfactor = 70);
        COMMENT ON TABLE carillon.task_progress IS 'Elements that tries of data jobs say they have processed.';

        """
}
