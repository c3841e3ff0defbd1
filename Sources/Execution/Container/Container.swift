// Container: runs in containers, by an engine that speaks the Docker Engine API.
//
// Invariants
// - A container belongs to one try and says so: its name and its labels are the try's, and the label of the work
//   directory tells it from other workers' containers on the same machine. So a worker that starts anew finds what its
//   former process has left, and removes it; it touches no other container.
// - A container gets no more than a command would: the user is the one that the worker's policy decides, directories of
//   the machine are mounted only where that user's power or the operator allows it, and what would let it out of its
//   isolation (`ContainerOptions.demands`) needs the operator's word.
// - It is removed in any case, with its anonymous volumes, when its end is known.
//
// The sandbox with the artifacts is mounted at /mnt/mesos/sandbox, as Mesos does it (MESOS_SANDBOX says where).
//
// It refuses to know: HTTP, sockets, JSON of an engine. `ContainerEngine` is the port.

public import Domain

/// An engine that runs containers. All calls have deadlines of their own; cancellation abandons the answer.
public protocol ContainerEngine: Sendable {
    func hasImage(_ image: String) async throws -> Bool
    /// - Throws: `EngineError` with the registry's words.
    func pull(_ image: String, limit: Duration) async throws
    /// Does nothing where a volume of that name exists.
    func makeVolume(_ volume: ContainerSpec.External) async throws
    /// - Returns: the new container's identity.
    func create(_ order: ContainerOrder) async throws -> String
    func start(_ container: String) async throws
    /// Nil when there is no such container.
    func state(of container: String) async throws -> ContainerState?
    /// Returns when it does not run, after some time in any case.
    func wait(for container: String) async throws
    /// Its output from the beginning, both streams in the order in which they came.
    /// - Parameter follows: while it runs, what comes next too; otherwise what there is.
    func output(of container: String, follows: Bool, receive: @Sendable ([UInt8]) async throws -> Void) async throws
    /// TERM (or what the image asks for), after the grace KILL. Returns when it has ended.
    func stop(_ container: String, grace: Duration) async throws
    func kill(_ container: String) async throws
    /// With its anonymous volumes, running or not; nothing where there is none.
    func remove(_ container: String) async throws
    /// All containers, ended ones too, that carry the label.
    func containers(label: String, value: String) async throws -> [FoundContainer]
}

public struct EngineError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Code: Sendable, Hashable {
        /// Nobody answers at the socket, or not in time: the outcome is unknown.
        case unreachable
        case notFound
        /// The name is taken.
        case conflict
        /// The engine has said no.
        case refused
    }
    public let code: Code
    /// In the engine's words.
    public let message: String
    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }
    public var description: String { message }
}

/// A container that is to be made.
public struct ContainerOrder: Sendable, Hashable {
    public struct Mount: Sendable, Hashable {
        /// A path, or the name of a volume.
        public let source: String
        public let target: String
        public let isReadOnly: Bool
    }

    public var name: String
    public var image: String
    /// Nil: the image's own.
    public var entryPoint: [String]?
    public var command: [String] = []
    /// "NAME=value".
    public var environment: [String] = []
    public var labels: [(name: String, value: String)] = []
    /// Numbers, "user:group"; empty: the image's own.
    public var user = ""
    public var groups: [String] = []
    /// `bridge`, `host`, or the name of a network.
    public var network: String
    public var mounts: [Mount] = []
    /// Paths that get an anonymous volume.
    public var anonymousVolumes: [String] = []
    /// Nil: not limited.
    public var memoryBytes: Int64?
    /// A hard limit; nil: none.
    public var cpus: Double?
    /// Against others that want the same processors.
    public var weight: Double
    public var processes: Int64?
    /// The job's own, which come last.
    public var settings: [ContainerOptions.Setting] = []

    public static func == (left: Self, right: Self) -> Bool { left.name == right.name }
    public func hash(into hasher: inout Hasher) { hasher.combine(name) }
}

public struct ContainerState: Sendable, Hashable {
    public var isRunning: Bool
    /// Its first process; 0 when it does not run.
    public var process: Int32
    public var exitCode: Int
    public var wasKilledForMemory: Bool
    /// What kept it from running.
    public var problem: String
    public init(isRunning: Bool, process: Int32, exitCode: Int, wasKilledForMemory: Bool, problem: String) {
        self.isRunning = isRunning
        self.process = process
        self.exitCode = exitCode
        self.wasKilledForMemory = wasKilledForMemory
        self.problem = problem
    }
}

public struct FoundContainer: Sendable, Hashable {
    public var id: String
    public var labels: [String: String]
    public init(id: String, labels: [String: String]) {
        self.id = id
        self.labels = labels
    }
}

/// Bounds of a worker's containers.
public struct ContainerSettings: Sendable {
    public var policy: ContainerPolicy
    /// For an image to come.
    public var pullLimit: Duration = .seconds(600)
    /// Processes and threads of a container whose job names no lower limit.
    public var processLimit: Int64 = 4_096
    /// Limits that are handed to the engine.
    public var enforced: Set<EnforcedLimit> = Set(EnforcedLimit.allCases)
    public init(policy: ContainerPolicy) { self.policy = policy }
}

enum ContainerLimits {
    /// Engines refuse less.
    static let leastMemory: Int64 = 6 * 1024 * 1024
    static let leastCPUs = 0.01
    /// After the end: how long nothing of the rest of the output may come before it is given up. However much there
    /// is, it is read as long as it comes.
    static let outputSilence: Duration = .seconds(20)
    /// After the end, an engine that is still following the output and says nothing for so long is asked for all of it.
    static let followingSilence: Duration = .seconds(1)
    /// Attempts at the rest of the output.
    static let lastReadings = 5
    /// Beyond the grace, for an engine to say that a container has ended.
    static let stopPatience: Duration = .seconds(15)
    static let sandbox = "/mnt/mesos/sandbox"
}

enum ContainerLabel {
    static let attempt = "io.carillon.attempt"
    static let job = "io.carillon.job"
    static let workDirectory = "io.carillon.work-directory"
}
