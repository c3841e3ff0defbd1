// The schema: numbered steps, each applied once, in order, in one transaction under an advisory lock.
//
// A step that has been released is never edited; a change is a new step. A step must leave the tables usable for nodes
// of the previous release, since nodes are upgraded one at a time: what it adds, they do not miss (expand); what is to
// go is taken away by a step of the release after the one that has stopped using it (contract), which `needs` names.

public import Domain
public import PostgresClient

/// Brings the database to the schema that this program knows, or says why it cannot.
public struct Schema: Sendable {
    /// Number of the last step that this program knows.
    public static let version = steps.count

    static let steps: [String] = [step1, stepLogs, accountsStep, statisticsStep, operationsStep, placesStep]

    /// Of steps that older programs cannot work with: how many steps a program must know. A program that knows fewer
    /// refuses to start; one that runs already must have been replaced before.
    static let needs: [Int: Int] = [:]

    /// Two-part keys of advisory locks. They share their space with nothing but other users of two-part keys in the
    /// same database; the first part spells "cari".
    static let lockSpace: Int64 = 0x6361_7269
    /// "llon".
    static let leaderLock: Int64 = 0x6c6c_6f6e
    static let migrationLock: Int64 = 1
    static let upkeepLock: Int64 = 2

    static let oldestServer: Int64 = 140_000

    private let pool: PostgresPool

    public init(pool: PostgresPool) {
        self.pool = pool
    }

    /// Applies the steps that are missing. Nodes that start at once wait for each other.
    /// - Throws: `StoreError.data` when the schema is too new for this program or the server too old, `.connection`
    ///   else.
    public func migrate(deadline: Duration = .seconds(60)) async throws(StoreError) {
        var statements = [
            Statement(
                "SELECT pg_advisory_xact_lock($1::int4, $2::int4)", .int(Self.lockSpace), .int(Self.migrationLock)),
            Statement(Self.bootstrap),
            Statement(Self.refuseNewer),
        ]
        for (index, step) in Self.steps.enumerated() {
            statements.append(Statement(Self.applied(step, number: index + 1)))
        }
        _ = try await Access(pool).transaction(statements, deadline: deadline)
    }

    /// Checks, and changes nothing.
    /// - Throws: `StoreError.data` when the schema is older than this program's, or so new that it does not suit it.
    public func verify(deadline: Duration = .seconds(5)) async throws(StoreError) {
        let access = Access(pool)
        let found = try await access.query(
            Statement("SELECT to_regclass('carillon.migrations') IS NOT NULL"), deadline: deadline)
        guard try found.first({ try $0.bool() }) == true else {
            throw StoreError(.data, "the database has no carillon schema: run 'carillon migrate' first")
        }
        let result = try await access.query(
            Statement("SELECT coalesce(max(step), 0)::int8 FROM carillon.migrations"), deadline: deadline)
        let present = try result.first({ try $0.integer() }) ?? 0
        if present < Int64(Self.version) {
            throw StoreError(
                .data, "the schema is at step \(present), this program needs \(Self.version): run 'carillon migrate'")
        }
        guard present > Int64(Self.version) else { return }
        let newer = try await access.query(
            Statement("SELECT coalesce(max(needs), 0)::int8 FROM carillon.migrations"), deadline: deadline)
        let needed = try newer.first({ try $0.integer() }) ?? 0
        if needed > Int64(Self.version) {
            throw StoreError(.data, Self.tooNew("\(present)", needs: "\(needed)"))
        }
    }

    private static func tooNew(_ present: String, needs: String) -> String {
        "the schema is at step \(present) and needs a program that knows step \(needs), "
            + "this one knows \(version): use a newer carillon"
    }

    // MARK: SQL

    /// Asks before it creates: a role without the right to create schemas can start a node on a migrated database.
    private static let bootstrap = """
        DO $bootstrap$
        BEGIN
          IF current_setting('server_version_num')::int4 < \(oldestServer) THEN
            RAISE EXCEPTION 'PostgreSQL 14 or later is needed, this is %', current_setting('server_version')
              USING ERRCODE = 'CA003';
          END IF;
          IF to_regnamespace('carillon') IS NULL THEN
            CREATE SCHEMA carillon;
          END IF;
          IF to_regclass('carillon.migrations') IS NULL THEN
            CREATE TABLE carillon.migrations (
              step int4 PRIMARY KEY,
              applied timestamptz NOT NULL DEFAULT clock_timestamp()
            );
          END IF;
        END
        $bootstrap$
        """

    /// The column `needs` is there where the schema is newer.
    private static var refuseNewer: String {
        """
        DO $newer$
        DECLARE present int4; needed int4;
        BEGIN
          SELECT coalesce(max(step), 0) INTO present FROM carillon.migrations;
          IF present > \(version) THEN
            SELECT coalesce(max(needs), 0) INTO needed FROM carillon.migrations;
            IF needed > \(version) THEN
              RAISE EXCEPTION '\(tooNew("%", needs: "%"))', present, needed USING ERRCODE = 'CA003';
            END IF;
          END IF;
        END
        $newer$
        """
    }

    private static func applied(_ step: String, number: Int) -> String {
        let needed = needs[number]
        let columns = needed == nil ? "(step)" : "(step, needs)"
        let values = "(\(number)\(needed.map { ", \($0)" } ?? ""))"
        return """
            DO $migration$
            BEGIN
              IF NOT EXISTS (SELECT FROM carillon.migrations WHERE step = \(number)) THEN
                EXECUTE $step$
            \(step)
                $step$;
                INSERT INTO carillon.migrations \(columns) VALUES \(values);
              END IF;
            END
            $migration$
            """
    }
}
