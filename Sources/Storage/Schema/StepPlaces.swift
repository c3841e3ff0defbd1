extension Schema {
    /// Category and target of a job beside its definition, so that lists for people who may see some of them only are
    /// found in an index and need not be read as a whole. Both are what the Cronicle dialect shows where a job says
    /// nothing of them. The database writes them, so that programs of the former release, which know nothing of them,
    /// keep them right as well.
    ///
    /// Whether a job refers to a member of the catalogue is found in an index, too.
    static let placesStep = """
        ALTER TABLE carillon.jobs
          ADD COLUMN category text NOT NULL
            GENERATED ALWAYS AS (coalesce(nullif(definition ->> 'category', ''), 'general')) STORED,
          ADD COLUMN target text NOT NULL
            GENERATED ALWAYS AS (coalesce(nullif(definition ->> 'target', ''), 'allgrp')) STORED;

        DROP INDEX carillon.jobs_newest;
        CREATE INDEX jobs_newest ON carillon.jobs (created DESC, id DESC) INCLUDE (category, target);

        CREATE INDEX jobs_category ON carillon.jobs ((definition ->> 'category'));
        CREATE INDEX jobs_target ON carillon.jobs ((definition ->> 'target'));
        CREATE INDEX jobs_plugin ON carillon.jobs ((definition ->> 'plugin'));

        """
}
