public import Domain
import PostgresClient
public import Timetable

/// What the database tells of itself, for whoever looks after it.
public struct ExaminationStore: Sendable {
    let access: Access

    public struct Server: Hashable, Sendable {
        /// As in `server_version`.
        public var version: String
        public var clock: Instant
        public var synchronousCommit: String
        public var standbys: String
        public var connections: Int64
        public var connectionLimit: Int64
        /// Of the whole database.
        public var bytes: Int64
        /// Of the oldest transaction that is open now, in seconds.
        public var oldestTransaction: Int64
    }

    public struct Size: Hashable, Sendable {
        public var table: String
        public var bytes: Int64
        /// An estimate.
        public var rows: Int64
        public var partitions: Int64
    }

    /// The session that holds the election's lock.
    public struct LockHolder: Hashable, Sendable {
        public var application: String
        public var address: String
        public var since: Instant
        /// Since its last statement.
        public var idle: Duration
    }

    public func server() async throws(StoreError) -> Server {
        let server = try await access.query(Statement(Self.facts), deadline: Stores.deadline).first { row in
            Server(
                version: try row.text(), clock: try row.instant(), synchronousCommit: try row.text(),
                standbys: try row.text(), connections: try row.integer(), connectionLimit: try row.integer(),
                bytes: try row.integer(), oldestTransaction: try row.integer())
        }
        guard let server else { throw StoreError(.connection, "the server did not answer as asked") }
        return server
    }

    /// The largest first.
    public func sizes() async throws(StoreError) -> [Size] {
        try await access.query(Statement(Self.tables), deadline: Stores.longDeadline).decode { row in
            Size(
                table: try row.text(), bytes: try row.integer(), rows: try row.integer(),
                partitions: try row.integer())
        }
    }

    /// Nil while nobody holds it.
    public func lockHolder() async throws(StoreError) -> LockHolder? {
        try await access.query(Statement(Self.holder), deadline: Stores.deadline).first { row in
            LockHolder(
                application: try row.text(), address: try row.text(), since: try row.instant(),
                idle: .milliseconds(try row.integer()))
        }
    }

    /// Why messages were given up, the latest ones.
    public func buriedErrors(limit: Int) async throws(StoreError) -> [String] {
        try await access.query(Statement(Self.buried, Stores.page(limit)), deadline: Stores.deadline)
            .decode { try $0.text() }
    }

    // MARK: SQL

    private static let facts = """
        SELECT current_setting('server_version'), clock_timestamp(), current_setting('synchronous_commit'),
               current_setting('synchronous_standby_names'),
               (SELECT count(*) FROM pg_catalog.pg_stat_activity a WHERE a.backend_type = 'client backend')::int8,
               current_setting('max_connections')::int8, pg_database_size(current_database())::int8,
               coalesce((SELECT extract(epoch FROM clock_timestamp() - min(a.xact_start))
                           FROM pg_catalog.pg_stat_activity a
                          WHERE a.datname = current_database() AND a.pid <> pg_backend_pid()), 0)::int8
        """

    /// Partitions are counted with the table that they belong to.
    private static let tables = """
        SELECT coalesce(r.relname, c.relname)::text, sum(pg_total_relation_size(c.oid))::int8,
               sum(greatest(c.reltuples, 0))::int8, count(r.oid)::int8
          FROM pg_catalog.pg_class c
          JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'carillon'
          LEFT JOIN pg_catalog.pg_inherits i ON i.inhrelid = c.oid
          LEFT JOIN pg_catalog.pg_class r ON r.oid = i.inhparent
         WHERE c.relkind = 'r'
         GROUP BY 1 ORDER BY 2 DESC, 1
        """

    private static let holder = """
        SELECT coalesce(a.application_name, ''), coalesce(host(a.client_addr), 'local'),
               coalesce(a.backend_start, clock_timestamp()),
               coalesce(extract(epoch FROM clock_timestamp() - a.state_change) * 1000, 0)::int8
          FROM pg_catalog.pg_locks k LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = k.pid
         WHERE k.locktype = 'advisory' AND k.granted AND k.objsubid = 2
           AND k.classid = \(Schema.lockSpace) AND k.objid = \(Schema.leaderLock)
           AND k.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = current_database())
        """

    private static let buried = """
        SELECT o.channel || ' to ' || o.destination || ': ' || o.error FROM carillon.outbox o
         WHERE o.buried IS NOT NULL ORDER BY o.buried DESC LIMIT $1::int8
        """
}
