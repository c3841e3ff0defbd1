import ChronosAPI
import Domain
import HTTP
import JSON
import Operations
import Synchronization
import Timetable

/// Leader and store in one, as simple as can be: what a command wrote is what the next read sees.
final class FakeCluster: LeaderOffice, JobReading, PluginReading, RunReading, LeaderReading {
    struct State {
        var jobs: [String: Job] = [:]
        var commands: [LeaderCommand] = []
        var refusal: DomainError?
        /// What deletions leave without parents.
        var orphans: [String] = []
        /// Puts that find the job changed since it was read.
        var conflicts = 0
        var activity: [JobID: JobActivity] = [:]
        var durations: [JobID: RunDurations] = [:]
        /// Jobs whose durations were computed, in order.
        var computed: [JobID] = []
        var runs: [Run] = []
        var attempts: [AttemptRecord] = []
        var progress: [AttemptID: Int64] = [:]
        var failure: StoreError?
        /// Reads that succeed before `failure` takes effect.
        var readsBeforeFailure = 0
        var knownTasks: Set<String> = []
        var leader: LeaderRecord?
    }
    let state = Mutex(State())

    var commands: [LeaderCommand] { state.withLock { $0.commands } }
    func job(_ name: String) -> Job? { state.withLock { $0.jobs[name] } }

    func store(_ job: Job) { state.withLock { $0.jobs[job.definition.name] = job } }
    /// What the next deletions leave without parents.
    func leaveOrphans(_ names: [String]) { state.withLock { $0.orphans = names } }

    func submit(_ command: LeaderCommand) async throws(DomainError) -> LeaderReply {
        let result: Result<LeaderReply, DomainError> = state.withLock { state in
            state.commands.append(command)
            if let refusal = state.refusal { return .failure(refusal) }
            return Self.apply(command, to: &state)
        }
        return try result.get()
    }

    private static func apply(_ command: LeaderCommand, to state: inout State) -> Result<LeaderReply, DomainError> {
        func known(_ key: JobKey, _ reply: LeaderReply) -> Result<LeaderReply, DomainError> {
            state.jobs[key.text] == nil ? .failure(.notFound("Job '\(key.text)' not found")) : .success(reply)
        }
        switch command {
        case .putJob(let definition, let isEnabled, let counters, let mode, let options):
            if state.conflicts > 0 {
                state.conflicts -= 1
                return .failure(DomainError(.conflict, "changed meanwhile (\(mode))"))
            }
            let existing = state.jobs[definition.name]
            let kept = counters ?? (options.keepsCounters ? existing?.counters : nil)
            let job = Job(
                id: existing?.id ?? JobID("e\(state.jobs.count + 1)"), version: (existing?.version ?? 0) + 1,
                definition: definition, isEnabled: isEnabled, counters: kept ?? JobCounters(), created: .epoch,
                modified: .epoch)
            state.jobs[definition.name] = job
            return .success(.job(job))
        case .deleteJob(let key, _):
            let reply = known(
                key,
                .deleted(
                    JobDeletion(id: state.jobs[key.text]?.id ?? JobID("e"), name: key.text, orphans: state.orphans)))
            state.jobs[key.text] = nil
            return reply
        case .runJob(let key, _):
            return known(key, .launched(LaunchReport(runs: [RunID("r1")], isQueued: false, waiting: 0)))
        case .killRuns(let key, _): return known(key, .runs([]))
        case .markSuccess(let key): return known(key, .flag(true))
        case .dropWaitingRuns: return .success(.runs([]))
        case .completeRun(let taskID, _): return .success(.flag(state.knownTasks.contains(taskID)))
        default: return .failure(.invalid("not a command of this API"))
        }
    }

    // MARK: Reading

    private func reading<Value: Sendable>(
        _ body: (State) -> Value
    ) throws(StoreError) -> Value {
        let result: Result<Value, StoreError> = state.withLock { state in
            if let failure = state.failure {
                guard state.readsBeforeFailure > 0 else { return .failure(failure) }
                state.readsBeforeFailure -= 1
            }
            return .success(body(state))
        }
        return try result.get()
    }

    func job(named name: String) async throws(StoreError) -> Job? { try reading { $0.jobs[name] } }

    func job(_ id: JobID) async throws(StoreError) -> Job? {
        try reading { state in state.jobs.values.first { $0.id == id } }
    }

    func plugin(_ id: String) async throws(StoreError) -> Plugin? {
        guard id == "shellplug" else { return nil }
        let authorship = Authorship(username: "admin", created: .epoch, modified: .epoch)
        return Plugin(id: id, title: "Shell", command: "", authorship: authorship)
    }

    func jobs(after name: String?, limit: Int) async throws(StoreError) -> [Job] {
        try reading { state in
            let sorted = state.jobs.values.sorted { $0.definition.name < $1.definition.name }
            return Array(sorted.filter { job in name.map { job.definition.name > $0 } ?? true }.prefix(limit))
        }
    }

    func search(_ search: JobSearch) async throws(StoreError) -> [Job] {
        try reading { state in
            func has(_ text: String, _ term: String?) -> Bool {
                term.map { text.lowercased().contains($0.lowercased()) } ?? true
            }
            let found = state.jobs.values.map(\.self).filter { job in
                let definition = job.definition
                return has(definition.name, search.name) && has(definition.command, search.command)
                    && (has(definition.name, search.any) || has(definition.command, search.any))
            }
            let sorted = found.sorted { $0.definition.name < $1.definition.name }
            return Array(sorted.dropFirst(search.offset).prefix(search.limit))
        }
    }

    func marks() async throws(StoreError) -> [JobMark] {
        try reading { state in
            state.jobs.values.sorted { $0.definition.name < $1.definition.name }.map {
                JobMark(id: $0.id, name: $0.definition.name, version: $0.version, counters: $0.counters)
            }
        }
    }

    func definition(_ version: JobVersion) async throws(StoreError) -> JobDefinition? { nil }

    // MARK: Runs

    func activity() async throws(StoreError) -> [JobID: JobActivity] { try reading { $0.activity } }

    func durations(of jobs: [JobID]) async throws(StoreError) -> [JobID: RunDurations] {
        state.withLock { $0.computed += jobs }
        return try reading { state in state.durations.filter { jobs.contains($0.key) } }
    }

    func active(of job: JobID) async throws(StoreError) -> [Run] {
        try reading { state in state.runs.filter { $0.job.job == job && !$0.state.isTerminal } }
    }

    func history(of job: JobID, before position: HistoryPosition?, limit: Int) async throws(StoreError) -> [Run] {
        try reading { state in
            let ended = state.runs.filter { $0.job.job == job && $0.state.isTerminal }
                .sorted { ($0.finishedAt ?? .epoch, $0.id) > ($1.finishedAt ?? .epoch, $1.id) }
            let older = ended.filter { run in
                position.map { (run.finishedAt ?? .epoch, run.id) < ($0.finishedAt, $0.run) } ?? true
            }
            return Array(older.prefix(limit))
        }
    }

    func attempts(of runs: [Run]) async throws(StoreError) -> [AttemptRecord] {
        try reading { state in state.attempts.filter { attempt in runs.contains { $0.id == attempt.attempt.run } } }
    }

    func run(of job: JobID, dueMilliseconds: Int64) async throws(StoreError) -> Run? {
        try reading { state in
            state.runs.first { $0.job.job == job && $0.due.milliseconds == dueMilliseconds }
        }
    }

    func progress(of runs: [RunID]) async throws(StoreError) -> [AttemptID: Int64] {
        try reading { state in state.progress.filter { runs.contains($0.key.run) } }
    }

    func addProgress(_ count: Int64, to attempt: AttemptID, at now: Instant) async throws(StoreError) {
        state.withLock { $0.progress[attempt, default: 0] += count }
    }

    func leader() async throws(StoreError) -> LeaderRecord? { try reading { $0.leader } }
}

/// What would be listed as activity, an entry an element.
final class ActivityNotes: ActivityRecording {
    private let entries = Mutex<[JSONObject]>([])
    var all: [JSONObject] { entries.withLock { $0 } }

    func record(_ action: String, by principal: Principal?, from address: String, _ payload: JSONObject) async {
        var entry = payload
        entry["action"] = .string(action)
        entries.withLock { $0.append(entry) }
    }
}

struct FixedClock: WallClock {
    let instant: Instant
    func now() -> Instant { instant }
}

/// Some zones with a fixed offset.
struct FakeZones: ZoneDatabase {
    let version = "test"
    private let offsets = ["UTC": 0, "Europe/Paris": 3_600, "America/Los_Angeles": -28_800]
    func rules(named name: String) -> ZoneRules? { offsets[name].map { .fixed(offsetSeconds: $0) } }
}

extension Instant {
    static let epoch = Instant(seconds: 0)
    /// 2026-03-01T00:00:00Z
    static let testNow = Instant(seconds: 1_772_323_200)
}

/// The API over a fake cluster, called as the node's pipeline calls it.
struct Server {
    let cluster = FakeCluster()
    let activity = ActivityNotes()
    let router: HTTPRouter

    init() {
        var router = HTTPRouter()
        let operations = JobOperations(
            reading: cluster, catalogue: cluster, runs: cluster, office: cluster, zones: FakeZones())
        let clock = FixedClock(instant: .testNow)
        ChronosAPI.register(
            on: &router,
            dependencies: ChronosDependencies(
                jobs: operations, statistics: RunStatistics(reading: cluster, runs: cluster, clock: clock),
                leader: cluster, zones: FakeZones(), clock: clock, activity: activity))
        self.router = router
    }

    func call(
        _ method: HTTPMethod, _ target: String, body: String = "", headers: HTTPHeaders = [:],
        as principal: Principal? = .admin
    ) async -> HTTPResponse {
        let request = HTTPRequest(method: method, target: target, headers: headers, body: Array(body.utf8))
        switch router.match(request) {
        case .found(let route, let request):
            return await RequestContext.$principal.withValue(principal) { await route.handler(request) }
        case let miss:
            return ChronosAPI.unmatched(miss, request)
        }
    }
}

extension Principal {
    static let admin = Principal(name: "admin", privileges: [.admin])
    static let reader = Principal(name: "reader", privileges: [])
    static func holding(_ privileges: Privilege...) -> Principal {
        Principal(name: "somebody", privileges: Set(privileges))
    }
}

/// Takes a streamed body.
final class Bucket: HTTPBodySink {
    private let storage = Mutex<[UInt8]>([])
    var bytes: [UInt8] { storage.withLock { $0 } }
    func write(_ bytes: [UInt8]) async throws { storage.withLock { $0 += bytes } }
}

extension HTTPResponse {
    var text: String { String(decoding: body.bytes ?? [], as: UTF8.self) }
    var json: JSONValue? { try? JSONValue(parsing: body.bytes ?? []) }
    var message: String { json?["message"]?.stringValue ?? "" }
}
