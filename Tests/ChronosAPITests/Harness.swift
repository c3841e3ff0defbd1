import ChronosAPI
import Domain
import HTTP
import JSON
import Operations
import Synchronization
import Timetable

/// Leader and store in one, as simple as can be: what a command wrote is what the next read sees.
final class FakeCluster: LeaderOffice, JobReading, LeaderReading {
    struct State {
        var jobs: [String: Job] = [:]
        var commands: [LeaderCommand] = []
        var refusal: DomainError?
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
        case .putJob(let definition, let isEnabled, let counters, _, _):
            let job = Job(
                id: JobID("e1"), version: 1, definition: definition, isEnabled: isEnabled,
                counters: counters ?? JobCounters(), created: .epoch, modified: .epoch)
            state.jobs[definition.name] = job
            return .success(.job(job))
        case .deleteJob(let key, _):
            let reply = known(key, .done)
            state.jobs[key.text] = nil
            return reply
        case .runJob(let key, _):
            return known(key, .launched(LaunchReport(runs: [RunID("r1")], isQueued: false, waiting: 0)))
        case .killRuns(let key, _): return known(key, .runs([]))
        case .markSuccess(let key): return known(key, .flag(true))
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

    func leader() async throws(StoreError) -> LeaderRecord? { try reading { $0.leader } }
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
    let router: HTTPRouter

    init() {
        var router = HTTPRouter()
        let operations = JobOperations(reading: cluster, office: cluster, zones: FakeZones())
        ChronosAPI.register(
            on: &router,
            dependencies: ChronosDependencies(
                jobs: operations, leader: cluster, zones: FakeZones(), clock: FixedClock(instant: .testNow)))
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
