public import Timetable

/// Something that people or programs outside are told of. Written with what it tells of in one transaction, sent from
/// the outbox afterwards, at least once.
public struct Notice: Hashable, Sendable {
    public enum Kind: String, Sendable, CaseIterable {
        /// The first try of a run has been claimed.
        case runStarted
        /// A run has ended, whatever its state.
        case runEnded
        /// An occurrence of the job's schedule was not launched: too many run already, or nobody could take it.
        case launchRefused
        /// What was to follow the end of a run, or a refusal, was not launched.
        case chainRefused
        /// The job will not run again by itself: its repetitions are used up, or its schedule cannot be computed.
        case jobDisabled
        case jobDeleted
    }

    public var kind: Kind
    public var job: JobID
    /// What the job was when it happened.
    public var definition: JobDefinition
    public var run: Run?
    /// The run's last try, if there was one.
    public var record: AttemptRecord?
    /// Why, for people; may be empty.
    public var reason: String
    public var at: Instant

    public init(
        kind: Kind, job: JobID, definition: JobDefinition, run: Run? = nil, record: AttemptRecord? = nil,
        reason: String = "", at: Instant
    ) {
        self.kind = kind
        self.job = job
        self.definition = definition
        self.run = run
        self.record = record
        self.reason = reason
        self.at = at
    }
}

/// Ways out. The owner's channels have the shapes of Chronos (chronos.md §3.16), the others those of Cronicle
/// (cronicle.md §2.10).
public enum NotificationChannel: String, Sendable, CaseIterable {
    case ownerMail
    case slack
    case mattermost
    case http
    case mail
    case webHook
    /// The list of what has happened, which the cluster itself keeps.
    case activity

    /// The destination is not in the message but in the configuration of the node that sends it.
    public var isConfigured: Bool {
        switch self {
        case .slack, .mattermost, .http: true
        case .ownerMail, .mail, .webHook, .activity: false
        }
    }
}

/// One message that waits to be sent.
public struct OutboxMessage: Hashable, Sendable {
    /// The same at each try: receivers can tell a repetition by it.
    public var id: String
    public var channel: NotificationChannel
    /// Addresses, URL, or the owner where the channel itself is configured.
    public var destination: String
    public var notice: Notice

    public init(id: String, channel: NotificationChannel, destination: String, notice: Notice) {
        self.id = id
        self.channel = channel
        self.destination = destination
        self.notice = notice
    }
}
