public import Domain
public import PostgresClient

/// The session settings that follow from the times of the election (leadership.md §1).
///
/// `idleSession` is the one setting that frees the lock of a holder that is dead, cut off or stopped alike, as long as
/// heartbeats come on that same session. The TCP settings are a second line for moments when it is not idle.
extension ElectionConstants {
    /// How long the client waits for an answer: what the server allows itself, and some time on the way.
    var answer: Duration { statement + .milliseconds(500) }

    /// What the lock session must really have, in milliseconds; verified when it is opened.
    var verifiedSettings: [(name: String, milliseconds: Int64)] {
        [
            ("idle_session_timeout", Self.milliseconds(idleSession)),
            ("statement_timeout", Self.milliseconds(statement)),
            ("idle_in_transaction_session_timeout", Self.milliseconds(idleInTransaction)),
            ("lock_timeout", Self.milliseconds(lock)),
        ]
    }

    /// The pool for the leader's transactions: not idle-limited, but a transaction of a stopped leader must not keep
    /// its successor waiting at the fence.
    /// - Parameter base: where the database is.
    public func workConfiguration(_ base: PostgresConfiguration, node: String, boot: String) -> PostgresConfiguration {
        var configuration = base
        configuration.applicationName = Self.sessionName(node: node, boot: boot)
        configuration.connectTimeout = connect
        configuration.readWriteOnly = true
        configuration.serverSettings += [
            ("idle_in_transaction_session_timeout", String(Self.milliseconds(idleInTransaction))),
            // Statements here are short; compiling one would take longer than executing it.
            ("jit", "off"),
            // Each statement finds its rows by index and is planned once for all. Left to itself the server plans anew
            // each time, or for the tables as they were when they were empty: then every statement reads them whole.
            ("plan_cache_mode", "force_generic_plan"), ("enable_seqscan", "off"),
        ]
        configuration.serverSettings += tcpServerSettings
        configuration.clientSettings += tcpClientSettings
        return configuration
    }

    /// The lock session's own.
    func lockConfiguration(_ base: PostgresConfiguration, node: String, boot: String) -> PostgresConfiguration {
        var configuration = base
        configuration.applicationName = Self.sessionName(node: node, boot: boot)
        configuration.connectTimeout = connect
        configuration.readWriteOnly = true
        configuration.serverSettings += verifiedSettings.map { ($0.name, String($0.milliseconds)) }
        configuration.serverSettings += tcpServerSettings
        configuration.clientSettings += tcpClientSettings
        return configuration
    }

    /// `carillon:<node>:<boot>`, by which a successor finds the sessions of a leader that is in its way. The server
    /// keeps 63 bytes of it and replaces what is not printable ASCII, so the same is done here, at the cost of the
    /// node's name.
    public static func sessionName(node: String, boot: String) -> String {
        let room = max(0, 63 - "carillon::".utf8.count - min(boot.utf8.count, 40))
        return "carillon:" + plain(node).prefix(room) + ":" + plain(boot).prefix(40)
    }

    private static func plain(_ text: String) -> String {
        String(decoding: text.utf8.map { (0x21...0x7e).contains($0) ? $0 : UInt8(ascii: "?") }, as: UTF8.self)
    }

    private var tcpServerSettings: [(name: String, value: String)] {
        [
            ("tcp_keepalives_idle", "1"), ("tcp_keepalives_interval", "1"), ("tcp_keepalives_count", "3"),
            ("tcp_user_timeout", String(Self.milliseconds(idleSession))),
        ]
    }

    private var tcpClientSettings: [(String, String)] {
        [
            ("keepalives", "1"), ("keepalives_idle", "1"), ("keepalives_interval", "1"), ("keepalives_count", "3"),
            ("tcp_user_timeout", String(Self.milliseconds(trust))),
        ]
    }

    private static func milliseconds(_ duration: Duration) -> Int64 { max(1, duration.wholeMicroseconds / 1_000) }
}
