// Storage: all SQL of Carillon, and nothing else that decides.
//
// What stands where
// - `Schema`: the tables, as numbered steps that any number of nodes may apply at once, and the upkeep of partitions.
// - `Cluster`: the port of the leader/worker protocol. A commit is one transaction, sent in one flush, that begins with
//   the fence on the epoch and has at most one statement for each list of `Changes`, however long the lists are.
// - `Election`: the session that holds the election's lock.
// - `Topics`: façades for the use cases, which take no part in the protocol and need no fence.
// - `Memory`: the twin of `Cluster` without a database, for simulations; one suite of tests runs on both.
// - `Coding`: between rows and values.
//
// Invariants
// - No statement relies on session state: names are qualified, timestamps are timestamptz, values are parameters.
// - A statement that expects rows in some state counts what it changed, in the same statement (`carillon.expect`), so
//   that a transaction never needs a round trip in its middle and rolls back whole.
// - Hot and cold are apart: `runs` holds only what has not ended; what has ended is in partitions by day.
// - Each call has a deadline, and fails with a `StoreError`.
//
// It refuses to know: clocks (each instant is a parameter, but for the housekeeping columns that nothing decides on),
// HTTP, dialects, what a schedule means.

import Domain

/// Bounds on what the façades read and write at once.
public enum StorageLimits {
    /// Rows in one answer of a façade, whatever is asked for.
    public static let page = 10_000
    /// Requests kept for a replay at once.
    public static let replays = 1_000
    /// Bytes of a request kept for a replay: target, headers and body together.
    public static let replayBytes = 2 * 1024 * 1024
    /// Bytes of one stored log, compressed.
    public static let logBytes = Limits.storedLog
    /// Sessions of a former leader are ended this often before taking office is given up.
    static let evictions = 3
    /// A request that was the victim of a deadlock is sent again this often.
    static let repetitions = 3
    /// Identifiers named in the message of a conflict.
    static let namedInConflict = 5
}
