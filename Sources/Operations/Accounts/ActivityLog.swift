public import Domain
public import JSON
public import Storage
import Timetable

/// What people and programs did, for whoever looks after the cluster. An entry holds what was done, by whom and from
/// where, and no secret: who writes one leaves keys, passwords and sessions out.
public struct ActivityLog: ActivityRecording {
    /// Entries that are kept.
    public static let kept = 100_000

    private let store: ActivityStore
    private let clock: any WallClock
    private let report: @Sendable (String) -> Void

    /// - Parameter report: told what could not be written. What was done stays done.
    public init(store: ActivityStore, clock: any WallClock, report: @escaping @Sendable (String) -> Void) {
        self.store = store
        self.clock = clock
        self.report = report
    }

    public func record(_ action: String, by principal: Principal?, from address: String, _ payload: JSONObject) async {
        let now = clock.now()
        var entry = payload
        entry["action"] = .string(action)
        entry["epoch"] = .integer(now.seconds)
        if !address.isEmpty { entry["ip"] = .string(address) }
        switch principal?.identity {
        case .user?: entry["username"] = .string(principal?.name ?? "")
        case .key(let id)?:
            entry["api_key"] = .string(id)
            entry["api_title"] = .string(principal?.name ?? "")
        case .anonymous?, nil: break
        }
        do { try await store.append(.init(at: now, text: JSONValue.object(entry).text)) } catch {
            report("the activity '\(action)' could not be recorded: \(error)")
        }
    }

    /// Newest first, and how many there are.
    public func page(
        _ principal: Principal, offset: Int, limit: Int
    ) async throws(DomainError) -> (entries: [JSONValue], count: Int64) {
        try principal.require(.admin)
        do {
            let count = try await store.count()
            let entries = try await store.page(offset: offset, limit: limit)
            return (entries.compactMap { try? JSONValue(parsing: Array($0.text.utf8)) }, count)  // ours, and readable
        } catch { throw DomainError(error) }
    }
}
