import Domain
import Runtime
import Synchronization

/// Names one state of the cluster's jobs, as the leader knows it: as long as a node gives the same mark, no job has
/// changed, since only the leader writes jobs.
public struct JobsMark: Hashable, Sendable {
    fileprivate var term: Term
    fileprivate var generation: UInt64
}

/// Gives marks while this node leads and is trusted, but for the time in which a change is under way.
final class JobsMarks: Sendable {
    private struct State {
        var office: Leader.Office?
        var generation: UInt64 = 0
        var changesUnderWay = 0
    }

    private let state = Mutex(State())

    func begin(_ office: Leader.Office) {
        state.withLock {
            $0.office = office
            $0.generation += 1
        }
    }

    func end() { state.withLock { $0.office = nil } }

    func changeBegins() { state.withLock { $0.changesUnderWay += 1 } }

    /// Whether it was made or not.
    func changeEnds() {
        state.withLock {
            $0.changesUnderWay -= 1
            $0.generation += 1
        }
    }

    func mark(at now: MonotonicInstant) -> JobsMark? {
        state.withLock {
            guard let office = $0.office, $0.changesUnderWay == 0, office.trust.isValid(at: now) else { return nil }
            return JobsMark(term: office.term, generation: $0.generation)
        }
    }
}
