// Meter: what runs use, looked at twice a second, and the limits that are held by looking.
//
// `UsageMeter` makes one pass over all runs: of a run in a control group one small file is read, and its processes only
// when it has used processor time since (what does not run cannot take memory); of runs without groups the list of all
// processes, once for all of them. `LimitWatch` decides, as a value. Texts are Cronicle's (cronicle.md §2.9).
//
// Who calls it: `SpawnLauncher.sample`, and the agent, which keeps a `LimitWatch` with each run.

public import Domain

/// What one run uses at one time, over its whole process tree.
public struct UsageSample: Hashable, Sendable {
    public var attempt: AttemptID
    /// Percent of one core over the last second or so; nil at the first look.
    public var cpu: Double?
    /// Bytes of resident memory.
    public var memory: Int64?
    /// Bytes of output so far.
    public var output: Int64
    /// The kernel has killed a part of it for want of memory.
    public var wasKilledForMemory: Bool

    public init(
        attempt: AttemptID, cpu: Double? = nil, memory: Int64? = nil, output: Int64 = 0,
        wasKilledForMemory: Bool = false
    ) {
        self.attempt = attempt
        self.cpu = cpu
        self.memory = memory
        self.output = output
        self.wasKilledForMemory = wasKilledForMemory
    }
}
