extension Schema {
    /// People, their sessions, keys that clients chose, and what was done.
    ///
    /// - Neither passwords nor session identifiers nor keys are stored: only their hashes.
    /// - A session outlives its user, so that its bearer is told what has become of him.
    /// - `api_keys.prefix` is the public beginning of a key that Carillon made; of a key that a client chose, which may
    ///   be short, it is `#` and the beginning of its hash.
    static let accountsStep = """
        CREATE TABLE carillon.users (
          key text PRIMARY KEY,
          username text NOT NULL,
          full_name text NOT NULL,
          email text NOT NULL,
          active bool NOT NULL,
          privileges text NOT NULL,
          password text NOT NULL,
          password_suffix text NOT NULL,
          locked bool NOT NULL,
          failure_hour int8 NOT NULL,
          failures int4 NOT NULL,
          recovery_hash bytea,
          recovery_expires timestamptz,
          recovery_hour int8 NOT NULL,
          recoveries int4 NOT NULL,
          extra text NOT NULL,
          created timestamptz NOT NULL,
          modified timestamptz NOT NULL
        );
        COMMENT ON COLUMN carillon.users.key IS 'The user name in lower case: two users do not differ in case alone.';

        CREATE TABLE carillon.sessions (
          hash bytea PRIMARY KEY,
          user_key text NOT NULL,
          ip text NOT NULL,
          user_agent text NOT NULL,
          created timestamptz NOT NULL,
          expires timestamptz NOT NULL
        );
        CREATE INDEX sessions_expires ON carillon.sessions (expires);
        CREATE INDEX sessions_user ON carillon.sessions (user_key);

        ALTER TABLE carillon.api_keys
          ADD COLUMN id text,
          ADD COLUMN shown text NOT NULL DEFAULT '',
          ADD COLUMN description text NOT NULL DEFAULT '',
          ADD COLUMN username text NOT NULL DEFAULT 'admin',
          ADD COLUMN fields text NOT NULL DEFAULT '{}',
          ADD COLUMN modified timestamptz;
        UPDATE carillon.api_keys SET id = 'k' || substr(md5(prefix), 1, 12), shown = prefix || '…', modified = created;
        CREATE UNIQUE INDEX api_keys_id ON carillon.api_keys (id);

        CREATE TABLE carillon.activity (
          number int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
          at timestamptz NOT NULL,
          entry text NOT NULL
        );
        COMMENT ON TABLE carillon.activity IS 'What people and programs did, as the Cronicle dialect lists it.';

        CREATE TABLE carillon.settings (
          name text PRIMARY KEY,
          value text NOT NULL
        );

        CREATE TABLE carillon.deleted_runs (
          run_id text PRIMARY KEY,
          deleted timestamptz NOT NULL
        );
        COMMENT ON TABLE carillon.deleted_runs IS 'Runs whose record was deleted by request.';

        CREATE INDEX jobs_newest ON carillon.jobs (created DESC, id DESC);
        CREATE INDEX jobs_title ON carillon.jobs USING hash ((coalesce(definition ->> 'title', name)));

        """
}
