/// Limits that a worker enforces on a run by looking at it about once a second (cronicle.md §2.9), besides its timeout
/// and besides what control groups enforce. Zero or nil: not limited.
public struct RunLimits: Hashable, Sendable {
    /// Percent of one core, summed over the whole process tree.
    public var cpuPercent: Double = 0
    /// How long in a row it must be exceeded.
    public var cpuSustain: Duration = .zero
    /// Bytes of resident memory, summed over the whole process tree.
    public var memoryBytes: Int64 = 0
    public var memorySustain: Duration = .zero
    /// Bytes of output.
    public var logBytes: Int64 = 0
    /// Processes and threads at once; a hard limit, by control groups only.
    public var processes: Int64 = 0

    public init() {}
    public static let none = RunLimits()
}

/// Which limit ended a try.
public enum ExceededLimit: String, Sendable, CaseIterable {
    /// The kernel ended it: its control group had no memory left.
    case hardMemory
    case memory
    case cpu
    case logSize
}
