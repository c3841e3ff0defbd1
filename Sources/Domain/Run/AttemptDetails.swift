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
    /// Of `reported`, what decides what follows the end of the run; nil where the task has said none of it.
    public var result: ReportedResult?
    /// Descendants that were still alive after KILL.
    public var survivors = 0

    public init() {}
}

/// What a task said by the plugin protocol that others act on. The last value of each counts; nil: not said.
public struct ReportedResult: Hashable, Sendable {
    /// JSON text of a number or a string: `0`, `999`, `"ECONNREFUSED"`. Set for every ended plugin task.
    public var code: String?
    public var description: String?
    /// Identifiers of jobs to launch instead of those that the job names; empty: none.
    public var onSuccess: String?
    public var onFailure: String?
    /// JSON text, handed on to the next run of a chain.
    public var chainData: String?
    /// JSON object text: parameters for the next run.
    public var chainParameters: String?
    /// Addresses instead of those that the job names; empty: none.
    public var mailOnSuccess: String?
    public var mailOnFailure: String?

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
