// Process: commands as processes of this machine.
//
// `ProcessLauncher` is the seam that the simulation replaces. `SpawnLauncher` is the real one: own session and sandbox,
// environment from nothing, output through a pipe into a bounded file. A started process is a `SpawnedProcess`, an
// actor on the loop: pidfd and pipe are the loop's sources; whatever blocks (spawn, files, /proc) goes to small pools.
//
// All that belongs to a run stands in its control group, wherever there are control groups (see ControlGroups). Where
// there are none, descendants are found by session, group and parent, and those that have left all three (double fork
// and setsid) by being children of this process, which is their subreaper, and by the sandbox named in their
// environment. A process that has done all of that and cleared its environment has escaped there.

public import Domain

/// What is to be started.
public struct LaunchOrder: Sendable {
    public internal(set) var offer: Offer
    /// Name of the user to run as; empty: the worker's own.
    public let user: String
    /// Of the worker, for the variable HOST.
    public let hostName: String
    /// Lines for the beginning of the run's log.
    var notes: [String] = []
    /// Its sandbox is made, filled, and belongs to the user.
    var isSandboxReady = false

    public init(offer: Offer, user: String, hostName: String) {
        self.offer = offer
        self.user = user
        self.hostName = hostName
    }
}

/// Why a command was not started, for people.
public struct LaunchError: Error, Hashable, Sendable, CustomStringConvertible {
    public let message: String
    public init(_ message: String) { self.message = message }
    public var description: String { message }
}

/// A try of a former process of this worker that may still have processes.
public struct Survivor: Hashable, Sendable {
    public let attempt: AttemptID
    /// Nil when the worker ended before it could note it.
    public let process: ProcessIdentity?
    public init(attempt: AttemptID, process: ProcessIdentity?) {
        self.attempt = attempt
        self.process = process
    }
}

public protocol ProcessLauncher: Sendable {
    /// Returns when the command has been executed.
    func launch(_ order: LaunchOrder) async throws(LaunchError) -> any RunningProcess

    /// Runs of a former process of this worker that go on, or have ended with nobody there to see it. Called once,
    /// before `endSurvivors`.
    /// - Parameter isWanted: whether to go on with it; the others are left to `endSurvivors`.
    func adopt(_ isWanted: @escaping @Sendable (Offer) -> Bool) async -> [AdoptedRun]

    /// Ends what is left of tries of a former process of this worker, and gives the last output of each. Called once,
    /// at the start, also when there are none: then there may still be something to tidy up.
    func endSurvivors(_ survivors: [Survivor], grace: Duration) async -> [AttemptID: String]

    /// What the runs use now: one look at all of them. In no order; those that have just begun may be missing.
    func sample() async -> [UsageSample]

    /// Megabytes that are free below the work directory.
    func freeDisk() async -> Double

    /// Regular cleaning: old logs, dead strays.
    func tidy() async
}

extension ProcessLauncher {
    public func sample() async -> [UsageSample] { [] }
    public func adopt(_ isWanted: @escaping @Sendable (Offer) -> Bool) async -> [AdoptedRun] { [] }
}

public protocol RunningProcess: Sendable {
    var identity: ProcessIdentity { get }

    /// Returns when the command and all its descendants have ended. One caller.
    func ended() async -> ProcessEnd

    /// It goes on when the worker's process ends.
    var outlivesWorker: Bool { get }

    /// The worker's process is about to end: stops looking after the run, whose `ended` returns with `wasLeft`.
    func leave() async

    /// It has other limits now: what the worker's next process must know.
    func remember(_ offer: Offer) async

    /// Begins to end it with its descendants: TERM at once, KILL after the grace. A second call changes nothing.
    func end(grace: Duration) async

    /// What a plugin's task has told, as the text of a JSON object; nil where that is nothing new since the last call.
    func news() async -> String?

    /// After the end: writes the last lines of the log, and closes it.
    func conclude(_ footer: String) async

    /// After the end: removes the sandbox.
    func discard() async
}

extension RunningProcess {
    public var outlivesWorker: Bool { false }
    public func leave() async {}
    public func remember(_ offer: Offer) async {}
    public func news() async -> String? { nil }
    public func conclude(_ footer: String) async {}
}

public struct ProcessEnd: Hashable, Sendable {
    public enum Status: Hashable, Sendable {
        case exited(code: Int)
        case signalled(Int)
    }
    public let status: Status
    /// `end(grace:)` was called before the command ended by itself.
    public let wasEnded: Bool
    /// At most `Limits.outputTail` bytes of valid UTF-8 without NUL.
    public let outputTail: String
    /// Why its output could not be kept, which makes the try a failure; nil when it was.
    public let outputProblem: String?
    /// The kernel has killed it, or a part of it, because it needed more memory than it may have.
    public var wasKilledForMemory = false
    /// Processes of it that were still alive long after KILL.
    public var survivors = 0
    public var outputBytes: Int64 = 0
    /// It has not ended: the worker's next process looks after it.
    public var wasLeft = false

    static var left: ProcessEnd {
        var end = ProcessEnd(status: .signalled(0), wasEnded: false, outputTail: "")
        end.wasLeft = true
        return end
    }
    /// Of a plugin's task.
    var task: TaskEnd?

    public init(status: Status, wasEnded: Bool, outputTail: String, outputProblem: String? = nil) {
        self.status = status
        self.wasEnded = wasEnded
        self.outputTail = outputTail
        self.outputProblem = outputProblem
    }
}
