extension Schema {
    /// The first release. Comments of tables say what a reader of the database needs; reasons stand here.
    ///
    /// - `runs` has no jsonb and nothing long: its rows are updated three or four times in seconds, in place (HOT,
    ///   hence the fill factor), and vacuumed eagerly because each run leaves a dead row behind.
    /// - `run_history` cannot hold a unique constraint over job, cause and lane: its partitions are by time. An
    ///   occurrence of a schedule is protected against a second launch by `jobs.decided_through` instead, which only
    ///   grows, in the same transaction that launches; runs of other causes carry a key of their own.
    /// - Each partitioned table has a default partition, so that an insert never fails because upkeep did not run.
    /// - `job_versions` and `eras` outlive their job: runs and ledger refer to them.
    static let step1 = tables + functions + StockCatalogue.statements

    private static let tables = """
        CREATE TABLE carillon.leadership (
          id int4 PRIMARY KEY CHECK (id = 1),
          epoch int8 NOT NULL,
          timeline int8 NOT NULL,
          node text NOT NULL,
          url text NOT NULL,
          boot text NOT NULL,
          session_name text NOT NULL,
          backend_pid int4 NOT NULL,
          resigned bool NOT NULL,
          elected timestamptz
        );
        COMMENT ON TABLE carillon.leadership IS 'One row: who leads. Each leader transaction locks it (the fence).';
        INSERT INTO carillon.leadership VALUES (1, 0, 0, '', '', '', '', 0, true, NULL);

        CREATE TABLE carillon.nodes (
          name text PRIMARY KEY,
          url text NOT NULL,
          boot text NOT NULL,
          version text NOT NULL,
          seen timestamptz NOT NULL,
          reaches_workers boolean NOT NULL
        ) WITH (fillfactor = 70);

        CREATE TABLE carillon.workers (
          name text PRIMARY KEY,
          url text NOT NULL,
          boot text NOT NULL,
          cpus float8 NOT NULL,
          memory float8 NOT NULL,
          disk float8 NOT NULL,
          attributes jsonb NOT NULL,
          version text NOT NULL,
          drained bool NOT NULL,
          registered timestamptz NOT NULL
        );

        CREATE TABLE carillon.scheduler (
          id int4 PRIMARY KEY CHECK (id = 1),
          scheduling bool NOT NULL
        );
        COMMENT ON COLUMN carillon.scheduler.scheduling IS 'False: no schedule launches anything.';
        INSERT INTO carillon.scheduler VALUES (1, true);

        CREATE TABLE carillon.catalogue (
          kind text NOT NULL,
          id text NOT NULL,
          position int8 NOT NULL GENERATED ALWAYS AS IDENTITY,
          item jsonb NOT NULL,
          PRIMARY KEY (kind, id)
        );
        COMMENT ON TABLE carillon.catalogue IS 'Categories, groups, plugins; the newest has the last position.';

        CREATE TABLE carillon.jobs (
          id text PRIMARY KEY,
          name text NOT NULL CONSTRAINT jobs_name_key UNIQUE,
          version int8 NOT NULL,
          definition jsonb NOT NULL,
          enabled bool NOT NULL,
          disabled_reason text NOT NULL,
          trigger text NOT NULL,
          decided_through int8,
          next_index int8,
          next_due timestamptz,
          successes int8 NOT NULL,
          errors int8 NOT NULL,
          errors_since_success int8 NOT NULL,
          last_success timestamptz,
          last_error timestamptz,
          created timestamptz NOT NULL,
          modified timestamptz NOT NULL
        ) WITH (fillfactor = 80);
        CREATE INDEX jobs_agenda ON carillon.jobs (next_due, id) WHERE enabled AND next_due IS NOT NULL;

        CREATE TABLE carillon.job_versions (
          job_id text NOT NULL,
          version int8 NOT NULL,
          definition jsonb NOT NULL,
          superseded timestamptz,
          PRIMARY KEY (job_id, version)
        );
        COMMENT ON COLUMN carillon.job_versions.superseded IS 'Since when it is not the current one; for upkeep only.';

        CREATE TABLE carillon.eras (
          job_id text NOT NULL,
          version int8 NOT NULL,
          job_name text NOT NULL,
          notation text NOT NULL,
          schedule text NOT NULL,
          zone text NOT NULL,
          anchor timestamptz NOT NULL,
          first_index int8 NOT NULL,
          closed timestamptz,
          PRIMARY KEY (job_id, version)
        );

        CREATE TABLE carillon.edges (
          parent text NOT NULL,
          child text NOT NULL,
          satisfied bool NOT NULL,
          PRIMARY KEY (child, parent)
        );
        CREATE INDEX edges_parent ON carillon.edges (parent);

        CREATE TABLE carillon.runs (
          id text PRIMARY KEY,
          job_id text NOT NULL,
          job_version int8 NOT NULL,
          job_name text NOT NULL,
          cause text NOT NULL,
          lane int4 NOT NULL,
          due timestamptz NOT NULL,
          arguments text NOT NULL,
          high_priority bool NOT NULL,
          is_last bool NOT NULL,
          abort_requested bool NOT NULL,
          state text NOT NULL,
          attempt int4 NOT NULL,
          not_before timestamptz,
          start_deadline timestamptz,
          worker text NOT NULL,
          claimed_by_boot text,
          offered_at timestamptz,
          started_at timestamptz,
          finished_at timestamptz,
          reason text NOT NULL,
          context jsonb,
          CONSTRAINT runs_once UNIQUE (job_id, cause, lane)
        ) WITH (
          fillfactor = 50,
          autovacuum_vacuum_threshold = 200,
          autovacuum_vacuum_scale_factor = 0.05,
          autovacuum_analyze_threshold = 500,
          autovacuum_vacuum_cost_delay = 0
        );

        CREATE TABLE carillon.run_history (
          id text NOT NULL,
          job_id text NOT NULL,
          job_version int8 NOT NULL,
          job_name text NOT NULL,
          cause text NOT NULL,
          lane int4 NOT NULL,
          due timestamptz NOT NULL,
          arguments text NOT NULL,
          high_priority bool NOT NULL,
          is_last bool NOT NULL,
          abort_requested bool NOT NULL,
          state text NOT NULL,
          attempt int4 NOT NULL,
          not_before timestamptz,
          start_deadline timestamptz,
          worker text NOT NULL,
          claimed_by_boot text,
          offered_at timestamptz,
          started_at timestamptz,
          finished_at timestamptz NOT NULL,
          reason text NOT NULL,
          context jsonb,
          PRIMARY KEY (id, finished_at)
        ) PARTITION BY RANGE (finished_at);
        CREATE INDEX run_history_of_job ON carillon.run_history (job_id, finished_at DESC, id DESC);
        CREATE INDEX run_history_recent ON carillon.run_history (finished_at DESC, id DESC);
        CREATE TABLE carillon.run_history_default PARTITION OF carillon.run_history DEFAULT;

        CREATE TABLE carillon.attempts (
          run_id text NOT NULL,
          number int4 NOT NULL,
          worker text NOT NULL,
          started_at timestamptz,
          finished_at timestamptz NOT NULL,
          state text NOT NULL,
          exit_code int8,
          signal int8,
          reason text NOT NULL,
          output_tail text NOT NULL,
          details jsonb,
          PRIMARY KEY (run_id, number, finished_at)
        ) PARTITION BY RANGE (finished_at);
        CREATE TABLE carillon.attempts_default PARTITION OF carillon.attempts DEFAULT;

        CREATE TABLE carillon.ledger (
          job_id text NOT NULL,
          version int8 NOT NULL,
          job_name text NOT NULL,
          first_index int8 NOT NULL,
          last_index int8 NOT NULL,
          first_due timestamptz NOT NULL,
          last_due timestamptz NOT NULL,
          count int8 NOT NULL,
          verdict text NOT NULL,
          reason text NOT NULL,
          run_id text,
          recorded timestamptz NOT NULL
        ) PARTITION BY RANGE (recorded);
        CREATE INDEX ledger_of_job ON carillon.ledger (job_id, version, first_index);
        CREATE INDEX ledger_of_run ON carillon.ledger (run_id) WHERE run_id IS NOT NULL;
        CREATE TABLE carillon.ledger_default PARTITION OF carillon.ledger DEFAULT;

        CREATE TABLE carillon.outbox (
          id text PRIMARY KEY,
          channel text NOT NULL,
          destination text NOT NULL,
          notice jsonb NOT NULL,
          counters jsonb NOT NULL,
          created timestamptz NOT NULL,
          due timestamptz NOT NULL,
          tries int4 NOT NULL DEFAULT 0,
          error text NOT NULL DEFAULT '',
          buried timestamptz
        ) WITH (autovacuum_vacuum_threshold = 200, autovacuum_vacuum_scale_factor = 0.05);
        CREATE INDEX outbox_due ON carillon.outbox (due, id) WHERE buried IS NULL;
        COMMENT ON TABLE carillon.outbox IS 'Messages to people and web hooks that wait to be sent, or were given up.';

        CREATE TABLE carillon.api_keys (
          prefix text PRIMARY KEY,
          hash bytea NOT NULL,
          title text NOT NULL,
          privileges text[] NOT NULL,
          active bool NOT NULL,
          created timestamptz NOT NULL,
          last_used timestamptz
        );

        CREATE TABLE carillon.replays (
          token_hash bytea PRIMARY KEY,
          method text NOT NULL,
          target text NOT NULL,
          headers jsonb NOT NULL,
          body bytea NOT NULL,
          credentials_hash bytea NOT NULL,
          created timestamptz NOT NULL,
          expires timestamptz NOT NULL
        );
        COMMENT ON TABLE carillon.replays IS 'Writes that reached a follower, for the leader to execute once.';

        """

    private static let functions = """
        CREATE FUNCTION carillon.fence(wanted_timeline int8, wanted_epoch int8) RETURNS void
        LANGUAGE plpgsql AS $fence$
        DECLARE
          found_timeline int8;
          found_epoch int8;
        BEGIN
          -- FOR SHARE, not FOR KEY SHARE: the latter does not conflict with the update that raises the epoch.
          SELECT l.timeline, l.epoch INTO found_timeline, found_epoch
            FROM carillon.leadership l WHERE l.id = 1 FOR SHARE;
          IF found_epoch IS DISTINCT FROM wanted_epoch OR found_timeline IS DISTINCT FROM wanted_timeline THEN
            RAISE EXCEPTION 'term %/% is over: the database is at %/%',
              wanted_timeline, wanted_epoch, found_timeline, found_epoch USING ERRCODE = 'CA001';
          END IF;
        END
        $fence$;

        CREATE FUNCTION carillon.read_fence(wanted_timeline int8, wanted_epoch int8) RETURNS void
        LANGUAGE plpgsql AS $read_fence$
        DECLARE
          found_timeline int8;
          found_epoch int8;
        BEGIN
          -- Without a lock, which would make a transaction that only reads wait for the disk when it commits. What a
          -- leader decides from what it reads is written behind the fence.
          SELECT l.timeline, l.epoch INTO found_timeline, found_epoch FROM carillon.leadership l WHERE l.id = 1;
          IF found_epoch IS DISTINCT FROM wanted_epoch OR found_timeline IS DISTINCT FROM wanted_timeline THEN
            RAISE EXCEPTION 'term %/% is over: the database is at %/%',
              wanted_timeline, wanted_epoch, found_timeline, found_epoch USING ERRCODE = 'CA001';
          END IF;
        END
        $read_fence$;

        CREATE FUNCTION carillon.expect(actual int8, wanted int8, what text) RETURNS void
        LANGUAGE plpgsql AS $expect$
        BEGIN
          IF actual IS DISTINCT FROM wanted THEN
            RAISE EXCEPTION 'expected % of %, found %', wanted, what, actual USING ERRCODE = 'CA002';
          END IF;
        END
        $expect$;

        CREATE FUNCTION carillon.keep_partitions(
          parent text, time_column text, today timestamptz, days_ahead int4, cutoff timestamptz
        ) RETURNS int4
        LANGUAGE plpgsql SET lock_timeout = '500ms' SET timezone = 'UTC' AS $keep$
        DECLARE
          day timestamptz := date_trunc('day', today);
          name text;
          oldest text := parent || '_p' || to_char(cutoff, 'YYYYMMDD');
          changed int4 := 0;
        BEGIN
          FOR i IN 0 .. days_ahead LOOP
            name := parent || '_p' || to_char(day + i * interval '1 day', 'YYYYMMDD');
            IF to_regclass('carillon.' || name) IS NULL THEN
              -- Made apart and attached: CREATE ... PARTITION OF would stop all access to the parent meanwhile. Rows
              -- of that day that the default partition caught are moved first, or attaching would be refused.
              EXECUTE format('CREATE TABLE carillon.%I (LIKE carillon.%I INCLUDING ALL)', name, parent);
              EXECUTE format('WITH moved AS (DELETE FROM carillon.%I WHERE %I >= $1 AND %I < $2 RETURNING *) '
                'INSERT INTO carillon.%I SELECT * FROM moved', parent || '_default', time_column, time_column, name)
                USING day + i * interval '1 day', day + (i + 1) * interval '1 day';
              EXECUTE format('ALTER TABLE carillon.%I ATTACH PARTITION carillon.%I FOR VALUES FROM (%L) TO (%L)',
                parent, name, day + i * interval '1 day', day + (i + 1) * interval '1 day');
              changed := changed + 1;
            END IF;
          END LOOP;
          FOR name IN
            SELECT c.relname FROM pg_catalog.pg_inherits h
              JOIN pg_catalog.pg_class c ON c.oid = h.inhrelid
             WHERE h.inhparent = ('carillon.' || parent)::regclass
               AND c.relname ~ ('^' || parent || '_p[0-9]{8}$') AND c.relname < oldest
             ORDER BY 1
          LOOP
            EXECUTE format('DROP TABLE carillon.%I', name);
            changed := changed + 1;
          END LOOP;
          EXECUTE format('DELETE FROM carillon.%I WHERE %I < $1', parent || '_default', time_column) USING cutoff;
          RETURN changed;
        END
        $keep$;

        """
}
