extension Schema {
    /// Logs of ended tries. Their bytes are compressed already, so the server stores them as they are and can give the
    /// length of one without reading it.
    static let stepLogs = """
        CREATE TABLE carillon.run_logs (
          run_id text NOT NULL,
          number int4 NOT NULL,
          finished_at timestamptz NOT NULL,
          total int8 NOT NULL,
          head int8 NOT NULL,
          tail int8 NOT NULL,
          size int8 NOT NULL,
          gzip bytea NOT NULL,
          PRIMARY KEY (run_id, number, finished_at)
        ) PARTITION BY RANGE (finished_at);
        ALTER TABLE carillon.run_logs ALTER COLUMN gzip SET STORAGE EXTERNAL;
        CREATE TABLE carillon.run_logs_default PARTITION OF carillon.run_logs DEFAULT;
        COMMENT ON TABLE carillon.run_logs IS 'Output of ended tries, gzip. Where head < total the middle was cut out.';
        """
}
