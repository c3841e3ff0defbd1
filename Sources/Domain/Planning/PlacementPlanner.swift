/// Chooses a worker for a try, or says why there is none.
public enum PlacementPlanner {
    /// What placement must know of a worker.
    public struct Candidate: Hashable, Sendable {
        public var name: String
        public var attributes: [String: String]
        public var free: Resources
        public var capacity: Resources
        public init(name: String, attributes: [String: String], free: Resources, capacity: Resources) {
            self.name = name
            self.attributes = attributes
            self.free = free
            self.capacity = capacity
        }

        func satisfies(_ constraints: [Constraint]) -> Bool {
            constraints.allSatisfy { $0.isSatisfied(by: attributes) }
        }
    }

    public enum Choice: Hashable, Sendable {
        case worker(String)
        /// Some worker could take it when others have ended.
        case busy(reason: String)
        /// No worker that is alive could ever take it as things stand.
        case impossible(reason: String)
    }

    /// The worker with the largest share of free cpus among those that satisfy constraints and have room; equal ones by
    /// name, so that the answer does not depend on the order of the candidates.
    public static func choose(
        resources: Resources, constraints: [Constraint], excluded: Set<String>, among candidates: [Candidate]
    ) -> Choice {
        var best: Candidate?
        var unsatisfied: String?
        var tooLarge = false
        var couldFit = false
        for candidate in candidates where !excluded.contains(candidate.name) {
            if let failed = constraints.first(where: { !$0.isSatisfied(by: candidate.attributes) }) {
                unsatisfied = failed.text
                continue
            }
            guard resources.fits(in: candidate.capacity) else {
                tooLarge = true
                continue
            }
            couldFit = true
            guard resources.fits(in: candidate.free) else { continue }
            if let current = best, !isBetter(candidate, than: current) { continue }
            best = candidate
        }
        if let best { return .worker(best.name) }
        if couldFit { return .busy(reason: "every worker that could take it is busy: it needs \(resources.text)") }
        if tooLarge { return .impossible(reason: "it needs \(resources.text), more than any eligible worker has") }
        if let unsatisfied { return .impossible(reason: "no worker satisfies the constraint \(unsatisfied)") }
        if candidates.isEmpty { return .impossible(reason: "no worker is alive") }
        return .impossible(reason: "every worker has refused it")
    }

    private static func isBetter(_ left: Candidate, than right: Candidate) -> Bool {
        let (a, b) = (share(left), share(right))
        return a > b || (a == b && left.name < right.name)
    }

    private static func share(_ candidate: Candidate) -> Double {
        candidate.capacity.cpus > 0 ? candidate.free.cpus / candidate.capacity.cpus : 0
    }
}

extension Resources {
    var text: String { "\(cpus) cpus, \(memory) MB memory, \(disk) MB disk" }
}
