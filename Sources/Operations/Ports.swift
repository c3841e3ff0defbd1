// What the use cases need of the store. The composition root adapts Storage's façades to these protocols.

public import Domain
public import JSON
public import Timetable

/// Jobs as they are stored now. Reads see whatever was committed before they began.
public protocol JobReading: Sendable {
    func job(named name: String) async throws(StoreError) -> Job?
    func job(_ id: JobID) async throws(StoreError) -> Job?

    /// Jobs in the order of their names, from the first one after `name` (nil: from the beginning), at most `limit`;
    /// fewer mean that there are no more. The order is the one in which `name` is compared, so that pages neither
    /// overlap nor leave gaps.
    func jobs(after name: String?, limit: Int) async throws(StoreError) -> [Job]

    /// In the order of their names.
    func search(_ search: JobSearch) async throws(StoreError) -> [Job]

    /// All jobs without their definitions, in the order of their names.
    func marks() async throws(StoreError) -> [JobMark]

    /// The definition that runs of that version were launched with; nil once it has been dropped with their history.
    func definition(_ version: JobVersion) async throws(StoreError) -> JobDefinition?
}

/// Where is kept what people and programs did, for those who ask later.
public protocol ActivityRecording: Sendable {
    /// A failure to write is reported elsewhere: what was done stays done.
    /// - Parameter action: such as `event_create`, from Cronicle's list of them.
    func record(_ action: String, by principal: Principal?, from address: String, _ payload: JSONObject) async
}

public protocol PluginReading: Sendable {
    /// Nil where there is none.
    func plugin(_ id: String) async throws(StoreError) -> Plugin?
}

/// Runs as they are stored now, active and ended.
public protocol RunReading: Sendable {
    /// Of each job that has runs which have not ended.
    func activity() async throws(StoreError) -> [JobID: JobActivity]

    /// Of each of the jobs that has ever succeeded, as far as history goes back.
    func durations(of jobs: [JobID]) async throws(StoreError) -> [JobID: RunDurations]

    /// Runs of a job that have not ended, oldest first.
    func active(of job: JobID) async throws(StoreError) -> [Run]

    /// Ended runs of a job, the one that ended last first.
    func history(of job: JobID, before position: HistoryPosition?, limit: Int) async throws(StoreError) -> [Run]

    /// Tries of these runs that have ended, in the order of their numbers.
    func attempts(of runs: [Run]) async throws(StoreError) -> [AttemptRecord]

    /// The run of a job that is named by the millisecond it was due at, active or ended.
    func run(of job: JobID, dueMilliseconds: Int64) async throws(StoreError) -> Run?

    /// What tries of data jobs have counted.
    func progress(of runs: [RunID]) async throws(StoreError) -> [AttemptID: Int64]

    /// Adds to what a try has counted; the sum stays within 64 bits.
    func addProgress(_ count: Int64, to attempt: AttemptID, at now: Instant) async throws(StoreError)
}

/// Conditions on a job's texts. Each is a part of the text, letter case ignored; nil: no condition. All must hold.
public struct JobSearch: Hashable, Sendable {
    public var name: String?
    public var command: String?
    /// Must be part of the name or of the command.
    public var any: String?
    public var limit: Int
    public var offset: Int

    public init(name: String? = nil, command: String? = nil, any: String? = nil, limit: Int, offset: Int = 0) {
        self.name = name
        self.command = command
        self.any = any
        self.limit = limit
        self.offset = offset
    }
}

public protocol LeaderReading: Sendable {
    /// Who leads, as far as this node can tell; nil while nobody does.
    func leader() async throws(StoreError) -> LeaderRecord?
}

public protocol KeyReading: Sendable {
    /// The key with that public prefix, active or not.
    func key(prefix: String) async throws(StoreError) -> StoredKey?
}

public protocol KeyWriting: Sendable {
    /// - Throws: `StoreError.conflict` when a key with that prefix exists.
    func insert(_ key: StoredKey) async throws(StoreError)
}

extension DomainError {
    /// What a failure of the store means to the one who asked.
    init(_ error: StoreError) {
        switch error.code {
        case .stale: self.init(.notLeader, "this node has just lost its office; repeat the request")
        case .conflict: self.init(.conflict, error.message)
        case .data: self.init(.invalid, error.message)
        case .connection:
            self.init(.unavailable, "the database does not answer; repeat the request in a few seconds")
        }
    }
}

extension LeaderReply {
    /// - Throws: `.unavailable` for an answer that tells of no deletion.
    func deletion() throws(DomainError) -> JobDeletion {
        guard case .deleted(let deletion) = self else {
            throw .unavailable("the leader gave an answer that does not belong to the question")
        }
        return deletion
    }
}
