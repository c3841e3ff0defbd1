// ChronosAPI: the REST API of Chronos (mesos/chronos 2.x and 3.x), so that its clients work unchanged.
//
// What it is for: decode the dialect's JSON and paths into calls of Operations, encode jobs the way Chronos' own
// serialiser does, byte for byte (key order, doubles, timestamps), and answer errors in Chronos' shape. One file a
// resource; the coding of a job is a family of files of its own.
//
// Invariants
// - The same routes stand below `/v1/scheduler` (3.x) and `/scheduler` (2.x), with the same behaviour.
// - A successful write is 204 without a body: clients refuse anything else. What is not found is 400 with "not found"
//   in the message; `status` in an error is the reason phrase as text.
// - Input is read as leniently as Chronos reads it where its meaning is clear: numeric strings, names as numbers, null
//   for absent, defaults for amounts of 0. Structures and texts that Chronos drops in silence are refused with 400.
// - Nothing is promised that is not done: custom executors are refused, and so is whatever of a container or a download
//   no worker could carry out. Fields that Chronos itself only keeps (taskInfoData, executorFlags) are kept and shown.
// - Every answer has `Access-Control-Allow-Origin: *`, never with credentials.
//
// It refuses to know: the store, the leader, sockets, keys (RequestContext carries the principal), the other dialect.
//
// Caller: the node, which puts the routes into its router and answers what no route matches below the trees with
// `ChronosAPI.unmatched`.

public import Domain
public import HTTP
public import Operations
public import Timetable

/// What the resources work with.
public struct ChronosDependencies: Sendable {
    public var jobs: JobOperations
    public var statistics: RunStatistics
    public var leader: any LeaderReading
    /// For the next start in a listed schedule.
    public var zones: any ZoneDatabase
    public var clock: any WallClock
    public var activity: any ActivityRecording

    public init(
        jobs: JobOperations, statistics: RunStatistics, leader: any LeaderReading, zones: any ZoneDatabase,
        clock: any WallClock, activity: any ActivityRecording
    ) {
        self.jobs = jobs
        self.statistics = statistics
        self.leader = leader
        self.zones = zones
        self.clock = clock
        self.activity = activity
    }
}

public enum ChronosAPI {
    /// Tag of all routes. To such a request a follower's 302 has no body.
    public static let tag = "chronos"

    /// Where the description of this API is.
    static let documentPath = "/openapi/chronos.json"
    /// Where the routes stand.
    static let trees = ["/v1/scheduler", "/scheduler"]

    /// Adds all routes of both trees, and at the root what Chronos has or documents there: `leader` and `metrics`.
    public static func register(on router: inout HTTPRouter, dependencies: ChronosDependencies) {
        let jobs = dependencies.jobs
        let zones = dependencies.zones
        let encoded = EncodedJobs(zones: zones)
        let leader = LeaderResource(leader: dependencies.leader)
        let resources: [any Resource] = [
            JobsResource(jobs: jobs, encoded: encoded),
            JobResource(jobs: jobs, encoded: encoded, activity: dependencies.activity),
            SubmissionResource(jobs: jobs, clock: dependencies.clock, zones: zones, activity: dependencies.activity),
            TaskResource(jobs: jobs),
            ProgressResource(jobs: jobs, clock: dependencies.clock), HistoryResource(jobs: jobs, zones: zones),
            GraphResource(jobs: jobs, zones: zones),
            StatisticsResource(jobs: jobs, statistics: dependencies.statistics), leader,
        ]
        for tree in trees {
            for resource in resources { resource.register(on: &router, below: tree) }
        }
        leader.register(on: &router, below: "")
        MetricsResource(jobs: jobs, statistics: dependencies.statistics).register(on: &router, below: "")
        DocumentResource().register(on: &router)
    }

    /// Whether errors on that path (as sent, percent-encoded) are answered in this dialect.
    public static func owns(path: String) -> Bool {
        ["/leader", "/metrics", documentPath].contains(path)
            || trees.contains { path == $0 || path.hasPrefix($0 + "/") }
    }

    /// The answer to a request on a path that `owns` says yes to and that no route matched.
    public static func unmatched(_ match: RouteMatch, _ request: HTTPRequest) -> HTTPResponse {
        switch match {
        case .methodNotAllowed(let allow):
            let methods = allow.map(\.rawValue).joined(separator: ", ")
            var response = ChronosError.response(
                status: 405, message: "\(request.method) is not possible here; these are: \(methods)")
            response.headers["Allow"] = methods
            return response
        case .notFound, .found:
            return ChronosError.response(status: 404, message: "no resource is at \(quoted(request.path))")
        }
    }

    /// An error of the node's pipeline in this dialect's shape.
    public static func response(to error: DomainError) -> HTTPResponse { ChronosError.response(to: error) }
}
