import Coordination
import Domain
import Runtime
import Synchronization

/// Jobs as the leader read them last, for as long as it vouches that none has changed: lists of a thousand jobs are
/// asked for again and again by pages and tools, and reading one costs more than everything else about it.
final class JobCache: Sendable {
    private struct Page: Hashable {
        var after: String?
        var limit: Int
    }

    private struct State {
        var mark: JobsMark?
        var filled = MonotonicInstant(nanoseconds: 0)
        var jobs: [String: Job] = [:]
        var pages: [Page: [Job]] = [:]
        var count = 0
    }

    /// Jobs that are kept at most; they take a kilobyte or two each.
    private static let limit = 4_096
    /// Nothing is kept longer, so that what somebody changes in the database by hand shows.
    private static let age = Duration.seconds(1)

    private let mark: @Sendable () -> JobsMark?
    private let timekeeper: any Timekeeper
    private let state = Mutex(State())

    /// - Parameter mark: the leader's.
    init(timekeeper: any Timekeeper, mark: @escaping @Sendable () -> JobsMark?) {
        self.timekeeper = timekeeper
        self.mark = mark
    }

    func job(
        named name: String, read: () async throws(StoreError) -> Job?
    ) async throws(StoreError) -> Job? {
        let before = mark()
        if let found = look(before, { $0.jobs[name] }) { return found }
        let job = try await read()
        if let job { keep(before, count: 1) { $0.jobs[name] = job } }
        return job
    }

    func page(
        after name: String?, limit: Int, read: () async throws(StoreError) -> [Job]
    ) async throws(StoreError) -> [Job] {
        let before = mark()
        let page = Page(after: name, limit: limit)
        if let found = look(before, { $0.pages[page] }) { return found }
        let jobs = try await read()
        keep(before, count: jobs.count) { $0.pages[page] = jobs }
        return jobs
    }

    private func look<Found>(_ mark: JobsMark?, _ find: (State) -> Found?) -> Found? {
        guard let mark else { return nil }
        let now = timekeeper.monotonicNow
        return state.withLock { state in
            guard state.mark == mark, state.filled.duration(to: now) < Self.age else { return nil }
            return find(state)
        }
    }

    /// Only what was read while nothing changed.
    private func keep(_ before: JobsMark?, count: Int, _ body: (inout State) -> Void) {
        guard let before, mark() == before, count <= Self.limit else { return }
        let now = timekeeper.monotonicNow
        state.withLock { state in
            if state.mark != before || state.filled.duration(to: now) >= Self.age || state.count + count > Self.limit {
                state = State(mark: before, filled: now)
            }
            state.count += count
            body(&state)
        }
    }
}
