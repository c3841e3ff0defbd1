// What is read of many runs at once, for people and their tools.

public import Timetable

/// Runs of a job that have not ended.
public struct JobActivity: Hashable, Sendable {
    public var started: Int
    /// Queued, offered, or between two tries.
    public var waiting: Int
    /// Those of the waiting ones that go before others.
    public var urgent: Int
    public init(started: Int = 0, waiting: Int = 0, urgent: Int = 0) {
        self.started = started
        self.waiting = waiting
        self.urgent = urgent
    }
    public static let idle = JobActivity()
}

/// How long the last successful runs of a job took, in milliseconds from the start of the last try to its end.
public struct RunDurations: Hashable, Sendable {
    /// Runs that are looked at, the last ones: Chronos' reservoir.
    public static let sampleSize = 1_028
    /// In the order of `quantiles`.
    public static let quantileLevels = [0.5, 0.75, 0.95, 0.98, 0.99, 0.999]

    public var count: Int64
    public var mean: Double
    public var minimum: Double
    public var maximum: Double
    /// Standard deviation of the sample itself.
    public var deviation: Double
    /// Interpolated between the two nearest runs.
    public var quantiles: [Double]

    public init(
        count: Int64, mean: Double, minimum: Double, maximum: Double, deviation: Double, quantiles: [Double]
    ) {
        self.count = count
        self.mean = mean
        self.minimum = minimum
        self.maximum = maximum
        self.deviation = deviation
        self.quantiles = quantiles
    }

    /// Of a job that never succeeded.
    public static let none = RunDurations(
        count: 0, mean: 0, minimum: 0, maximum: 0, deviation: 0,
        quantiles: quantileLevels.map { _ in 0 })

    /// - Parameter level: one of `quantileLevels`; 0 for others.
    public func quantile(_ level: Double) -> Double {
        guard let position = Self.quantileLevels.firstIndex(of: level), position < quantiles.count else { return 0 }
        return quantiles[position]
    }
}

/// A job without its definition, for what is asked of all jobs at once.
public struct JobMark: Hashable, Sendable {
    public var id: JobID
    public var name: String
    public var version: Int64
    public var counters: JobCounters
    public init(id: JobID, name: String, version: Int64, counters: JobCounters) {
        self.id = id
        self.name = name
        self.version = version
        self.counters = counters
    }
}

/// Where a page of ended runs stopped: the next one goes on with older runs.
public struct HistoryPosition: Hashable, Sendable {
    public var finishedAt: Instant
    public var run: RunID
    public init(finishedAt: Instant, run: RunID) {
        self.finishedAt = finishedAt
        self.run = run
    }
    /// Nil for a run that has not ended.
    public init?(after run: Run) {
        guard let finishedAt = run.finishedAt else { return nil }
        self.init(finishedAt: finishedAt, run: run.id)
    }
}

extension JobDefinition {
    /// Complete argument vector after the command; empty where a shell evaluates the command, which ignores arguments.
    /// - Parameter adHoc: those of one run, split at blanks and appended.
    public func argumentVector(adHoc: String) -> [String] {
        guard !shell else { return [] }
        return arguments + adHoc.split(whereSeparator: { $0 == " " || $0 == "\t" }).map(String.init)
    }
}

extension Run {
    /// Chronos' task id of a try of this run.
    /// - Parameter definition: of the version that the run was launched with.
    public func taskID(_ definition: JobDefinition, attempt: Int) -> String {
        var run = self
        run.attempt = attempt
        return run.taskID(
            arguments: (context?.definition ?? definition).argumentVector(adHoc: adHocArguments)
                .joined(separator: " "))
    }
}
