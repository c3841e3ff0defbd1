public import Domain
public import Operations
public import Timetable

/// What the calls work with.
public struct CronicleDependencies: Sendable {
    public var authenticator: Authenticator
    public var accounts: Accounts
    public var keys: KeyRecords
    public var events: EventOperations
    public var runs: RunRecords
    public var logs: any RunLogReading
    public var tokens: LogTokens
    /// For time zones of events.
    public var zones: any ZoneDatabase
    public var activity: ActivityLog
    public var clock: any WallClock
    public var system: any CronicleSystem
    public var log: @Sendable (String) -> Void
    /// Sends a letter: address, subject, text. What fails is logged there.
    public var mail: @Sendable (String, String, String) async -> Void

    public init(
        authenticator: Authenticator, accounts: Accounts, keys: KeyRecords, events: EventOperations, runs: RunRecords,
        logs: any RunLogReading, tokens: LogTokens, zones: any ZoneDatabase, activity: ActivityLog,
        clock: any WallClock, system: any CronicleSystem, log: @escaping @Sendable (String) -> Void,
        mail: @escaping @Sendable (String, String, String) async -> Void
    ) {
        self.mail = mail
        self.authenticator = authenticator
        self.accounts = accounts
        self.keys = keys
        self.events = events
        self.runs = runs
        self.logs = logs
        self.tokens = tokens
        self.zones = zones
        self.activity = activity
        self.clock = clock
        self.system = system
        self.log = log
    }
}

/// What the dialect shows of the node that answers.
public protocol CronicleSystem: Sendable {
    var hostName: String { get }
    var nodeName: String { get }
    var facts: SystemFacts { get }
    /// Name of the node that leads; nil while none does.
    func leaderName() async throws -> String?
    /// Knocks at a host where a node would listen.
    func contact(_ host: String) async -> ContactOutcome
    /// Waits; for the call that tests clients' patience.
    func pause(_ duration: Duration) async throws
}

public enum ContactOutcome: Sendable {
    case refused(String)
    case isNode
    /// Something answers that is no node.
    case other
}

public struct SystemFacts: Sendable {
    public var version = ""
    public var address = ""
    public var port = 0
    public var process: Int32 = 0
    public var uptime = Duration.zero
    /// Time of the last turn of the leader, if this node leads.
    public var lastTick: Instant?
    public var userMicroseconds: Int64 = 0
    public var systemMicroseconds: Int64 = 0
    public var residentBytes: Int64 = 0
    public var leaderHost = ""
    public init() {}
}
