public import Timetable

/// What sets a run apart from the others of its job: how it was asked for, and what was changed for it alone. Most runs
/// have none. Shared, since it never changes.
public final class RunContext: Hashable, Sendable {
    /// Replaces the job's definition for this run (overrides of a manual run); nil: the job's.
    public let definition: JobDefinition?
    /// For people: "Manual (jane)", "API Key (deploy)", "Chain Reaction (backup)"; empty: the scheduler.
    public let source: String
    public let chain: ChainLink?
    /// JSON text of the body of the request that asked for the run; empty: none.
    public let postData: String
    /// The only worker that may take it: a copy of a multiplexed run. Empty: any.
    public let worker: String
    /// Of the request that asked for the run, or for the one that led to it.
    public let trace: TraceContext?
    /// When its first try began, once there is another one and the time for all of them is limited.
    public let firstStart: Instant?

    public init(
        definition: JobDefinition? = nil, source: String = "", chain: ChainLink? = nil, postData: String = "",
        worker: String = "", trace: TraceContext? = nil, firstStart: Instant? = nil
    ) {
        self.definition = definition
        self.source = source
        self.chain = chain
        self.postData = postData
        self.worker = worker
        self.trace = trace
        self.firstStart = firstStart
    }

    public static func == (left: RunContext, right: RunContext) -> Bool {
        left === right
            || (left.definition == right.definition && left.source == right.source && left.chain == right.chain
                && left.postData == right.postData && left.worker == right.worker && left.trace == right.trace
                && left.firstStart == right.firstStart)
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(source)
        hasher.combine(chain)
    }
}

/// The run whose end launched this one, and what it hands on.
public struct ChainLink: Hashable, Sendable {
    public var run: RunID
    public var job: JobID
    public var jobTitle: String
    /// JSON texts.
    public var data: String
    public var code: String
    public var description: String
    /// Runs before this one in the chain: loops end at `Limits.chainLength`.
    public var length: Int
    /// JSON object text merged into the parameters of the plugin; empty: none.
    public var parameters = ""

    public init(
        run: RunID, job: JobID, jobTitle: String, data: String, code: String, description: String, length: Int
    ) {
        self.run = run
        self.job = job
        self.jobTitle = jobTitle
        self.data = data
        self.code = code
        self.description = description
        self.length = length
    }
}
