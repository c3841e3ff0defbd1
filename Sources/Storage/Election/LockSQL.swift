/// Statements on the election's lock and on the leader's row.
enum LockSQL {
    /// Rows of `pg_locks` that are holders of the election's lock in this database.
    private static let holders = """
        SELECT FROM pg_catalog.pg_locks k
         WHERE k.locktype = 'advisory' AND k.granted AND k.objsubid = 2
           AND k.classid = \(Schema.lockSpace) AND k.objid = \(Schema.leaderLock)
           AND k.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = current_database())
        """

    /// Whether anybody holds the lock.
    static let isHeld = "EXISTS (\(holders))"

    /// Whether this very session does.
    static let isOwn = "EXISTS (\(holders) AND k.pid = pg_backend_pid())"

    /// `pg_control_checkpoint()` would still show the old timeline after a promotion, until the next checkpoint.
    private static let timeline = """
        CASE WHEN pg_is_in_recovery() THEN 0
        ELSE ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int8 END
        """

    /// The look at `pg_locks` depends on the outcome, so that it comes after the attempt. A session that holds the lock
    /// already does not take it a second time.
    static let attempt = """
        WITH attempt AS MATERIALIZED (
          SELECT CASE WHEN \(isOwn) THEN true
                 ELSE pg_try_advisory_lock(\(Schema.lockSpace), \(Schema.leaderLock)) END AS won
        )
        SELECT t.won,
               EXISTS (\(holders) AND k.pid = pg_backend_pid() AND t.won IS NOT NULL),
               EXISTS (\(holders) AND t.won IS NOT NULL),
               pg_backend_pid()::int8, clock_timestamp(),
               \(LeaderRow.columns)
          FROM attempt t JOIN carillon.leadership l ON l.id = 1
        """

    /// What `attempt` shows, without trying.
    static let look = """
        SELECT \(isOwn), \(isOwn), \(isHeld), pg_backend_pid()::int8, clock_timestamp(), \(LeaderRow.columns)
          FROM carillon.leadership l WHERE l.id = 1
        """

    static let takeOffice = """
        UPDATE carillon.leadership l
           SET epoch = l.epoch + 1, timeline = \(timeline), node = $1::text, url = $2::text, boot = $3::text,
               session_name = $4::text, backend_pid = pg_backend_pid(), resigned = false, elected = clock_timestamp()
         WHERE l.id = 1 AND \(isOwn)
        RETURNING l.timeline, l.epoch
        """

    static let heartbeat = """
        SELECT \(timeline), l.epoch, \(isOwn), pg_is_in_recovery() OR current_setting('transaction_read_only')::bool,
               clock_timestamp()
          FROM carillon.leadership l WHERE l.id = 1
        """

    static let resign = """
        UPDATE carillon.leadership l SET resigned = true
         WHERE l.id = 1 AND l.timeline = $1::int8 AND l.epoch = $2::int8 AND l.boot = $3::text
        """

    /// Any role may end sessions of its own.
    static let evict = """
        SELECT count(pg_terminate_backend(a.pid))
          FROM carillon.leadership l
          JOIN pg_catalog.pg_stat_activity a
            ON a.application_name = l.session_name AND a.datname = current_database() AND a.usename = current_user
         WHERE l.id = 1 AND l.session_name <> '' AND a.pid <> pg_backend_pid()
        """

    /// Settings in milliseconds, as the session really has them.
    static let facts = """
        SELECT pg_backend_pid()::int8, current_setting('server_version_num')::int8, pg_is_in_recovery(),
               (SELECT coalesce(string_agg(s.name || '=' || s.setting, ',' ORDER BY s.name COLLATE "C"), 'nothing')
                  FROM pg_catalog.pg_settings s WHERE s.name = ANY ($1::text[]))
        """
}
