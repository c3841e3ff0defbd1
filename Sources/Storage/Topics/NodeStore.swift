public import Domain
import PostgresClient
public import Timetable

/// Nodes as they report themselves. For people and for choosing whom to ask, never for deciding who leads.
public struct NodeStore: Sendable {
    let access: Access

    public struct Entry: Hashable, Sendable {
        public var node: NodeDescription
        public var seen: Instant
        /// It has lately got an answer from some worker.
        public var reachesWorkers: Bool
        public init(node: NodeDescription, seen: Instant, reachesWorkers: Bool) {
            self.node = node
            self.seen = seen
            self.reachesWorkers = reachesWorkers
        }
    }

    /// Writes this node's row.
    public func put(_ node: NodeDescription, seen: Instant, reachesWorkers: Bool) async throws(StoreError) {
        _ = try await access.query(
            Statement(
                Self.putNode, .text(node.name), .text(node.url), .text(node.boot), .text(node.version),
                .timestamp(microseconds: seen.microseconds), .bool(reachesWorkers)),
            deadline: Stores.deadline)
    }

    /// By name; nodes that have not been seen for long are among them.
    public func list() async throws(StoreError) -> [Entry] {
        try await access.query(Statement(Self.listNodes), deadline: Stores.deadline).decode { row in
            let node = NodeDescription(
                name: try row.text(), url: try row.text(), boot: try row.text(), version: try row.text())
            return Entry(node: node, seen: try row.instant(), reachesWorkers: try row.bool())
        }
    }

    /// - Returns: whether there was such a node.
    public func delete(_ name: String, unseenSince instant: Instant) async throws(StoreError) -> Bool {
        try await access.query(
            Statement(Self.deleteNode, .text(name), .timestamp(microseconds: instant.microseconds)),
            deadline: Stores.deadline
        ).affected > 0
    }

    // MARK: SQL

    private static let deleteNode = "DELETE FROM carillon.nodes WHERE name = $1::text AND seen < $2::timestamptz"

    private static let putNode = """
        INSERT INTO carillon.nodes (name, url, boot, version, seen, reaches_workers)
        VALUES ($1::text, $2::text, $3::text, $4::text, $5::timestamptz, $6::boolean)
        ON CONFLICT (name) DO UPDATE SET
          url = EXCLUDED.url, boot = EXCLUDED.boot, version = EXCLUDED.version, seen = EXCLUDED.seen,
          reaches_workers = EXCLUDED.reaches_workers
        """

    private static let listNodes = """
        SELECT n.name, n.url, n.boot, n.version, n.seen, n.reaches_workers FROM carillon.nodes n
         ORDER BY n.name COLLATE "C" LIMIT \(StorageLimits.page)
        """
}

/// Reading workers. They are written by the leader's commits only.
public struct WorkerStore: Sendable {
    let access: Access

    /// By name.
    public func list() async throws(StoreError) -> [Worker] {
        try await access.query(Statement(Self.listWorkers), deadline: Stores.deadline).decode(WorkerRow.read)
    }

    private static let listWorkers = """
        SELECT \(WorkerRow.columns) FROM carillon.workers w ORDER BY w.name COLLATE "C" LIMIT \(StorageLimits.page)
        """
}
