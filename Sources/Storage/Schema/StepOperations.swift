extension Schema {
    /// What lets an operator give nodes a role that owns nothing, and upgrade one node after the other.
    ///
    /// - Partitions are made and dropped with the owner's rights, so that nodes need none of their own to change
    ///   tables. The function's own names are qualified, and the search path is no longer the caller's.
    /// - `needs` is how many steps a program must know to work with a schema that this step was applied to. A step that
    ///   only adds (expand) needs nothing, so that programs of the former release go on; one that takes away what they
    ///   use (contract) names the first program that does without.
    static let operationsStep = """
        ALTER FUNCTION carillon.keep_partitions(text, text, timestamptz, int4, timestamptz) SECURITY DEFINER;
        ALTER FUNCTION carillon.keep_partitions(text, text, timestamptz, int4, timestamptz)
          SET search_path = pg_catalog, pg_temp;

        ALTER TABLE carillon.migrations ADD COLUMN needs int4 NOT NULL DEFAULT 0;
        COMMENT ON COLUMN carillon.migrations.needs IS 'Steps that a program must know to work with this one.';

        """
}
