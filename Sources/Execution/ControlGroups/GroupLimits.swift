import Domain

/// Limits of one run as the kernel takes them. Nil: none.
struct GroupLimits: Hashable, Sendable {
    var memoryBytes: Int64?
    /// Microseconds of processor time in each second.
    var quota: Int64?
    /// Thousandths of what a run with one cpu gets when several want the same processor.
    var weight: Int64 = 1_000
    var processes: Int64?

    /// One second. Short commands of jobs with a small share (Chronos gives 0.1 cpus to who names none) end before they
    /// have used up what they have for a second, and are not slowed down at all; in the long run the limit holds.
    static let period: Int64 = 1_000_000
    /// Starting a command costs some milliseconds: with less a second the limit would hold back each start for long.
    private static let leastQuota: Int64 = 50_000
    /// Beside others that want the processor a run with less would not even start.
    private static let leastWeight: Int64 = 10
    /// Nothing that is executed fits into less; a job with a smaller limit is killed while it starts.
    private static let leastMemory: Int64 = 1 << 20
    private static let megabyte = 1_048_576.0

    init() {}

    /// - Parameter processes: what the worker allows where the job names no limit; 0: any number.
    init(_ resources: Resources, _ limits: RunLimits, processes: Int64) {
        if let bytes = Int64(exactly: (resources.memory * Self.megabyte).rounded()), bytes > 0 {
            memoryBytes = max(Self.leastMemory, bytes)
        }
        if let quota = Int64(exactly: (resources.cpus * Double(Self.period)).rounded()), quota > 0 {
            self.quota = max(Self.leastQuota, quota)
        }
        if let weight = Int64(exactly: (resources.cpus * 1_000).rounded()), weight > 0 {
            self.weight = min(max(Self.leastWeight, weight), 1_000_000)
        }
        let wanted = [limits.processes, processes].filter { $0 > 0 }.min()
        self.processes = wanted
    }

    /// Without what is not enforced here.
    func reduced(to enforced: Set<EnforcedLimit>, has roots: GroupRoots) -> GroupLimits {
        var limits = self
        if !enforced.contains(.memory) { limits.memoryBytes = nil }
        if !enforced.contains(.cpu) { limits.quota = nil }
        if !enforced.contains(.processes) { limits.processes = nil }
        if roots.cpu == nil { limits.weight = 1_000 }
        return limits
    }
}
