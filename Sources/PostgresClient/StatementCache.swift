/// One statement that the server has parsed for a session, or is about to.
final class PreparedStatement {
    enum State {
        case sent
        case ready
        /// The server refused it.
        case failed(PostgresError)
        /// The server skipped it, since it came while another request's transaction was broken.
        case skipped
    }

    let name: String
    let sql: String
    var state = State.sent
    fileprivate(set) var lastUse: UInt64 = 0

    init(name: String, sql: String) {
        self.name = name
        self.sql = sql
    }
}

/// The prepared statements of one session by their text: bounded, the least recently used leave first.
struct StatementCache {
    static let limit = 256

    private var statements: [String: PreparedStatement] = [:]
    private var uses: UInt64 = 0
    private var names: UInt64 = 0

    mutating func find(_ sql: String) -> PreparedStatement? {
        guard let found = statements[sql] else { return nil }
        uses += 1
        found.lastUse = uses
        return found
    }

    /// The new statement, and the one whose place it takes and which the server may forget.
    mutating func add(_ sql: String) -> (added: PreparedStatement, evicted: PreparedStatement?) {
        let evicted = statements.count < Self.limit ? nil : statements.values.min { $0.lastUse < $1.lastUse }
        if let evicted { statements[evicted.sql] = nil }
        names += 1
        uses += 1
        let added = PreparedStatement(name: "c\(names)", sql: sql)
        added.lastUse = uses
        statements[sql] = added
        return (added, evicted)
    }

    mutating func forget(_ statement: PreparedStatement) {
        guard statements[statement.sql] === statement else { return }
        statements[statement.sql] = nil
    }
}
