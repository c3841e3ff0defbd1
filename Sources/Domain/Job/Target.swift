/// Which workers a job may run on, besides its constraints.
public enum Target: Hashable, Sendable {
    case any
    /// The name of one worker, the identifier of a worker group, or the name of a host. What it is is decided when a
    /// run is placed: the first of these that there is.
    case named(String)

    public var name: String {
        switch self {
        case .any: ""
        case .named(let name): name
        }
    }
}

/// How a worker is chosen among those that may take a run.
public enum PlacementAlgorithm: String, Sendable, CaseIterable {
    /// The one with the largest share of free cpus.
    case spread
    case random
    case roundRobin = "round_robin"
    /// The one whose runs use the least, by what it has reported.
    case leastCPU = "least_cpu"
    case leastMemory = "least_mem"
    /// First and last by name.
    case preferFirst = "prefer_first"
    case preferLast = "prefer_last"

    var needsLoads: Bool { self == .leastCPU || self == .leastMemory }
}
