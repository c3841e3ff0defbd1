import Domain
import DomainCoding
import PostgresClient

/// Statements on the catalogue, the switch of all schedules, and contexts of runs.
enum CatalogueSQL {
    static func put(_ items: [CatalogueItem]) -> Statement {
        Statement(
            putItems, .textArray(items.map(\.kind.rawValue)), .textArray(items.map(\.id)),
            .textArray(items.map { CatalogueCoding.text($0) }))
    }

    static func delete(_ keys: [CatalogueKey]) -> Statement {
        Statement(deleteItems, .textArray(keys.map(\.kind.rawValue)), .textArray(keys.map(\.id)))
    }

    static func setScheduling(_ isEnabled: Bool) -> Statement {
        Statement("UPDATE carillon.scheduler SET scheduling = $1::bool WHERE id = 1", .bool(isEnabled))
    }

    static func put(_ contexts: [(run: RunID, context: RunContext)]) -> Statement {
        Statement(
            putContexts, .textArray(contexts.map(\.run.rawValue)),
            .textArray(contexts.map { RunContextCoding.text($0.context) }))
    }

    /// From the rows of `allItems` and the row of `scheduling`.
    static func catalogue(_ items: PostgresResult, _ scheduling: PostgresResult) throws(StoreError) -> Catalogue {
        var catalogue = Catalogue()
        for item in try items.decode(CatalogueRow.read) { catalogue.put(item) }
        catalogue.isSchedulingEnabled = try scheduling.first { try $0.bool() } ?? true
        return catalogue
    }

    // MARK: SQL

    /// In the order of the array, so that of two new ones the later one is listed first.
    private static let putItems = """
        INSERT INTO carillon.catalogue (kind, id, item)
        SELECT i.kind, i.id, i.item::jsonb
          FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS i(kind, id, item, place) ORDER BY i.place
        ON CONFLICT (kind, id) DO UPDATE SET item = EXCLUDED.item
        """

    private static let deleteItems = """
        DELETE FROM carillon.catalogue c USING unnest($1::text[], $2::text[]) AS i(kind, id)
         WHERE c.kind = i.kind AND c.id = i.id
        """

    private static let putContexts = """
        UPDATE carillon.runs r SET context = i.context::jsonb
          FROM unnest($1::text[], $2::text[]) AS i(id, context) WHERE r.id = i.id
        """

    static let allItems = "SELECT \(CatalogueRow.columns) FROM carillon.catalogue c ORDER BY c.position DESC"
    static let scheduling = "SELECT s.scheduling FROM carillon.scheduler s WHERE s.id = 1"
}

enum CatalogueRow {
    static let columns = "c.kind, c.item::text"

    static func read(_ row: inout RowReader) throws -> CatalogueItem {
        try CatalogueCoding.decode(try row.word(of: CatalogueItem.Kind.self), try row.json())
    }
}
