public import Domain
import PostgresClient

/// Reading the catalogue. It is written by the leader's commits only.
public struct CatalogueStore: Sendable {
    let access: Access

    /// All members of a kind, the newest first.
    public func items(_ kind: CatalogueItem.Kind) async throws(StoreError) -> [CatalogueItem] {
        try await access.query(Statement(Self.ofKind, .text(kind.rawValue)), deadline: Stores.deadline)
            .decode(CatalogueRow.read)
    }

    public func categories() async throws(StoreError) -> [Category] {
        try await items(.category).compactMap { if case .category(let category) = $0 { category } else { nil } }
    }

    public func groups() async throws(StoreError) -> [WorkerGroup] {
        try await items(.group).compactMap { if case .group(let group) = $0 { group } else { nil } }
    }

    public func plugins() async throws(StoreError) -> [Plugin] {
        try await items(.plugin).compactMap { if case .plugin(let plugin) = $0 { plugin } else { nil } }
    }

    /// Nil where there is none.
    public func item(_ key: CatalogueKey) async throws(StoreError) -> CatalogueItem? {
        try await access.query(Statement(Self.one, .text(key.kind.rawValue), .text(key.id)), deadline: Stores.deadline)
            .first(CatalogueRow.read)
    }

    /// All of it.
    public func catalogue() async throws(StoreError) -> Catalogue {
        let results = try await access.transaction(
            [Statement(CatalogueSQL.allItems), Statement(CatalogueSQL.scheduling)], deadline: Stores.deadline)
        return try CatalogueSQL.catalogue(results[0], results[1])
    }

    /// Whether schedules launch anything.
    public func isSchedulingEnabled() async throws(StoreError) -> Bool {
        try await access.query(Statement(CatalogueSQL.scheduling), deadline: Stores.deadline)
            .first { try $0.bool() } ?? true
    }

    // MARK: SQL

    private static let ofKind = """
        SELECT \(CatalogueRow.columns) FROM carillon.catalogue c WHERE c.kind = $1::text ORDER BY c.position DESC
        """

    private static let one = """
        SELECT \(CatalogueRow.columns) FROM carillon.catalogue c WHERE c.kind = $1::text AND c.id = $2::text
        """
}
