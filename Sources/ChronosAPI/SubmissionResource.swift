import Domain
import HTTP
import Operations
import Timetable

/// `iso8601` and `dependency`: jobs created or replaced by name. PUT means the same as POST, as it did in 2.x.
struct SubmissionResource: Resource {
    let jobs: JobOperations
    let clock: any WallClock
    let zones: any ZoneDatabase
    let activity: any ActivityRecording

    func register(on router: inout HTTPRouter, below tree: String) {
        for method in [HTTPMethod.post, .put] {
            router.on(
                method, "\(tree)/iso8601", metadata: leaderOnly,
                handler: handler { (request, principal) throws(DomainError) in
                    try await submit(request, principal, as: .scheduled)
                })
            router.on(
                method, "\(tree)/dependency", metadata: leaderOnly,
                handler: handler { (request, principal) throws(DomainError) in
                    try await submit(request, principal, as: .dependent)
                })
        }
    }

    private func submit(
        _ request: HTTPRequest, _ principal: Principal, as kind: ChronosJobCoding.Kind
    ) async throws(DomainError) -> HTTPResponse {
        let object = try request.jsonObject("a job")
        let name = try ChronosJobCoding.name(of: object)
        let condition = try EntityTag.condition(of: request)
        let keepsCounters = request.queryItem("keepCounters") == "true"
        let now = clock.now()
        let job: Job
        do {
            job = try await jobs.put(principal, name: name, where: condition) { existing throws(DomainError) in
                var draft = try ChronosJobCoding.decode(object, as: kind, onto: existing, zones: zones, now: now)
                draft.keepsCounters = keepsCounters
                return draft
            }
        } catch {
            guard condition != .none, error.code == .conflict else { throw error }
            return ChronosError.response(status: 412, message: error.message)
        }
        await activity.record(
            job.version == 1 ? "event_create" : "event_update", by: principal, from: request.remoteAddress,
            ["event": .event(job.id, job.definition.name)])
        var response = Self.done
        response.headers[EntityTag.header] = EntityTag.text(of: job)
        return response
    }
}
