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
    /// One kind of things that change.
    private struct Ledger {
        var generation: UInt64 = 0
        var changesUnderWay = 0
    }

    private struct State {
        var office: Leader.Office?
        var jobs = Ledger()
        var definitions = Ledger()
    }

    private let state = Mutex(State())

    func begin(_ office: Leader.Office) {
        state.withLock {
            $0.office = office
            $0.jobs.generation += 1
            $0.definitions.generation += 1
        }
    }

    func end() { state.withLock { $0.office = nil } }

    func begins(_ changes: Changes) {
        guard changes.touchesJobs || changes.touchesDefinitions else { return }
        state.withLock {
            if changes.touchesJobs { $0.jobs.changesUnderWay += 1 }
            if changes.touchesDefinitions { $0.definitions.changesUnderWay += 1 }
        }
    }

    /// Whether they were made or not.
    func ends(_ changes: Changes) {
        guard changes.touchesJobs || changes.touchesDefinitions else { return }
        state.withLock {
            if changes.touchesJobs {
                $0.jobs.changesUnderWay -= 1
                $0.jobs.generation += 1
            }
            if changes.touchesDefinitions {
                $0.definitions.changesUnderWay -= 1
                $0.definitions.generation += 1
            }
        }
    }

    func mark(at now: MonotonicInstant) -> JobsMark? {
        state.withLock {
            guard let office = $0.office, $0.jobs.changesUnderWay == 0, office.trust.isValid(at: now) else {
                return nil
            }
            return JobsMark(term: office.term, generation: $0.jobs.generation)
        }
    }

    func definitionsMark(at now: MonotonicInstant) -> DefinitionsMark? {
        state.withLock {
            guard let office = $0.office, $0.definitions.changesUnderWay == 0, office.trust.isValid(at: now) else {
                return nil
            }
            return DefinitionsMark(term: office.term, generation: $0.definitions.generation)
        }
    }
}
