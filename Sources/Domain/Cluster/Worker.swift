public import Timetable

/// What a worker says of itself when it registers.
public struct WorkerDescription: Hashable, Sendable {
    public var name: String
    /// Where nodes reach it.
    public var url: String
    /// Changes at each start of the worker's process.
    public var boot: String
    public var capacity: Resources
    /// Attributes for constraints, `hostname` among them.
    public var attributes: [String: String]
    public var version: String

    public init(
        name: String, url: String, boot: String, capacity: Resources, attributes: [String: String], version: String
    ) {
        self.name = name
        self.url = url
        self.boot = boot
        self.capacity = capacity
        self.attributes = attributes
        self.version = version
    }
}

/// A try that a worker has in its journal.
public struct HeldAttempt: Hashable, Sendable {
    public enum Phase: String, Sendable, CaseIterable {
        /// Journalled, claim not answered yet.
        case accepted
        /// Claimed; the command runs or is about to.
        case started
        /// Ended; the report is not acknowledged yet.
        case finished
    }
    public var attempt: AttemptID
    public var phase: Phase
    /// Of a started one: how it goes; nil where nothing has changed since it was last said.
    public var details: AttemptDetails?
    public init(attempt: AttemptID, phase: Phase, details: AttemptDetails? = nil) {
        self.attempt = attempt
        self.phase = phase
        self.details = details
    }
}

/// A worker as the store keeps it.
public struct Worker: Hashable, Sendable {
    public var description: WorkerDescription
    public var isDrained: Bool
    public var registered: Instant
    public init(description: WorkerDescription, isDrained: Bool, registered: Instant) {
        self.description = description
        self.isDrained = isDrained
        self.registered = registered
    }
}

/// A node as the store keeps it.
public struct NodeDescription: Hashable, Sendable {
    public var name: String
    public var url: String
    public var boot: String
    public var version: String
    public init(name: String, url: String, boot: String, version: String) {
        self.name = name
        self.url = url
        self.boot = boot
        self.version = version
    }
}

/// Who leads, as the row in the database says.
public struct LeaderRecord: Hashable, Sendable {
    public var term: Term
    public var node: String
    public var url: String
    public var boot: String
    public var resigned: Bool
    public init(term: Term, node: String, url: String, boot: String, resigned: Bool) {
        self.term = term
        self.node = node
        self.url = url
        self.boot = boot
        self.resigned = resigned
    }
}
