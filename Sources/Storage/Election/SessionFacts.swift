import Domain

/// What the server says of a session that is to hold the election's lock.
struct SessionFacts: Equatable {
    /// Process that answered the first statement, the second one, and the one that the connection began with.
    var firstPID: Int64
    var secondPID: Int64
    var connectedPID: Int64
    /// As in `server_version_num`.
    var version: Int64
    var isInRecovery: Bool
    /// `name=milliseconds`, by name, with commas between.
    var settings: String

    /// - Throws: `.data` for a server that will never do, `.connection` for one that another attempt may not meet; the
    ///   message says what to do.
    func verify(expecting wanted: String) throws(StoreError) {
        guard version >= Schema.oldestServer else {
            throw StoreError(.data, "PostgreSQL 14 or later is needed, this is \(version / 10_000)")
        }
        guard !isInRecovery else {
            throw StoreError(
                .connection, "the server is a standby: name the primary, or all hosts, in the database URL")
        }
        guard settings == wanted else {
            throw Self.pooled("the session has \(settings) instead of \(wanted)")
        }
        guard firstPID == secondPID, firstPID == connectedPID else {
            throw Self.pooled("two statements were executed by server processes \(firstPID) and \(secondPID)")
        }
    }

    static func pooled(_ finding: String) -> StoreError {
        StoreError(
            .connection,
            "\(finding): probably a connection pooler stands between; the election needs a direct connection to "
                + "PostgreSQL")
    }
}
