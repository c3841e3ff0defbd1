/// What a worker knows of a try besides how it ended; sent while it runs as well.
public struct AttemptDetails: Hashable, Sendable {
    /// Percent of one core over the whole process tree; nil for tries too short to be looked at.
    public var cpu: UsageStatistics?
    /// Bytes of resident memory over the whole process tree.
    public var memory: UsageStatistics?
    /// Bytes of output so far.
    public var logBytes: Int64 = 0
    public var process: Int32?
    /// JSON object text of what the task itself has said by the plugin protocol: progress, code, description, perf,
    /// table, html, label, chain data and so on, each with its last value. At most `Limits.reported` bytes.
    public var reported = "{}"
    /// Descendants that were still alive after KILL.
    public var survivors = 0

    public init() {}
}

/// Cronicle's `cpu` and `mem` objects.
public struct UsageStatistics: Hashable, Sendable {
    public var minimum: Double
    public var maximum: Double
    public var total: Double
    public var count: Int64
    public var current: Double

    public init(first value: Double) {
        minimum = value
        maximum = value
        total = value
        count = 1
        current = value
    }

    public init(minimum: Double, maximum: Double, total: Double, count: Int64, current: Double) {
        self.minimum = minimum
        self.maximum = maximum
        self.total = total
        self.count = count
        self.current = current
    }

    public mutating func add(_ value: Double) {
        minimum = min(minimum, value)
        maximum = max(maximum, value)
        total += value
        count += 1
        current = value
    }
}
