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

    /// Which one of those that could take a run.
    public enum Preference: Sendable {
        /// The largest share of free cpus.
        case spread
        /// By name.
        case first
        case last
        /// Each with equal chance; the same seed chooses the same.
        case random(seed: UInt64)
        /// The first at or after the position in the order of names, else the first of all.
        case from(position: Int, positions: [String: Int])
        /// The smallest value at its position; equal ones by name.
        case least([Double], positions: [String: Int])
    }

    /// What the runs of a worker use.
    struct Load: Hashable, Sendable {
        /// Percent of one core.
        var cpu = 0.0
        /// Bytes.
        var memory = 0.0

        mutating func add(_ promised: Resources, reported: AttemptDetails? = nil) {
            cpu += reported?.cpu?.current ?? promised.cpus * 100
            memory += reported?.memory?.current ?? promised.memory * 1_048_576
        }
    }

    /// Spreads what differs little over all numbers (FNV-1a, then the finalizer of splitmix64).
    static func seed(_ attempt: AttemptID) -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in attempt.run.rawValue.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        hash = (hash ^ UInt64(truncatingIfNeeded: attempt.number)) &* 0x100_0000_01b3
        hash = (hash ^ (hash >> 30)) &* 0xbf58_476d_1ce4_e5b9
        hash = (hash ^ (hash >> 27)) &* 0x94d0_49bb_1331_11eb
        return hash ^ (hash >> 31)
    }

    /// The preferred worker among those that satisfy constraints and have room. The answer does not depend on the order
    /// of the candidates, but for `random`, which wants them sorted by name.
    public static func choose(
        resources: Resources, constraints: [Constraint], excluded: Set<String>, among candidates: [Candidate],
        preferring preference: Preference = .spread
    ) -> Choice {
        var best: Candidate?
        var fitting: [Candidate] = []
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
            if case .random = preference {
                fitting.append(candidate)
                continue
            }
            if let current = best, !isBetter(candidate, than: current, preference) { continue }
            best = candidate
        }
        if case .random(let seed) = preference, !fitting.isEmpty {
            best = fitting[Int(seed % UInt64(fitting.count))]
        }
        if let best { return .worker(best.name) }
        if couldFit { return .busy(reason: "every worker that could take it is busy: it needs \(resources.text)") }
        if tooLarge { return .impossible(reason: "it needs \(resources.text), more than any eligible worker has") }
        if let unsatisfied {
            // Said first of all that a worker lacks: what else it lacks does not matter then.
            let isEngine = unsatisfied == Constraint.containerEngine?.text
            return .impossible(
                reason: isEngine
                    ? "no worker that could take it runs containers (it needs Docker's or podman's service there)"
                    : "no worker satisfies the constraint \(unsatisfied)")
        }
        if candidates.isEmpty { return .impossible(reason: "no worker is alive") }
        return .impossible(reason: "every worker has refused it")
    }

    private static func isBetter(_ left: Candidate, than right: Candidate, _ preference: Preference) -> Bool {
        switch preference {
        case .spread:
            let (a, b) = (share(left), share(right))
            return a > b || (a == b && left.name < right.name)
        case .first, .random: return left.name < right.name
        case .last: return left.name > right.name
        case .from(let position, let positions):
            let (a, b) = (positions[left.name] ?? .max, positions[right.name] ?? .max)
            return (a < position ? 1 : 0, a) < (b < position ? 1 : 0, b)
        case .least(let values, let positions):
            let (a, b) = (value(left, values, positions), value(right, values, positions))
            return a < b || (a == b && left.name < right.name)
        }
    }

    private static func value(_ candidate: Candidate, _ values: [Double], _ positions: [String: Int]) -> Double {
        guard let position = positions[candidate.name], values.indices.contains(position) else { return .infinity }
        return values[position]
    }

    private static func share(_ candidate: Candidate) -> Double {
        candidate.capacity.cpus > 0 ? candidate.free.cpus / candidate.capacity.cpus : 0
    }
}

extension Resources {
    var text: String { "\(cpus) cpus, \(memory) MB memory, \(disk) MB disk" }
}
